import type { Job } from '../../controller/jobs/job.ts'
import { type Cast, expectThat } from './cast.ts'
import { firstName, type Login } from './config/files.ts'
import type { Narrator } from './narrator.ts'
import { checkLine, type PullView } from './pull-view.ts'
import type { Stage } from './stage.ts'

/** What a scene is played with. */
export interface Show {
  stage: Stage
  cast: Cast
  tell: Narrator
  /** Requests of the scenes, in the order in which they were made: the books are about these. */
  requests: string[]
}

/** Somebody adds one request file and opens a pull request; the file is shown, and DRAVEN's first answer is awaited. */
export async function request(
  show: Show,
  by: Login,
  path: string,
  text: string,
  title: string,
): Promise<{ pull: number; branch: string; view: PullView }> {
  const { stage, cast, tell } = show
  show.requests.push(path)
  await tell.file(path, text)
  const proposal = await cast.propose(by, { [path]: text }, title)
  await tell.say(firstName(by), `opens ${stage.forge.words.pull} ${numbered(show, proposal.pull)}, “${title}”`)
  return { ...proposal, view: await cast.seen(proposal.pull, 'both checks and a comment', () => true) }
}

/** `#5`, as the forge writes it. */
export function numbered({ stage }: Pick<Show, 'stage'>, pull: number): string {
  return `${stage.forge.words.sign}${pull}`
}

/** The two checks as the pull request shows them. */
export async function tellChecks({ stage, tell }: Show, { validate, gate }: PullView): Promise<void> {
  await tell.say('DRAVEN', checkLine('validate', validate))
  await tell.say('DRAVEN', checkLine('gate', gate))
  const { silence } = stage.forge.words
  if (gate.state === 'absent' && silence !== null) await tell.note(silence)
}

/** The end of a job in DRAVEN's own words, and the last word of its pipeline's log. */
export async function tellEnd({ cast, tell }: Show, job: Job): Promise<void> {
  const log = lastLogLine(cast, job)
  if (log !== null) await tell.say('pipeline', `“${log}”`)
  const mark = job.status === 'success' ? '✓' : '✗'
  await tell.say('DRAVEN', `${mark} ${job.status}: ${job.reason.text}`)
}

export function lastLogLine(cast: Cast, job: Job): string | null {
  const log = cast.runsOf(job).map((run) => run.log)
  return log.join('').trim().split('\n').at(-1) || null
}

/** Approvals as soon as they are counted: the gate of the pull request is `fits`. */
export async function approvals(
  show: Show,
  pull: number,
  by: readonly Login[],
  fits: (view: PullView) => boolean,
): Promise<void> {
  const { cast, tell } = show
  await cast.approve(pull, ...by)
  const view = await cast.seen(pull, `the approvals of ${by.join(' and ')} counted`, fits)
  for (const login of by) await tell.say(firstName(login), 'approves')
  await tell.say('DRAVEN', checkLine('gate', view.gate))
}

/** What the forge says to an approval that it refuses; null when it took it. */
export function refusalOf({ cast }: Show, pull: number, by: Login): Promise<string | null> {
  return cast.approve(pull, by).then(
    () => null,
    (error: Error) => error.message,
  )
}

export function isReady({ gate }: PullView): boolean {
  return gate.state === 'success'
}

export function expectStatus(job: Job, status: Job['status']): void {
  expectThat(job.status === status, `${job.requestPath} to be ${status}`, `${job.status}: ${job.reason.text}`)
}
