import { mkdir } from 'node:fs/promises'
import type { Clock } from '../../../controller/clock.ts'
import { scriptProcesses } from '../actions/scripts.ts'
import { type Faults, faultTable } from '../faults.ts'
import { startPrograms } from '../git/programs.ts'
import { resolveCommit } from '../git/repository.ts'
import { OPERATION_IDS } from './api.ts'
import { type CodePeople, codePeople } from './code.ts'
import { openGitlabContract } from './contract.ts'
import { type AddedPipeline, addPipeline, type NewStatus, postStatus, retry, setState } from './pipelines.ts'
import { listen } from './server.ts'
import { addUser, type Pipeline, type PipelineState, type Project, projectOf, type User, userOf, type World } from './world.ts'

/** An emulated GitLab without approval rules (as on Free): REST, GraphQL and git on the loopback interface, and its people as functions. */
export interface Gitlab extends CodePeople {
  /** Base URL of the REST API. */
  apiUrl: string
  gitUrl(repo: string): string
  faults: Faults
  /** True when names are checked against GitLab's description. */
  specChecked: boolean
  assertClean(): void

  user(username: string, more?: Partial<User>): User
  token(username: string): string
  project(repo: string): Project
  sha(repo: string, revision: string): Promise<string | null>

  pipelines(repo: string): readonly Pipeline[]
  /** A pipeline of the project's own CI, or of anything else. */
  addPipeline(repo: string, added: Omit<AddedPipeline, 'user'> & { by: string }): Pipeline
  setPipeline(id: number, state: PipelineState): void
  /** A single job of a pipeline. */
  setJob(id: number, name: string, state: PipelineState, allowFailure?: boolean): void
  retryPipeline(id: number): void
  removePipeline(id: number): void
  postStatus(repo: string, status: Omit<NewStatus, 'author'> & { by: string }): void
  /** Pipelines ever created for a JOB_ID, in all projects. */
  triggerCount(jobId: string): number

  addHook(repo: string, hook: { url: string; token?: string; signingToken?: string }): number
  settle(): Promise<void>
  close(): Promise<void>
}

export interface GitlabOptions {
  clock: Clock
  /** Temporary folder for repositories; the caller removes it. */
  root: string
  /** instant: pipelines made by the API end well by themselves. process: their scripts are run. manual: they wait for `setPipeline`. */
  pipelines?: World['runs']
}

export async function startGitlab({ clock, root, pipelines = 'manual' }: GitlabOptions): Promise<Gitlab> {
  await mkdir(root, { recursive: true })
  let lastId = 1_000
  const world: World = {
    clock,
    root,
    programs: startPrograms(),
    origin: '',
    users: new Map(),
    tokens: new Map(),
    projects: new Map(),
    faults: faultTable(OPERATION_IDS),
    contract: openGitlabContract(),
    pending: new Set(),
    runs: pipelines,
    scripts: scriptProcesses(),
    nextId: () => ++lastId,
  }
  const server = await listen(world)
  world.origin = server.origin
  if (!world.contract.checked) console.warn('The emulated GitLab checks no names against the API description: it is not there.')
  const removed: Pipeline[] = []
  const all = () =>
    [...world.projects.values()].flatMap((project) => project.pipelines.map((pipeline) => ({ project, pipeline })))

  function pipelineOf(id: number) {
    const found = all().find(({ pipeline }) => pipeline.id === id)
    if (!found) throw new Error(`the GitLab has no pipeline ${id}`)
    return found
  }

  return {
    ...codePeople(world),
    apiUrl: `${server.origin}/api/v4`,
    gitUrl: (repo) => `${server.origin}/${repo}.git`,
    faults: world.faults,
    specChecked: world.contract.checked,
    assertClean() {
      const { violations } = world.contract
      if (violations.length > 0) throw new Error(`Against GitLab's description:\n${[...new Set(violations)].join('\n')}`)
    },
    user: (username, more) => addUser(world, username, more),
    token(username) {
      const text = `glpat-${username}-${String(world.tokens.size).padStart(20, '0')}`
      world.tokens.set(text, userOf(world, username))
      return text
    },
    project: (repo) => projectOf(world, repo),
    sha: (repo, revision) => resolveCommit(projectOf(world, repo).git, revision),
    pipelines: (repo) => projectOf(world, repo).pipelines,
    addPipeline: (repo, { by, ...added }) => addPipeline(world, projectOf(world, repo), { ...added, user: userOf(world, by) }),
    setPipeline(id, state) {
      const { project, pipeline } = pipelineOf(id)
      setState(world, project, pipeline, state)
    },
    setJob(id, name, state, allowFailure = false) {
      const job = pipelineOf(id).pipeline.jobs.find((each) => each.name === name && !each.retried)
      if (!job) throw new Error(`pipeline ${id} has no job ${name}`)
      Object.assign(job, { status: state, allowFailure })
    },
    retryPipeline(id) {
      const { project, pipeline } = pipelineOf(id)
      retry(world, project, pipeline)
    },
    removePipeline(id) {
      const { project, pipeline } = pipelineOf(id)
      project.pipelines = project.pipelines.filter((each) => each !== pipeline)
      removed.push(pipeline)
    },
    postStatus: (repo, { by, ...status }) =>
      void postStatus(world, projectOf(world, repo), { ...status, author: userOf(world, by) }),
    triggerCount: (jobId) =>
      [...all().map(({ pipeline }) => pipeline), ...removed].filter(
        ({ variables, inputs }) => jobId === (variables['JOB_ID'] ?? inputs['JOB_ID']),
      ).length,
    addHook(repo, { url, token, signingToken }) {
      const id = world.nextId()
      projectOf(world, repo).hooks.push({
        id,
        url,
        token: token ?? null,
        signingToken: signingToken ?? null,
        failures: 0,
        disabledUntil: null,
        queue: Promise.resolve(),
      })
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
