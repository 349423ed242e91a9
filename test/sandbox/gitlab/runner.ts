import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { GIT_ENVIRONMENT, readFileAt } from '../git/repository.ts'
import { CI_FILE, setState } from './pipelines.ts'
import { type Job, type Pipeline, type Project, stateOf, type World } from './world.ts'

/** Lets a pipeline that was just made go its way; `manual` ones wait to be told. */
export function begin(world: World, project: Project, pipeline: Pipeline): void {
  if (world.runs === 'manual') return
  const work = world.runs === 'instant' ? world.clock.sleep(0).then(() => true) : execute(world, project, pipeline)
  const tracked: Promise<void> = work.then((passed) => {
    if (isOpen(project, pipeline)) setState(world, project, pipeline, passed ? 'success' : 'failed')
    world.pending.delete(tracked)
  })
  world.pending.add(tracked)
}

/** Canceled in the meantime, nothing that the scripts did is told any more. */
function isOpen(project: Project, pipeline: Pipeline): boolean {
  return ['pending', 'running'].includes(stateOf(project, pipeline))
}

/** Really runs the jobs' scripts, one job after the other, in a checkout of the pipeline's commit. */
async function execute(world: World, project: Project, pipeline: Pipeline): Promise<boolean> {
  const folder = join(world.root, 'runs', String(pipeline.id))
  await mkdir(folder, { recursive: true })
  setState(world, project, pipeline, 'running')
  const checkout = `set -o pipefail\ngit --git-dir='${project.git.path}' archive ${pipeline.sha} | tar -x`
  let passed = await world.scripts.run(pipeline, { text: checkout, cwd: folder, env: { ...GIT_ENVIRONMENT }, onOutput() {} })
  for (const job of pipeline.jobs) {
    const text = (await scriptOf(project, pipeline, job)).join('\n')
    passed &&= await world.scripts.run(pipeline, {
      text: `set -o pipefail\n${text}`,
      cwd: folder,
      env: environmentOf(world, project, pipeline, job, folder),
      onOutput(output) {
        job.log += output
      },
    })
  }
  await rm(folder, { recursive: true, force: true })
  return passed
}

/** By the definition at the pipeline's own commit, with its inputs filled in. A header for inputs is a document of its own. */
async function scriptOf({ git }: Project, { sha, inputs }: Pipeline, { name }: Job): Promise<readonly string[]> {
  const file = (await readFileAt(git, sha, CI_FILE)) ?? ''
  const filled = file.replace(/\$\[\[ inputs\.(\w+) \]\]/g, (_, input: string) => inputs[input] ?? '')
  const documents = parseAllDocuments(filled)
  const definition = documents[documents.length - 1]?.toJS() as Record<string, { script?: unknown }> | undefined
  const script = definition?.[name]?.script
  return Array.isArray(script) ? script.map(String) : [String(script ?? '')]
}

/** GitLab's predefined variables, as far as anybody here asks for them, and those that the call brought. */
function environmentOf(
  world: World,
  { fullName, id: projectId }: Project,
  { id, ref, tag, sha, source, variables }: Pipeline,
  job: Job,
  folder: string,
): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    CI: 'true',
    GITLAB_CI: 'true',
    CI_SERVER_URL: world.origin,
    CI_PROJECT_DIR: folder,
    CI_PROJECT_ID: String(projectId),
    CI_PROJECT_PATH: fullName,
    CI_PIPELINE_ID: String(id),
    CI_PIPELINE_SOURCE: source,
    CI_JOB_ID: String(job.id),
    CI_JOB_NAME: job.name,
    CI_COMMIT_SHA: sha,
    CI_COMMIT_REF_NAME: ref,
    ...(tag ? { CI_COMMIT_TAG: ref } : { CI_COMMIT_BRANCH: ref }),
    ...variables,
  }
}
