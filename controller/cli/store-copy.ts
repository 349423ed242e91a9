import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ConfigFault } from '../errors.ts'
import { readDatabase } from '../settings.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, writeJson } from './output.ts'

interface CopyOptions {
  from: string
  to?: string
  json?: true
}

const AFTER_HELP = `
Stop the controller first: a database that is in use is refused, and so is a target that holds anything. Every row is read back and
compared, and the chain of the copied audit is proved, before anything stays. Afterwards start the controller with DATABASE_URL set
to the target, and keep the old file for a while.

Examples:
  draven store copy --from sqlite:/var/lib/draven/draven.db --to postgres://draven@db/draven
  DATABASE_URL=postgres://draven:secret@db/draven draven store copy --from sqlite:.draven/draven.db
`

export function addStoreCopy(store: Command, io: Io, done: (code: ExitCode) => void): void {
  store
    .command('copy')
    .description('move everything from the embedded database to PostgreSQL')
    .requiredOption('--from <sqlite:file>', 'the file to copy')
    .option('--to <postgres://…>', 'the empty database to copy to (default: DATABASE_URL, which keeps a password out of sight)')
    .option('--json', 'print what was copied as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (options: CopyOptions) => done(await copy(io, options)))
}

async function copy(io: Io, options: CopyOptions): Promise<ExitCode> {
  const file = sourceFile(io, options.from)
  const target = readDatabase(options.to === undefined ? io.env : { DATABASE_URL: options.to })
  if (target.kind !== 'postgres') {
    throw new CommandFault(
      EXIT.usage,
      'There is no PostgreSQL database to copy to.',
      'Give --to postgres://…, or set DATABASE_URL.',
    )
  }
  const [{ copyStore }, { openSqliteDatabase }, { openPostgresDatabase }] = await Promise.all([
    import('../store/copy-store.ts'),
    import('../store/sqlite-store.ts'),
    import('../store/postgres-store.ts'),
  ])
  const onFatal = (error: Error) => {
    throw error
  }
  const source = await refusing(() => openSqliteDatabase({ file, clock: io.clock, onFatal }))
  try {
    const into = await refusing(() => openPostgresDatabase({ url: target.url, clock: io.clock, onFatal }))
    try {
      const progress = (table: string, rows: number, total: number) => io.stderr.write(`${table}: ${rows} of ${total}\n`)
      const { rows, head } = await refusing(() => copyStore({ from: source.db, to: into.db, progress }))
      if (options.json) writeJson(io, { rows, head })
      else {
        const all = Object.values(rows).reduce((sum, each) => sum + each, 0)
        io.stdout.write(`Copied and compared ${counted(all, 'row')}; the audit is whole.\n`)
        if (head !== null) io.stdout.write(`Head, to keep as an anchor: ${head.seq}:${head.hash}\n`)
      }
      return EXIT.ok
    } finally {
      await into.close()
    }
  } finally {
    await source.close()
  }
}

function sourceFile(io: Io, from: string): string {
  const name = /^sqlite:(.+)$/.exec(from)?.[1]
  if (name === undefined) throw new CommandFault(EXIT.usage, `${from} names no SQLite file.`, 'Write --from sqlite:<file>.')
  const file = resolve(io.cwd, name)
  if (!existsSync(file))
    throw new CommandFault(EXIT.unreachable, `There is no database ${file}.`, 'Name the file that is to be copied.')
  return file
}

/** What is wrong with either database is a reason not to copy, told with what to do. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ConfigFault) throw new CommandFault(EXIT.refused, error.message, error.fix)
    throw error
  }
}
