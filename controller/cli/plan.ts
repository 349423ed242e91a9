import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { refLabel } from '../policy/wording.ts'
import { loadDirectory, refuseOther } from './config-directory.ts'
import { withUrlOption } from './controller-api.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, oneLine, table, writeJson } from './output.ts'
import { type Picture, type PlanRow, picturedByController, picturedByFiles, picturedByStore } from './plan-rows.ts'

interface PlanOptions {
  dataDir?: string
  url?: string
  json?: true
}

const AFTER_HELP = `
Nothing is changed and nobody is asked, except the controller that --url names.
Files alone do not tell which requests have run already; --data-dir or --url does.

Examples:
  draven plan                              every request file, judged by the files alone
  draven plan --data-dir /var/lib/draven   with the jobs, locks and successes of that controller
  draven plan --url http://127.0.0.1:8080  the open jobs of a running controller
`

export function addPlan(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const command = program
    .command('plan')
    .description('what would happen now: each request, and the first gate that holds it')
    .argument('[dir]', 'the config repository', '.')
    .option('--data-dir <dir>', "take jobs, locks and successes from a controller's data directory (read only)")
    .option('--json', 'print the plan as JSON')
    .addHelpText('after', AFTER_HELP)
  withUrlOption(command, 'none: the files are read').action(async (dir: string, options: PlanOptions) =>
    done(await plan(io, dir, options)),
  )
}

async function plan(io: Io, dir: string, options: PlanOptions): Promise<ExitCode> {
  if (options.url !== undefined && options.dataDir !== undefined) {
    throw new CommandFault(EXIT.usage, '--url and --data-dir exclude each other.', 'Name one of them.')
  }
  if (options.url !== undefined) return show(io, options, await picturedByController(io, options.url))
  const desired = await loadDirectory(io, dir)
  refuseOther(desired, resolve(io.cwd, dir), 'draven plan <dir>')
  const { dataDir } = options
  return show(
    io,
    options,
    dataDir === undefined ? await picturedByFiles(io, desired) : await picturedByStore(io, desired, dataDir),
  )
}

function show(io: Io, { json }: PlanOptions, { rows, ended, source }: Picture): ExitCode {
  if (json) writeJson(io, { source, ended, requests: rows })
  else io.stdout.write(planText(rows, ended, source))
  return EXIT.ok
}

function planText(rows: readonly PlanRow[], ended: number, source: Picture['source']): string {
  const past = ended === 0 ? '' : ` ${counted(ended, 'request')} ended before.`
  if (rows.length === 0) return `Nothing waits and nothing runs.${past}\n`
  const header = ['REQUEST', 'ENVIRONMENT', 'REF', 'STATUS', 'WHAT HOLDS IT']
  const lines = rows.map((row) => [
    basename(row.request).replace(/\.ya?ml$/, ''),
    `${row.project}/${row.environment}`,
    targetText(row),
    row.status,
    oneLine(heldText(row)),
  ])
  const columns = source === 'files' ? [header, ...lines].map((cells) => cells.toSpliced(3, 1)) : [header, ...lines]
  return `${table(columns)}${footnote(rows, source)}${past === '' ? '' : `\n${past.trim()}\n`}`
}

function targetText({ type, ref }: Pick<PlanRow, 'type' | 'ref'>): string {
  const target = ref === null ? (type === 'rollback' ? 'the one before' : '–') : refLabel(ref)
  return type === 'deploy' ? target : `${type === 'dry_run' ? 'dry run' : type}: ${target}`
}

function heldText({ gate, verdict, reason, asked, status }: PlanRow): string {
  if (status === 'new' && reason === null)
    return asked.length === 0 ? 'nothing' : `nothing here; the forge is asked about ${asked.join(', ')}`
  const verb = verdict === 'deny' ? 'refused' : status === 'running' ? 'runs' : 'waits'
  return `${verb}${gate === null || status === 'running' ? '' : ` (${gate})`}: ${reason?.text ?? ''}`
}

function footnote(rows: readonly PlanRow[], source: Picture['source']): string {
  if (source !== 'files') return ''
  const open = rows.some(({ asked }) => asked.length > 0)
  return `\nJudged by the files alone${open ? '; who asks, where a ref points, CI and approvals are asked at the forge' : ''}.\nFor live jobs: draven plan --url http://127.0.0.1:8080\n`
}
