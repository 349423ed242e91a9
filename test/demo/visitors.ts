import { systemClock } from '../../controller/clock.ts'
import { diffFiles, listRefs, mergeBase, resolveCommit } from '../sandbox/git/repository.ts'
import { firstName, type Login } from './config/files.ts'
import { CONFIG_REPO } from './config/repositories.ts'
import { checkLine } from './pull-view.ts'
import { numbered, type Show, tellEnd } from './show.ts'

export async function welcome({ stage, tell }: Show): Promise<void> {
  await tell.line()
  await tell.line(`DRAVEN: deploys are pull requests                  ${stage.controller.url}`)
  await tell.line()
  await tell.note(
    `Real: the controller, its SQLite file, git over HTTP, pipelines that run as shell scripts. Emulated: ${stage.forge.words.name}, on this machine. Moved: the clock. Not for production.`,
  )
}

export async function farewell({ stage, tell }: Show, fast: boolean): Promise<void> {
  await tell.line()
  await tell.line(`Status page: ${stage.controller.url}`)
  if (fast) return
  const clone = stage.forge.cloneUrl(CONFIG_REPO, 'alice')
  await tell.note('It stays up until Ctrl-C. Your turn, as Alice:')
  await tell.block(
    [
      `git clone ${clone} config && cd config`,
      'git switch -c demo/mine',
      'mkdir -p requests/shop/stage && cp requests/docs/stage/2026-11-17-develop.yaml requests/shop/stage/mine.yaml',
      'git add . && git commit -m "My first request" && git push origin demo/mine',
    ].join('\n'),
  )
  await tell.note(
    `A branch demo/… becomes a ${stage.forge.words.pull}; Bob and Carla approve it when it is sound, and Alice merges it.`,
  )
}

const LOOK_EVERY_MS = 1_000
/** Slower than in the story: the forge counts calls per hour, as GitHub does. Webhooks still make it quick. */
const OPEN_HOUSE_TIMING = { pollMs: 10_000, runPollMs: 10_000 }

/** Turns what visitors push into pull requests until somebody presses Ctrl-C. */
export async function openHouse(show: Show, signal: AbortSignal): Promise<void> {
  const { stage, tell } = show
  Object.assign(stage.controller.engine.timing, OPEN_HOUSE_TIMING)
  const git = stage.forge.git(CONFIG_REPO)
  const served = new Map<string, string>()
  while (!signal.aborted) {
    for (const [ref, sha] of await listRefs(git)) {
      if (!ref.startsWith('refs/heads/demo/') || served.get(ref) === sha) continue
      served.set(ref, sha)
      await receive(show, ref.slice('refs/heads/'.length)).catch((error: unknown) => {
        if (!signal.aborted) return tell.say('cast', `cannot go on with it: ${error instanceof Error ? error.message : error}`)
      })
    }
    await systemClock().sleep(LOOK_EVERY_MS, signal)
  }
}

/** One push of a visitor: a pull request, the checks, and if they are fine approvals and the merge. */
async function receive(show: Show, branch: string): Promise<void> {
  const { stage, cast, tell } = show
  const { forge } = stage
  const { words } = forge
  const pull = await forge.openPull(CONFIG_REPO, { head: branch, title: `Visitor: ${branch}`, author: 'alice' })
  await tell.line()
  await tell.say('you', `pushed ${branch}; it is ${words.pull} ${numbered(show, pull)} now`)
  const first = await cast.seen(pull, 'both checks', () => true)
  await tell.say('DRAVEN', checkLine('validate', first.validate))
  await tell.say('DRAVEN', checkLine('gate', first.gate))
  if (first.validate.state === 'failure' || first.gate.state === 'failure') {
    await cast.close(pull, 'bob')
    return tell.say('Bob', `${words.closes} ${numbered(show, pull)}: mend the file and push again`)
  }
  const { requests, rules } = await changesOn(show, branch)
  const approvers: readonly Login[] = rules ? ['bob', 'carla', 'fatima'] : ['bob', 'carla']
  await cast.approve(pull, ...approvers)
  for (const login of approvers) await tell.say(firstName(login), 'approves')
  await cast.merge(pull, 'alice')
  await tell.say('Alice', `merges ${numbered(show, pull)}`)
  for (const path of requests) {
    const job = await cast.until(path, 'a job', (found) => found.reason.code !== 'check_unavailable')
    if (job.status !== 'queued' && job.status !== 'waiting_approval') await tellEnd(show, await cast.ended(path))
    else await tell.say('DRAVEN', `… ${job.status}: ${job.reason.text}`)
  }
}

/** Request files that a branch brings, and whether it changes rules, which takes an admin. */
async function changesOn({ stage }: Show, branch: string): Promise<{ requests: readonly string[]; rules: boolean }> {
  const git = stage.forge.git(CONFIG_REPO)
  const head = await resolveCommit(git, `refs/heads/${branch}`)
  const base = head && (await mergeBase(git, 'refs/heads/main', head))
  const files = head && base ? await diffFiles(git, base, head) : []
  const requests = files.map((file) => file.path).filter((path) => path.startsWith('requests/'))
  return { requests, rules: requests.length < files.length }
}
