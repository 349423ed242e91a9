import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import {
  type DesiredState,
  type Environment,
  REQUEST_TYPES,
  type Ref,
  type RefType,
  type RequestType,
} from '../model/desired-state.ts'
import { environmentKey } from '../model/names.ts'
import { may, type Permission } from '../model/roles.ts'
import { loadDirectory, refuseOther } from './config-directory.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import type { Forecast } from './offline.ts'
import { oneLine, painter, writeJson } from './output.ts'
import { gatesAhead, gitCommands } from './request-outlook.ts'

interface RequestOptions {
  dir: string
  type: RequestType
  reason?: string
  name?: string
  branch?: true
  tag?: true
  sha?: true
  json?: true
}

const AFTER_HELP = `
The kind of the ref (branch, tag or full commit id) is taken from the policy and the shape of the name; say it where both fit.
Nothing is committed: the commands that open the pull request are printed.

Examples:
  draven request shop prod v1.4.2 --reason "November release"
  draven request shop stage feature/cart --branch --reason "Try the new cart"
  draven request shop prod --type rollback --reason "Checkout is broken since v1.4.2"
`

export function addRequest(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('request')
    .description('write the request file for a deploy, and tell what it will have to pass')
    .argument('<project>', 'for example shop')
    .argument('<environment>', 'for example prod')
    .argument('[ref]', 'branch, tag or full commit id; a rollback without one goes back to the success before')
    .option('--dir <dir>', 'the config repository', '.')
    .addOption(new Option('--type <type>', 'kind of request').choices(REQUEST_TYPES).default('deploy'))
    .option('--reason <text>', 'why; it is kept in the file and in the audit')
    .option('--name <name>', 'name of the file, without .yaml (default: date and ref)')
    .addOption(new Option('--branch', 'the ref is a branch').conflicts(['tag', 'sha']))
    .addOption(new Option('--tag', 'the ref is a tag').conflicts(['branch', 'sha']))
    .addOption(new Option('--sha', 'the ref is a full commit id').conflicts(['branch', 'tag']))
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (project: string, environment: string, ref: string | undefined, options: RequestOptions) =>
      done(await request(io, { project, environment, ref: ref ?? null, options })),
    )
}

interface Wish {
  project: string
  environment: string
  ref: string | null
  options: RequestOptions
}

async function request(io: Io, wish: Wish): Promise<ExitCode> {
  const { project, environment, options } = wish
  const directory = resolve(io.cwd, options.dir)
  const before = await loadDirectory(io, directory)
  refuseOther(before, directory, '--dir')
  const { requestName, requestText } = await import('./request-file.ts')
  const ref = await refOf(before, wish)
  const reason = await reasonOf(io, options)
  const content = { type: options.type, ref, reason }
  const name = options.name ?? requestName(io.clock.now(), content)
  const path = `requests/${project}/${environment}/${name}.yaml`
  refuseExisting(directory, path)
  const text = requestText(content, existsSync(join(directory, 'schemas/deploy-request.schema.json')))

  const desired = await loadDirectory(io, directory, { path, text })
  refuseInvalid(desired, path)
  const { forecast } = await import('./offline.ts')
  const [outlook] = forecast(desired, [path], null, io.clock.now())
  if (outlook === undefined) throw new Error(`no forecast for ${path}`)
  if (outlook.verdict === 'deny') throw refusal(desired, outlook, path)

  await mkdir(dirname(join(directory, path)), { recursive: true })
  await writeFile(join(directory, path), text, { flag: 'wx' })
  tell(io, { desired, outlook, path, text, commands: gitCommands(options.dir, path, content) }, options)
  return EXIT.ok
}

const KINDS = ['branch', 'tag', 'sha'] as const satisfies readonly RefType[]

async function refOf(desired: DesiredState, { project, environment, ref, options }: Wish): Promise<Ref | null> {
  if (ref === null) {
    if (options.type === 'rollback') return null
    throw new CommandFault(
      EXIT.usage,
      `A ${options.type.replace('_', ' ')} needs a ref.`,
      'Name a branch, a tag or a full commit id.',
    )
  }
  const said = KINDS.find((kind) => options[kind])
  if (said !== undefined) return { type: said, name: ref }
  const { inferRefType } = await import('./request-file.ts')
  const policy = desired.environments.get(environmentKey(project, environment))?.policy
  const type = inferRefType(ref, policy ?? { allowedRefTypes: [], allowedBranches: [], allowedTags: [] })
  if (type !== null) return { type, name: ref }
  throw new CommandFault(EXIT.usage, `${ref} may be a branch or a tag.`, 'Say which with --branch or --tag.')
}

async function reasonOf(io: Io, { reason }: RequestOptions): Promise<string> {
  const said = (reason ?? (await io.ask?.('Why? ')) ?? '').trim()
  if (said !== '') return said
  throw new CommandFault(EXIT.usage, 'A request needs a reason.', 'Give one: --reason "November release".')
}

function refuseExisting(directory: string, path: string): void {
  const taken = [path, path.replace(/\.yaml$/, '.yml')].find((one) => existsSync(join(directory, one)))
  if (taken === undefined) return
  throw new CommandFault(
    EXIT.refused,
    `${taken} exists already, and a request is never overwritten.`,
    'Choose another name with --name.',
  )
}

/** A file that would be a finding is not written: what the schema says is said here. */
function refuseInvalid(desired: DesiredState, path: string): void {
  const [finding] = desired.unusableRequests.get(path)?.findings ?? []
  if (finding === undefined) return
  const allowed = finding.allowed === null ? '' : ` (allowed: ${finding.allowed})`
  throw new CommandFault(EXIT.refused, `${finding.message}${allowed}`, finding.help ?? 'Correct the request.')
}

function refusal(desired: DesiredState, { reason, key }: Forecast, path: string): CommandFault {
  const hint = desired.findings.find((finding) => finding.place.file === path)
  const known = [...desired.environments.keys()].join(', ')
  const fix = reason?.action?.text ?? hint?.help ?? (known === '' ? 'Run draven validate.' : `There is ${known}.`)
  return new CommandFault(EXIT.refused, reason?.text ?? `${key} takes no requests.`, fix)
}

interface Outcome {
  desired: DesiredState
  outlook: Forecast
  path: string
  text: string
  commands: readonly string[]
}

function tell(io: Io, { desired, outlook, path, text, commands }: Outcome, { dir, json }: RequestOptions): void {
  const environment = desired.environments.get(outlook.key)!
  const gates = gatesAhead(outlook, environment, peopleWho(desired, environment))
  if (json) {
    writeJson(io, { path, text, gates, commands })
    return
  }
  const paint = painter(io)
  const shown = text.replace(/^(?=.)/gm, '  ')
  const lines = gates.map(
    ({ name, wants, now }) =>
      `  ${name.padEnd(20)}  ${oneLine(wants)}${now === null ? '' : `\n${' '.repeat(24)}${oneLine(now)}`}`,
  )
  io.stdout.write(
    [
      `${paint('good', 'Wrote')} ${dir === '.' ? path : join(dir, path)}\n\n${shown}`,
      `It will have to pass:\n${lines.join('\n')}\n`,
      `Open the pull request with:\n${commands.map((command) => `  ${command}\n`).join('')}`,
    ].join('\n'),
  )
}

function peopleWho(desired: DesiredState, environment: Environment): (permission: Permission) => readonly string[] {
  const where = { project: environment.project, environment: environment.name }
  return (permission) => [...desired.people.keys()].filter((person) => may(desired, person, permission, where)).sort()
}
