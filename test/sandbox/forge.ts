import { mkdir } from 'node:fs/promises'
import type { Clock, Instant } from '../../controller/clock.ts'
import { type Logger, silentLogger } from '../../controller/log.ts'
import { addAccount, addApp, grantToken, keysOf, type NewAccount } from './accounts.ts'
import { instantRunner, manualRunner, startByHand } from './actions/in-memory-runners.ts'
import { processRunner } from './actions/process-runner.ts'
import { finishRun, newAttempt } from './actions/runs.ts'
import { postCheck, postStatus } from './checks.ts'
import { type CodePeople, codePeople } from './code.ts'
import { defaultSpecPath, openContract, type Violation } from './contract.ts'
import { type Faults, faultTable } from './faults.ts'
import { startPrograms } from './git/programs.ts'
import type { GitRepository } from './git/repository.ts'
import { releaseHeldBack } from './hooks.ts'
import { type PullPeople, pullPeople } from './pulls.ts'
import { OPERATION_IDS } from './rest/api.ts'
import { addHook, type NewHook } from './rest/webhooks.ts'
import { listen } from './server.ts'
import {
  accountOf,
  type CheckStatus,
  type Conclusion,
  type Hook,
  type HookDelivery,
  type Repository,
  repositoryOf,
  type StatusState,
  type TokenScope,
  type WorkflowRun,
  type World,
} from './world.ts'

export interface ForgeOptions {
  clock: Clock
  /** Temporary folder for repositories and runs; the caller removes it. */
  root: string
  log?: Logger
  /** GitHub's OpenAPI description; the one beside the repository unless told, null for none. */
  specPath?: string | null
  /**
   * process: `run:` scripts are really executed. instant: runs end by themselves and do nothing.
   * manual: runs stay queued until `startRun` and `finishRun`.
   */
  actions?: 'process' | 'instant' | 'manual'
  /** How long a run stays queued (process and instant). */
  queueDelayMs?: number
  /** How runs end in `instant` mode; success unless told. */
  conclusionOf?: (run: WorkflowRun) => Conclusion
  /** REST calls per token and hour; GitHub's own 5,000 unless told. */
  hourlyBudget?: number
  /** False for GitHub Enterprise Server up to 3.19: a dispatch is always answered without the run. */
  returnsRunDetails?: boolean
}

/** GitHub's core budget for users and small installations. */
const HOURLY_BUDGET = 5_000

/** When an attempt of a run existed, for checking that two never overlapped. */
export interface LiveRun {
  repo: string
  runId: number
  attempt: number
  jobId: string | null
  environment: string | null
  createdAt: Instant
  startedAt: Instant | null
  endedAt: Instant | null
}

/** An emulated GitHub: REST and git over HTTP on the loopback interface, and the people who use it as functions. */
export interface Forge extends CodePeople, PullPeople {
  /** Base URL for Octokit. */
  apiUrl: string
  webUrl: string
  gitUrl(repo: string): string
  /** The repository itself, for a look that needs no HTTP. */
  git(repo: string): GitRepository
  /** Folder of the repositories (`git/<owner>/<name>.git`) and of the runs. */
  root: string
  faults: Faults
  /** True when requests and answers are checked against GitHub's description. */
  specChecked: boolean
  violations: readonly Violation[]
  /** Throws with all violations when there is one. */
  assertClean(): void

  user(login: string, options?: NewAccount): { id: number; login: string; email: string }
  app(slug: string, options?: { id?: number }): AppView
  /** A token of an account, or an installation token of the app with this slug. */
  token(loginOrApp: string, options?: { scopes?: readonly TokenScope[]; expiresAt?: Instant }): string
  /** Every token of the account, or of the app with this slug, ends now. */
  revokeTokens(loginOrApp: string): void
  suspendUser(login: string): void
  deleteUser(login: string): void

  setCheck(repo: string, sha: string, check: NewCheckResult): void
  setStatus(repo: string, sha: string, status: NewStatusResult): void

  addHook(repo: string, hook: NewHook): number
  deliveries(repo: string, hookId?: number): readonly HookDelivery[]

  runs(repo: string): readonly WorkflowRun[]
  /** Runs ever created for a JOB_ID, in all repositories. */
  triggerCount(jobId: string): number
  /** One entry per attempt of runs whose ENV input is this one; of all runs without an argument. */
  liveRuns(environment?: string): LiveRun[]
  startRun(runId: number): void
  /** Ends a run as its pipeline would; starts it first when it is still queued. */
  finishRun(runId: number, conclusion: Conclusion): void
  /** As a person who presses "Re-run all jobs". */
  rerun(runId: number): void
  /** As if the run had been deleted: the API does not know it any more. */
  removeRun(runId: number): void

  /** Resolves when no delivery is on its way and no process or instant run is unfinished. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface AppView {
  id: number
  slug: string
  installationId: number
  /** `<slug>[bot]`. */
  login: string
  /** PEM, made on first use. */
  privateKey(): string
}

export interface NewCheckResult {
  name: string
  /** Slug of the app that reports; `github-actions` unless told. */
  app?: string
  status?: CheckStatus
  conclusion?: Conclusion
}

export interface NewStatusResult {
  context: string
  state: StatusState
  creator: string
}

export async function startForge(options: ForgeOptions): Promise<Forge> {
  const world = await newWorld(options)
  const server = await listen(world)
  world.origin = server.origin
  addAccount(world, 'web-flow', { name: 'GitHub', email: 'noreply@github.com', id: 19_864_447 })
  const { contract } = world
  // Said once, where a person who runs the tests sees it.
  if (!contract.checked)
    console.warn('The emulated forge checks nothing against GitHub’s API description: the file is not there.')
  return {
    ...codePeople(world),
    ...pullPeople(world),
    ...accountPeople(world),
    ...resultPeople(world),
    ...runPeople(world),
    apiUrl: `${server.origin}/api/v3`,
    webUrl: server.origin,
    gitUrl: (repo) => `${server.origin}/${repo}.git`,
    git: (repo) => repositoryOf(world, repo).git,
    root: world.root,
    faults: world.faults,
    specChecked: contract.checked,
    violations: contract.violations,
    assertClean() {
      if (contract.violations.length === 0) return
      const lines = contract.violations.map(({ side, operation, detail }) => `${side}: ${operation}: ${detail}`)
      throw new Error(`Against GitHub's description:\n${lines.join('\n')}`)
    },
    settle: () => settle(world),
    async close() {
      await world.runner.close()
      await server.close()
      world.programs.close()
    },
  }
}

async function newWorld(options: ForgeOptions): Promise<World> {
  await mkdir(options.root, { recursive: true })
  let lastId = 1_000
  const world: World = {
    clock: options.clock,
    log: options.log ?? silentLogger,
    root: options.root,
    programs: startPrograms(),
    origin: '',
    accounts: new Map(),
    apps: new Map(),
    tokens: new Map(),
    repositories: new Map(),
    faults: faultTable(OPERATION_IDS),
    contract: openContract(options.specPath === undefined ? defaultSpecPath() : options.specPath),
    runner: { begin() {}, cancel() {}, close: async () => {} },
    hourlyBudget: options.hourlyBudget ?? HOURLY_BUDGET,
    returnsRunDetails: options.returnsRunDetails ?? true,
    pending: new Set(),
    nextId: () => ++lastId,
  }
  const queueDelayMs = options.queueDelayMs ?? 0
  const conclusionOf = options.conclusionOf ?? (() => 'success' as const)
  const runners = {
    process: () => processRunner(world, queueDelayMs),
    instant: () => instantRunner(world, { queueDelayMs, conclusionOf }),
    manual: () => manualRunner(world),
  }
  world.runner = runners[options.actions ?? 'instant']()
  return world
}

function accountPeople(world: World): Pick<Forge, 'user' | 'app' | 'token' | 'revokeTokens' | 'suspendUser' | 'deleteUser'> {
  return {
    user: (login, options) => addAccount(world, login, options),
    app(slug, options) {
      const app = addApp(world, slug, options?.id)
      const { id, installationId, bot } = app
      return { id, slug, installationId, login: bot.login, privateKey: () => keysOf(app).privateKey }
    },
    token(loginOrApp, options) {
      const app = world.apps.get(loginOrApp)
      return grantToken(world, app?.bot ?? accountOf(world, loginOrApp), { ...options, ...(app ? { app } : {}) }).text
    },
    revokeTokens(loginOrApp) {
      const account = world.apps.get(loginOrApp)?.bot ?? accountOf(world, loginOrApp)
      for (const token of world.tokens.values()) if (token.account === account) token.expiresAt = world.clock.now()
    },
    suspendUser(login) {
      accountOf(world, login).suspended = true
    },
    deleteUser(login) {
      accountOf(world, login).deleted = true
    },
  }
}

function resultPeople(world: World): Pick<Forge, 'setCheck' | 'setStatus' | 'addHook' | 'deliveries'> {
  return {
    setCheck(repo, sha, { name, app = 'github-actions', status = 'completed', conclusion }) {
      const ended = status === 'completed' ? (conclusion ?? 'success') : null
      postCheck(world, repositoryOf(world, repo), { app: addApp(world, app), sha, name, status, conclusion: ended })
    },
    setStatus(repo, sha, { context, state, creator }) {
      const status = { sha, context, state, description: null, targetUrl: null, creator: accountOf(world, creator) }
      postStatus(world, repositoryOf(world, repo), status)
    },
    addHook: (repo, hook) => addHook(world, repositoryOf(world, repo), hook).id,
    deliveries(repo, hookId) {
      const hooks = repositoryOf(world, repo).hooks.filter((hook: Hook) => hookId === undefined || hook.id === hookId)
      return hooks.flatMap((hook) => hook.deliveries)
    },
  }
}

type RunPeople = 'runs' | 'triggerCount' | 'liveRuns' | 'startRun' | 'finishRun' | 'rerun' | 'removeRun'

function runPeople(world: World): Pick<Forge, RunPeople> {
  // Removed runs did happen: they stay in the counts.
  const removed: WorkflowRun[] = []
  const visible = () => [...world.repositories.values()].flatMap((repository: Repository) => repository.runs)
  const all = () => [...visible(), ...removed]

  function runOf(id: number): WorkflowRun {
    const run = visible().find((each) => each.id === id)
    if (!run) throw new Error(`the forge has no run ${id}`)
    return run
  }

  return {
    runs: (repo) => repositoryOf(world, repo).runs,
    triggerCount: (jobId) => all().filter((run) => run.inputs['JOB_ID'] === jobId).length,
    liveRuns: (environment) =>
      all()
        .filter((run) => environment === undefined || run.inputs['ENV'] === environment)
        .flatMap((run) => run.attempts.map((attempt) => ({ ...idsOf(run), ...attempt }))),
    startRun: (id) => startByHand(world, runOf(id)),
    finishRun(id, conclusion) {
      const run = runOf(id)
      if (run.status === 'queued') startByHand(world, run)
      finishRun(world, run, conclusion)
    },
    rerun: (id) => newAttempt(world, runOf(id)),
    removeRun(id) {
      const run = runOf(id)
      run.repository.runs = run.repository.runs.filter((each) => each !== run)
      removed.push(run)
    },
  }
}

function idsOf(run: WorkflowRun) {
  const { inputs, repository } = run
  return { repo: repository.fullName, runId: run.id, jobId: inputs['JOB_ID'] ?? null, environment: inputs['ENV'] ?? null }
}

async function settle(world: World): Promise<void> {
  for (;;) {
    while (world.pending.size > 0) await Promise.all(world.pending)
    releaseHeldBack(world)
    if (world.pending.size === 0) return
  }
}
