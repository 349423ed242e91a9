import { mkdir } from 'node:fs/promises'
import type { Clock } from '../../../controller/clock.ts'
import { scriptProcesses } from '../actions/scripts.ts'
import { type Faults, faultTable } from '../faults.ts'
import { startPrograms } from '../git/programs.ts'
import { resolveCommit } from '../git/repository.ts'
import { OPERATION_IDS } from './api.ts'
import { type CodePeople, codePeople } from './code.ts'
import { openBitbucketContract } from './contract.ts'
import { addPipeline, type NewPipeline, type NewStatus, postStatus, rerun, setWord } from './pipelines.ts'
import { listen } from './server.ts'
import {
  addUser,
  type Pipeline,
  type PipelineWord,
  type PullRequest,
  pullOf,
  type Repository,
  repositoryOf,
  type Token,
  type User,
  userOf,
  uuidOf,
  type World,
} from './world.ts'

/** An emulated Bitbucket Cloud: REST and git on the loopback interface, and its people as functions. */
export interface Bitbucket extends CodePeople {
  /** Base URL of the REST API. */
  apiUrl: string
  gitUrl(repo: string): string
  faults: Faults
  /** True when calls and answers are checked against Bitbucket's description. */
  specChecked: boolean
  assertClean(): void
  /** API calls answered so far. */
  calls(): number
  /** Answers say from now on that so many calls an hour are allowed. Nothing here counts them. */
  sayLimit(calls: number): void
  /** Are variables of pipelines told, and do pipelines that are only emulated say at once whose they are? From now on. */
  tell(what: { variables?: boolean; claims?: boolean }): void

  user(nickname: string, more?: Partial<User>): User
  /** access: a token that stands for itself. api: the password of a person. */
  token(nickname: string, kind?: Token['kind'], scopes?: string): string
  repository(repo: string): Repository
  pull(repo: string, id: number): PullRequest
  sha(repo: string, revision: string): Promise<string | null>

  pipelines(repo: string): readonly Pipeline[]
  /** A pipeline that a push started, or anything else. */
  addPipeline(repo: string, added: AddedPipeline): Pipeline
  setPipeline(uuid: string, word: PipelineWord): void
  setStep(uuid: string, name: string, word: PipelineWord): void
  rerunPipeline(uuid: string): void
  removePipeline(uuid: string): void
  postStatus(repo: string, sha: string, status: NewStatus): void
  /** Pipelines ever created for a JOB_ID, in all repositories. */
  triggerCount(jobId: string): number

  addHook(repo: string, hook: { url: string; secret: string | null }): string
  settle(): Promise<void>
  close(): Promise<void>
}

export interface AddedPipeline {
  sha: string
  branch?: string
  tag?: string
  trigger?: Pipeline['trigger']
  type?: NewPipeline['target']['type']
  selector?: NewPipeline['target']['selector']
  by: string
  steps?: readonly string[]
}

export interface BitbucketOptions {
  clock: Clock
  /** Temporary folder for repositories; the caller removes it. */
  root: string
  /** instant: pipelines made by the API end well by themselves. process: their scripts are run. manual: they wait for `setPipeline`. */
  pipelines?: World['runs']
}

export async function startBitbucket({ clock, root, pipelines = 'manual' }: BitbucketOptions): Promise<Bitbucket> {
  await mkdir(root, { recursive: true })
  let lastId = 1_000
  const world: World = {
    clock,
    root,
    programs: startPrograms(),
    origin: '',
    users: new Map(),
    tokens: new Map(),
    repositories: new Map(),
    faults: faultTable(OPERATION_IDS),
    contract: openBitbucketContract(),
    pending: new Set(),
    runs: pipelines,
    scripts: scriptProcesses(),
    tellsVariables: false,
    claims: pipelines !== 'process',
    limit: null,
    calls: 0,
    nextId: () => ++lastId,
  }
  const server = await listen(world)
  world.origin = server.origin
  if (!world.contract.checked) console.warn('The emulated Bitbucket checks nothing against the API description: it is not there.')
  return {
    ...codePeople(world),
    ...pipelinePeople(world),
    apiUrl: `${server.origin}/2.0`,
    gitUrl: (repo) => `${server.origin}/${repo}.git`,
    faults: world.faults,
    specChecked: world.contract.checked,
    assertClean() {
      const lines = world.contract.violations.map(({ side, operation, detail }) => `${side} ${operation}: ${detail}`)
      if (lines.length > 0) throw new Error(`Against Bitbucket's description:\n${[...new Set(lines)].join('\n')}`)
    },
    calls: () => world.calls,
    sayLimit(calls) {
      world.limit = calls
    },
    tell({ variables = world.tellsVariables, claims = world.claims }) {
      Object.assign(world, { tellsVariables: variables, claims })
    },
    user: (nickname, more) => addUser(world, nickname, more),
    token(nickname, kind = 'access', scopes = 'repository:write pullrequest:write pipeline:write') {
      const text = `${kind === 'api' ? 'ATATT3x' : 'ATCTT3x'}${nickname}${String(world.tokens.size).padStart(24, '0')}`
      world.tokens.set(text, { text, kind, scopes, user: userOf(world, nickname) })
      return text
    },
    repository: (repo) => repositoryOf(world, repo),
    pull: (repo, id) => pullOf(repositoryOf(world, repo), id),
    sha: (repo, revision) => resolveCommit(repositoryOf(world, repo).git, revision),
    postStatus: (repo, sha, status) => void postStatus(world, repositoryOf(world, repo), sha, status),
    addHook(repo, { url, secret }) {
      const uuid = `{${uuidOf(`hook ${world.nextId()}`)}}`
      repositoryOf(world, repo).hooks.push({ uuid, url, secret, active: true, unsent: 0, queue: Promise.resolve() })
      return uuid
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

type PipelinePeople = Pick<
  Bitbucket,
  'pipelines' | 'addPipeline' | 'setPipeline' | 'setStep' | 'rerunPipeline' | 'removePipeline' | 'triggerCount'
>

function pipelinePeople(world: World): PipelinePeople {
  const removed: Pipeline[] = []
  const all = () =>
    [...world.repositories.values()].flatMap((repository) => repository.pipelines.map((pipeline) => ({ repository, pipeline })))
  function pipelineOf(uuid: string) {
    const found = all().find(({ pipeline }) => pipeline.uuid === uuid)
    if (!found) throw new Error(`the Bitbucket has no pipeline ${uuid}`)
    return found
  }
  return {
    pipelines: (repo) => repositoryOf(world, repo).pipelines,
    addPipeline(
      repo,
      { sha, branch = 'main', tag, trigger = 'push', type = 'pipeline_ref_target', selector, by, steps = ['build'] },
    ) {
      const ref = tag === undefined ? { refType: 'branch' as const, refName: branch } : { refType: 'tag' as const, refName: tag }
      const target = { type, ...ref, commit: sha, selector: selector ?? { type: 'default', pattern: null } }
      const named = steps.map((name) => ({ name, script: ['true'] }))
      return addPipeline(world, repositoryOf(world, repo), {
        target,
        trigger,
        variables: {},
        secured: new Set(),
        creator: userOf(world, by),
        steps: named,
      })
    },
    setPipeline(uuid, word) {
      const { repository, pipeline } = pipelineOf(uuid)
      setWord(world, repository, pipeline, word)
    },
    setStep(uuid, name, word) {
      const step = pipelineOf(uuid).pipeline.steps.find((each) => each.name === name)
      if (!step) throw new Error(`pipeline ${uuid} has no step ${name}`)
      step.word = word
    },
    rerunPipeline(uuid) {
      const { repository, pipeline } = pipelineOf(uuid)
      rerun(world, repository, pipeline)
    },
    removePipeline(uuid) {
      const { repository, pipeline } = pipelineOf(uuid)
      repository.pipelines = repository.pipelines.filter((each) => each !== pipeline)
      removed.push(pipeline)
    },
    triggerCount: (jobId) =>
      [...all().map(({ pipeline }) => pipeline), ...removed].filter(({ variables }) => variables['JOB_ID'] === jobId).length,
  }
}
