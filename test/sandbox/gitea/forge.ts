import { mkdir } from 'node:fs/promises'
import type { Clock } from '../../../controller/clock.ts'
import { scriptProcesses } from '../actions/scripts.ts'
import { parseWorkflow } from '../actions/workflow-file.ts'
import { type Faults, faultTable } from '../faults.ts'
import { startPrograms } from '../git/programs.ts'
import { resolveCommit } from '../git/repository.ts'
import { OPERATION_IDS } from './api.ts'
import { type CodePeople, codePeople } from './code.ts'
import { openGiteaContract } from './contract.ts'
import { type PullPeople, pullPeople } from './pulls.ts'
import { addRun, rerun, setState } from './runs.ts'
import { listen } from './server.ts'
import { postStatus } from './statuses.ts'
import {
  actionsUser,
  addUser,
  type Repository,
  type Run,
  type RunState,
  repositoryOf,
  type Server,
  type StatusState,
  type User,
  userOf,
  type World,
} from './world.ts'

/** An emulated Gitea or Forgejo: REST and git on the loopback interface, and its people as functions. */
export interface Gitea extends CodePeople, PullPeople {
  server: Server
  /** Base URL of the REST API. */
  apiUrl: string
  gitUrl(repo: string): string
  faults: Faults
  /** True when names are checked against the description. */
  specChecked: boolean
  assertClean(): void

  user(login: string, more?: Partial<User>): User
  token(login: string): string
  repository(repo: string): Repository
  sha(repo: string, revision: string): Promise<string | null>

  /** A status as the server's own CI posts one, or as an account does. */
  setStatus(repo: string, sha: string, status: { context: string; state: StatusState; creator?: string }): void
  runs(repo: string): readonly Run[]
  /** A run that the code, or somebody else, started; of the CI, its jobs show as statuses. */
  addRun(
    repo: string,
    run: { file: string; event: string; by: string; title?: string; sha?: string; jobs?: readonly string[] },
  ): Run
  setRun(id: number, state: RunState): void
  /** Runs that are made from now on wait to be told, or go on as ever. */
  holdRuns(hold: boolean): void
  rerun(id: number): void
  removeRun(id: number): void
  /** Runs ever made for a JOB_ID, in all repositories. */
  triggerCount(jobId: string): number

  /** Without a secret deliveries carry empty signatures. */
  addHook(repo: string, hook: { url: string; secret?: string }): number
  settle(): Promise<void>
  close(): Promise<void>
}

export interface GiteaOptions {
  server: Server
  clock: Clock
  /** Temporary folder for repositories; the caller removes it. */
  root: string
  /** manual: runs wait for `setRun`. instant: they end well by themselves. process: `run:` scripts are really executed. */
  runs?: World['runs']
  version?: string
  /** False for versions that answer a dispatch without its run. */
  namesRun?: boolean
  /** The longest page that the operator allows; 50 unless told, as the servers' own default. */
  maxPage?: number
}

const VERSIONS = { gitea: '1.27.0', forgejo: '16.0.1+gitea-1.22.0' } as const

export async function startGitea(options: GiteaOptions): Promise<Gitea> {
  const { server: kind, clock, root } = options
  await mkdir(root, { recursive: true })
  let lastId = 1_000
  const world: World = {
    server: kind,
    clock,
    root,
    programs: startPrograms(),
    origin: '',
    users: new Map(),
    tokens: new Map(),
    repositories: new Map(),
    faults: faultTable(OPERATION_IDS),
    contract: openGiteaContract(kind),
    pending: new Set(),
    runs: options.runs ?? 'manual',
    scripts: scriptProcesses(),
    version: options.version ?? VERSIONS[kind],
    namesRun: options.namesRun ?? true,
    maxPage: options.maxPage ?? 50,
    nextId: () => ++lastId,
  }
  const server = await listen(world)
  world.origin = server.origin
  if (!world.contract.checked) console.warn(`The emulated ${kind} checks no names against the API description: it is not there.`)
  return {
    ...codePeople(world),
    ...pullPeople(world),
    ...runPeople(world),
    server: kind,
    apiUrl: `${server.origin}/api/v1`,
    gitUrl: (repo) => `${server.origin}/${repo}.git`,
    faults: world.faults,
    specChecked: world.contract.checked,
    assertClean() {
      const { violations } = world.contract
      if (violations.length > 0) throw new Error(`Against the description:\n${[...new Set(violations)].join('\n')}`)
    },
    user: (login, more) => addUser(world, login, more),
    token(login) {
      const text = `${String(world.tokens.size).padStart(8, '0')}${Buffer.from(login).toString('hex')}`.padEnd(40, 'f')
      world.tokens.set(text, userOf(world, login))
      return text
    },
    repository: (repo) => repositoryOf(world, repo),
    sha: (repo, revision) => resolveCommit(repositoryOf(world, repo).git, revision),
    setStatus(repo, sha, { context, state, creator }) {
      const by = creator === undefined ? actionsUser(world) : userOf(world, creator)
      postStatus(world, repositoryOf(world, repo), { sha, context, state, description: '', targetUrl: '', creator: by })
    },
    addHook(repo, { url, secret }) {
      const id = world.nextId()
      repositoryOf(world, repo).hooks.push({ id, url, secret: secret ?? null, queue: Promise.resolve() })
      return id
    },
    async settle() {
      while (world.pending.size > 0) await Promise.all(world.pending)
    },
    async close() {
      await world.scripts.close()
      await server.close()
      world.programs.close()
    },
  }
}

type RunPeople = Pick<Gitea, 'runs' | 'addRun' | 'setRun' | 'holdRuns' | 'rerun' | 'removeRun' | 'triggerCount'>

function runPeople(world: World): RunPeople {
  const removed: Run[] = []
  const asEver = world.runs
  const all = () => [...world.repositories.values()].flatMap((repository) => repository.runs.map((run) => ({ repository, run })))

  function runOf(id: number) {
    const found = all().find(({ run }) => run.id === id)
    if (!found) throw new Error(`the server has no run ${id}`)
    return found
  }

  return {
    runs: (repo) => repositoryOf(world, repo).runs,
    addRun(repo, { file, event, by, title = null, sha = '0'.repeat(40), jobs = [] }) {
      const repository = repositoryOf(world, repo)
      const listed = jobs.map((name) => ({ name, env: {}, steps: [] }))
      const workflow = { ...parseWorkflow('', file), runName: title, jobs: listed }
      const ref = `refs/heads/${repository.defaultBranch}`
      return addRun(world, repository, { file, workflow, ref, sha, event, inputs: {}, user: userOf(world, by) })
    },
    setRun(id, state) {
      const { repository, run } = runOf(id)
      setState(world, repository, run, state)
    },
    holdRuns(hold) {
      world.runs = hold ? 'manual' : asEver
    },
    rerun(id) {
      const { repository, run } = runOf(id)
      rerun(world, repository, run)
    },
    removeRun(id) {
      const { repository, run } = runOf(id)
      repository.runs = repository.runs.filter((each) => each !== run)
      removed.push(run)
    },
    triggerCount: (jobId) =>
      [...all().map(({ run }) => run), ...removed].filter(({ inputs }) => inputs['JOB_ID'] === jobId).length,
  }
}
