import { resolve } from 'node:path'
import type { Command } from 'commander'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, writeJson } from './output.ts'
import { databaseIn } from './store-to-read.ts'

interface BackupOptions {
  dataDir?: string
  json?: true
}

const AFTER_HELP = `
The controller may be running: the backup is one consistent picture. It appears under its name only after every page and the
whole audit chain were checked, and never takes the place of another file.
To restore: stop the controller, put the file in place as <data-dir>/draven.db, remove draven.db-wal and draven.db-shm, start.
What ran since is found at the provider by its JOB_ID and not run again.

Examples:
  draven store backup /backups/draven-2026-11-21.db --data-dir /var/lib/draven
`

export function addStoreBackup(store: Command, io: Io, done: (code: ExitCode) => void): void {
  store
    .command('backup')
    .description('copy the SQLite database to a new file, checked, also while the controller runs')
    .argument('<file>', 'the backup; must not exist')
    .option('--data-dir <dir>', 'data directory of the controller (default: DRAVEN_DATA_DIR, else .draven)')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (file: string, options: BackupOptions) => done(await backUp(io, file, options)))
}

async function backUp(io: Io, file: string, options: BackupOptions): Promise<ExitCode> {
  const { backUpSqlite } = await import('../store/sqlite-backup.ts')
  const target = resolve(io.cwd, file)
  const database = databaseIn(resolve(io.cwd, options.dataDir ?? io.env['DRAVEN_DATA_DIR'] ?? '.draven'))
  const backup = await backUpSqlite(database, target, io.clock)
  if (options.json) writeJson(io, { file: target, ...backup })
  else {
    const head =
      backup.auditHead === null
        ? ''
        : `\nHead of its audit, to keep as an anchor: ${backup.auditHead.seq}:${backup.auditHead.hash}`
    io.stdout.write(
      `Wrote ${target}: ${counted(backup.bytes, 'byte')}, ${counted(backup.auditRows, 'row')} of audit, all checked.${head}\n`,
    )
  }
  return EXIT.ok
}
