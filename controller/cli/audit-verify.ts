import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { AuditHead, AuditVerdict } from '../audit/chain.ts'
import { readDatabase } from '../settings.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, oneLine, writeJson } from './output.ts'

interface AuditOptions {
  dataDir?: string
  anchor?: string
  json?: true
}

const AFTER_HELP = `
Writes nothing, so controllers may be running: of a SQLite file a copy is read, PostgreSQL (DATABASE_URL) directly. Keep the printed head somewhere else:
who can rewrite the whole database can rewrite every hash, and only an older head shows that.

Examples:
  draven audit verify --data-dir /var/lib/draven
  DATABASE_URL=postgres://draven@db/draven draven audit verify
  draven audit verify --anchor 1841:9f2c…
`

export function addAudit(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const audit = program.command('audit').description('the record of everything that was decided and done')
  audit
    .command('verify')
    .description('check that no row of the audit was edited, deleted, inserted or moved')
    .option('--data-dir <dir>', 'data directory of the controller, for its SQLite file (default: DRAVEN_DATA_DIR, else .draven)')
    .option('--anchor <seq:hash>', 'a head that an earlier check printed: the audit must still contain it')
    .option('--json', 'print the verdict as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (options: AuditOptions) => done(await verify(io, options)))
}

async function verify(io: Io, options: AuditOptions): Promise<ExitCode> {
  const anchor = options.anchor === undefined ? undefined : readAnchor(options.anchor)
  const [{ withStoreToRead }, { verifyChain }] = await Promise.all([import('./store-to-read.ts'), import('../audit/chain.ts')])
  const database = options.dataDir === undefined ? readDatabase(io.env) : ({ kind: 'sqlite' } as const)
  const dataDirectory = resolve(io.cwd, options.dataDir ?? io.env['DRAVEN_DATA_DIR'] ?? '.draven')
  const verdict = await withStoreToRead(io, { database, dataDirectory }, (store) => verifyChain(store.auditRows(), anchor))
  if (options.json) writeJson(io, verdict)
  else io.stdout.write(verdictText(verdict, anchor !== undefined))
  return verdict.ok ? EXIT.ok : EXIT.findings
}

function readAnchor(text: string): AuditHead {
  const match = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text)
  if (match) return { seq: Number(match[1]), hash: match[2]! }
  throw new CommandFault(
    EXIT.usage,
    `${JSON.stringify(text)} is not an anchor.`,
    'Give the head that an earlier `draven audit verify` printed: a number, a colon and 64 hexadecimal digits.',
  )
}

function verdictText(verdict: AuditVerdict, anchored: boolean): string {
  if (!verdict.ok) {
    const intact = verdict.head === null ? 'No row before it is intact.' : `Intact up to ${headText(verdict.head)}`
    return `The audit is broken at row ${verdict.seq} (${verdict.kind}): ${oneLine(verdict.problem)}.\n${intact}\n`
  }
  if (verdict.head === null) return 'The audit is empty.\n'
  const known = anchored ? ' and contains the anchor' : ''
  return `The audit is whole${known}: ${counted(verdict.rows, 'row')}.\nHead, to keep as an anchor: ${headText(verdict.head)}\n`
}

function headText({ seq, hash }: AuditHead): string {
  return `${seq}:${hash}`
}
