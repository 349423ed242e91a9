import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { CommandFault } from './fault.ts'
import type { Checkout } from './init-checkout.ts'
import { FORGES, type ForgeName, forgeOf, INPUTS, type PipelineProposal, proposePipeline } from './init-pipelines.ts'
import type { SkeletonOptions } from './init-skeleton.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, oneLine, painter, table, writeJson } from './output.ts'

interface InitOptions {
  from: string
  forge?: ForgeName
  repo?: string
  admin?: string
  configRepo?: string
  zone?: string
  json?: true
}

const AFTER_HELP = `
Nothing leaves this machine: the files are written, and the next steps are printed.

Examples:
  draven init deploys --from ../shop --admin arossi
  draven init deploys --from ../shop --admin arossi --config-repo acme/deploys
`

export function addInit(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('init')
    .description('begin a config repository for a project that you have checked out')
    .argument('<dir>', 'folder of the new config repository; it must be empty')
    .requiredOption('--from <checkout>', 'the project, with its pipeline')
    .addOption(new Option('--forge <name>', 'where the project is, if its address does not tell').choices(FORGES))
    .option('--repo <name>', 'its full name there, e.g. acme/shop')
    .option('--admin <login>', 'account there of the first admin, who lets the others in')
    .option('--config-repo <name>', 'full name of the config repository (default: beside the project, named as its folder)')
    .option('--zone <zone>', 'time zone of the window for production', 'UTC')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (dir: string, options: InitOptions) => done(await init(io, resolve(io.cwd, dir), options)))
}

/** What was read from the checkout, or said instead. */
interface Found {
  checkout: Checkout
  forge: ForgeName
  host: string
  repo: string
  pipeline: PipelineProposal
}

async function init(io: Io, directory: string, options: InitOptions): Promise<ExitCode> {
  const [{ beginRepository }, { skeleton }] = await Promise.all([import('./init-checkout.ts'), import('./init-skeleton.ts')])
  await refuseMisspelt(options)
  await refuseFull(directory)
  const found = await look(io, options)
  const login = await adminLogin(io, options, found)
  const { checkout, forge, repo, pipeline } = found
  const configRepo = options.configRepo ?? `${dirname(repo)}/${nameOf(basename(directory))}`
  const { name, email } = checkout.author
  const skeletonOptions: SkeletonOptions = {
    id: nameOf(configRepo.replaceAll('/', '-')),
    provider: forge,
    project: {
      name: nameOf(basename(repo)),
      repoFullName: repo,
      defaultBranch: checkout.defaultBranch,
      // Only these two have no address of their own that a setting could stand for.
      apiUrl: forge === 'gitea' || forge === 'forgejo' ? apiUrl(found) : null,
      selector: pipeline.selector,
      checks: pipeline.checks,
    },
    admin: { person: nameOf(forge === 'bitbucket' ? (name ?? login) : login), name: name ?? login, login, email },
    zone: options.zone ?? 'UTC',
  }
  const files = skeleton(skeletonOptions)
  for (const [path, text] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text, { flag: 'wx' })
  }
  const remoteUrl = besides(checkout.remoteUrl, repo, configRepo)
  await beginRepository(directory, 'main', remoteUrl)
  const outcome = { directory, files: [...files.keys()].sort(), configRepo, remoteUrl, ...found, admin: skeletonOptions.admin }
  tell(io, outcome, skeletonOptions, options)
  return EXIT.ok
}

/** What would only come to light in the files, or at the forge. */
async function refuseMisspelt({ repo, configRepo, zone }: InitOptions): Promise<void> {
  for (const [flag, name] of [
    ['--repo', repo],
    ['--config-repo', configRepo],
  ] as const) {
    if (name === undefined || FULL_NAME.test(name)) continue
    throw new CommandFault(
      EXIT.usage,
      `${flag} ${name} is no full name of a repository.`,
      `Write it as on the forge: ${flag} acme/shop.`,
    )
  }
  if (zone === undefined) return
  const { isTimeZone } = await import('../model/local-time.ts')
  if (isTimeZone(zone)) return
  throw new CommandFault(
    EXIT.usage,
    `--zone ${zone} is no time zone.`,
    'Name one as IANA does: --zone Europe/Rome, or --zone UTC.',
  )
}

const FULL_NAME = /^[\w.-]+(?:\/[\w.-]+)+$/

/** A fresh clone of an empty repository counts as empty. */
async function refuseFull(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new CommandFault(
      EXIT.refused,
      `${directory} cannot be used: ${error.message}.`,
      'Name a folder that does not exist yet.',
    )
  })
  if (names.some((name) => name !== '.git')) {
    throw new CommandFault(EXIT.refused, `${directory} is not empty, and nothing is overwritten.`, 'Name another folder.')
  }
}

async function look(io: Io, options: InitOptions): Promise<Found> {
  const { readCheckout } = await import('./init-checkout.ts')
  const from = resolve(io.cwd, options.from)
  const checkout = await readCheckout(from).catch(() => null)
  if (checkout === null) {
    throw new CommandFault(
      EXIT.unreachable,
      `${from} is no git checkout.`,
      'Name the folder of a checked-out project with --from.',
    )
  }
  const remote = checkout.remoteUrl === null ? null : remoteName(checkout.remoteUrl)
  const repo = options.repo ?? remote?.repo
  if (repo === undefined) {
    throw new CommandFault(
      EXIT.usage,
      `${from} has no remote that tells where the project is.`,
      'Say it: --forge github --repo acme/shop.',
    )
  }
  const forge = options.forge ?? forgeOf(remote?.host ?? '', checkout.files)
  if (forge === null) {
    throw new CommandFault(
      EXIT.usage,
      `Neither ${remote?.host ?? 'the address'} nor a pipeline in ${from} tells which forge it is.`,
      `Say it with --forge: ${FORGES.join(', ')}.`,
    )
  }
  return { checkout, forge, host: remote?.host ?? '', repo, pipeline: proposePipeline(forge, checkout.files) }
}

/** Accounts are known by login, on Bitbucket by UUID: anybody may take any nickname there. */
async function adminLogin(io: Io, { admin }: InitOptions, { forge }: Found): Promise<string> {
  const { name, account, example } = FORGE_WORDS[forge]
  const login = (admin ?? (await io.ask?.(`Your ${account} at ${name}? `)) ?? '').trim().replace(/^\{(.*)\}$/, '$1')
  const form = forge === 'bitbucket' ? /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ : /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
  if (form.test(login)) return login
  throw new CommandFault(
    EXIT.usage,
    login === '' ? 'A config repository needs a first admin.' : `${login} is no ${account} of an account at ${name}.`,
    `Give the ${account} of your account at ${name}: --admin ${example}. docs/${page(forge)} has more.`,
  )
}

/** Host and full name of `git@host:a/b.git`, `https://host/a/b` and `ssh://git@host:22/a/b.git`; null for anything else. */
function remoteName(url: string): { host: string; repo: string } | null {
  const scp = /^[^@/\s]+@([^:/\s]+):(?!\/)(.+)$/.exec(url)
  const [host, path] =
    scp !== null ? [scp[1]!, scp[2]!] : URL.canParse(url) ? [new URL(url).host, new URL(url).pathname] : ['', '']
  const repo = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '')
  return host === '' || !FULL_NAME.test(repo) ? null : { host, repo }
}

/** The address of another repository at the same place; null when the place is not known. */
function besides(url: string | null, repo: string, other: string): string | null {
  if (url === null || !url.includes(repo)) return null
  const at = url.lastIndexOf(repo)
  return `${url.slice(0, at)}${other}${url.slice(at + repo.length)}`
}

/** A name that paths and documents take. */
function nameOf(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name === '' ? 'deploys' : name.slice(0, 60)
}

interface ForgeWords {
  name: string
  /** What names an account there. */
  account: string
  example: string
  /** Address of the API of a server; null where there is one for all. */
  api(host: string): string | null
}

const BY_LOGIN = { account: 'login', example: 'arossi' }

const FORGE_WORDS: Readonly<Record<ForgeName, ForgeWords>> = {
  github: { ...BY_LOGIN, name: 'GitHub', api: (host) => (host === 'github.com' ? null : `https://${host}/api/v3`) },
  gitlab: { ...BY_LOGIN, name: 'GitLab', api: (host) => (host === 'gitlab.com' ? null : `https://${host}/api/v4`) },
  bitbucket: { name: 'Bitbucket', account: 'UUID', example: '8b1f2c04-6d0e-4f5b-9a3c-2f7e1d6c5b4a', api: () => null },
  gitea: { ...BY_LOGIN, name: 'Gitea', api: (host) => `https://${host}/api/v1` },
  forgejo: { ...BY_LOGIN, name: 'Forgejo', api: (host) => `https://${host}/api/v1` },
}

interface Outcome extends Found {
  directory: string
  files: readonly string[]
  configRepo: string
  remoteUrl: string | null
  admin: SkeletonOptions['admin']
}

function apiUrl({ forge, host }: Pick<Found, 'forge' | 'host'>): string | null {
  return host === '' ? null : FORGE_WORDS[forge].api(host)
}

/** What the controller has to be told; the secret is named, never asked for. */
function settingsFor({ forge, host, configRepo, remoteUrl }: Outcome): readonly (readonly [name: string, value: string])[] {
  const api = apiUrl({ forge, host })
  const upper = forge.toUpperCase()
  return [
    ['DRAVEN_CONFIG_REPO_URL', remoteUrl ?? `https://…/${configRepo}.git`],
    ['DRAVEN_CONFIG_REPO', configRepo],
    ...(forge === 'github' ? [] : [['DRAVEN_CONFIG_PROVIDER', forge] as const]),
    ...(api === null ? [] : [[`DRAVEN_${upper}_API_URL`, api] as const]),
    [`DRAVEN_SECRET_${upper}_TOKEN`, '…'],
  ]
}

/** What stands between here and the first deploy, that only a person can do. */
function toDo({ forge, pipeline, checkout }: Outcome): readonly string[] {
  const where = forge === 'gitlab' ? '.gitlab-ci.yml' : pipeline.file
  if (pipeline.file === null) {
    return [
      `${FORGE_WORDS[forge].name} has no deploy pipeline in ${checkout.directory} yet; docs/${page(forge)} has one to copy.`,
    ]
  }
  if (pipeline.missing.length === 0) return []
  const words = pipeline.missing.length === INPUTS.length ? 'any of our inputs' : pipeline.missing.join(', ')
  return [`${where} does not take ${words} yet; docs/${page(forge)} shows how.`]
}

function page(forge: ForgeName): string {
  return `${forge === 'forgejo' ? 'gitea' : forge}.md`
}

function tell(io: Io, outcome: Outcome, { project }: SkeletonOptions, { json }: InitOptions): void {
  const { directory, files, forge, repo, pipeline, configRepo, admin } = outcome
  const settings = settingsFor(outcome)
  const open = toDo(outcome)
  if (json) {
    writeJson(io, {
      directory,
      files,
      forge,
      repo,
      pipeline,
      configRepo,
      admin,
      settings: Object.fromEntries(settings),
      toDo: open,
    })
    return
  }
  const paint = painter(io)
  const facts = table([
    [
      '  project',
      `${project.name}: ${oneLine(repo)} on ${FORGE_WORDS[forge].name}, default branch ${oneLine(project.defaultBranch)}`,
    ],
    ['  pipeline', `${pipeline.selector} for stage, demo and prod`],
    ['  CI', pipeline.checks.length === 0 ? 'none found, so no policy asks for it' : pipeline.checks.map(oneLine).join(', ')],
    ['  admin', `${admin.person} (${oneLine(admin.name)}); everybody else is let in by access.yaml`],
  ])
  io.stdout.write(
    [
      `${paint('good', 'Wrote')} ${counted(files.length, 'file')} to ${directory}\n\n${facts}`,
      ...(open.length === 0 ? [] : [`${paint('warn', 'First')}\n${open.map((line) => `  ${line}\n`).join('')}`]),
      [
        `Then push it to ${configRepo}, a new and empty repository, and start the controller:\n`,
        `  cd ${quoted(directory)} && git add . && git commit -m "Begin" && git push -u origin main\n`,
        ...settings.map(([name, value]) => `  export ${name}=${value}\n`),
        '  draven doctor && draven serve\n',
      ].join(''),
      `And ask for the first deploy:\n  draven request ${project.name} stage ${oneLine(project.defaultBranch)} --branch --reason "First deploy"\n`,
    ].join('\n'),
  )
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
