import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GIT_ENVIRONMENT } from '../git/repository.ts'
import { setWord } from './pipelines.ts'
import { ENDED, type Pipeline, type Repository, type Step, type World } from './world.ts'

/** Lets a pipeline that was just made go its way; `manual` ones wait to be told. */
export function begin(world: World, repository: Repository, pipeline: Pipeline): void {
  if (world.runs === 'manual') return
  const work = world.runs === 'instant' ? world.clock.sleep(0) : execute(world, repository, pipeline)
  const tracked: Promise<void> = work.then(() => {
    if (!ENDED.includes(pipeline.word)) setWord(world, repository, pipeline, 'SUCCESSFUL')
    world.pending.delete(tracked)
  })
  world.pending.add(tracked)
}

/** Really runs the steps' scripts, one after the other, in a clone of exactly the pipeline's commit. */
async function execute(world: World, repository: Repository, pipeline: Pipeline): Promise<void> {
  const folder = join(world.root, 'runs', pipeline.uuid.slice(1, -1))
  await mkdir(folder, { recursive: true })
  setWord(world, repository, pipeline, 'RUNNING')
  const clone = `git clone -q --no-checkout '${repository.git.path}' . && git checkout -q --detach ${pipeline.target.commit}`
  const bash = (text: string, env: NodeJS.ProcessEnv, onOutput: (text: string) => void) =>
    world.scripts.run(pipeline, { text: `set -o pipefail\n${text}`, cwd: folder, env, onOutput })
  let passed = await bash(clone, { ...GIT_ENVIRONMENT }, () => {})
  for (const step of pipeline.steps) {
    step.word = 'RUNNING'
    passed &&= await bash(step.script.join('\n'), environmentOf(world, repository, pipeline, step), (text) => {
      step.log += text
    })
    step.word = passed ? 'SUCCESSFUL' : 'FAILED'
  }
  await rm(folder, { recursive: true, force: true })
  if (!passed && !ENDED.includes(pipeline.word)) setWord(world, repository, pipeline, 'FAILED')
}

function environmentOf(
  world: World,
  { fullName }: Repository,
  { uuid, variables, number, run, target }: Pipeline,
  step: Step,
): Record<string, string> {
  const ref = target.refName ?? ''
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    CI: 'true',
    // Where Bitbucket's proxy listens differs with how a step is run, so the example can be told.
    PIPELINES_PROXY: world.origin,
    BITBUCKET_PIPELINE_UUID: uuid,
    BITBUCKET_STEP_UUID: step.uuid,
    BITBUCKET_STEP_RUN_NUMBER: String(run),
    BITBUCKET_BUILD_NUMBER: String(number),
    BITBUCKET_COMMIT: target.commit,
    BITBUCKET_REPO_FULL_NAME: fullName,
    ...(target.refType === 'branch' ? { BITBUCKET_BRANCH: ref } : {}),
    ...(target.refType === 'tag' ? { BITBUCKET_TAG: ref } : {}),
    ...variables,
  }
}
