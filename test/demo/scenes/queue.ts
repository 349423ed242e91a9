import type { Job } from '../../../controller/jobs/job.ts'
import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { productNamed } from '../config/repositories.ts'
import { checkLine, factOf } from '../pull-view.ts'
import { approvals, expectStatus, isReady, numbered, request, type Show, tellEnd } from '../show.ts'

const FIRST = 'requests/billing/prod/2026-11-23-v3.2.0.yaml'
const SECOND = 'requests/billing/prod/2026-11-23-v3.2.1.yaml'

/** One at a time: the second request for a busy environment gets a place in the queue. */
export async function queue(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  await tell.heading('3. One at a time: the second request queues')
  await tell.note('Emil releases billing, which takes a while, and has a hotfix ready before it is done.')
  const billing = productNamed('billing')
  await stage.release(billing, 'v3.2.0')
  await stage.release(billing, 'v3.2.1')
  await cast.holdRollouts('billing', 'prod')
  await ask(show, FIRST, 'v3.2.0', 'Dunning letters', ({ gate }) => gate.state === 'success')
  const running = await cast.until(FIRST, 'a running job', (job) => cast.runsOf(job).some((run) => run.state === 'running'))
  const lock = await cast.lockOf('billing/prod')
  expectThat(lock?.jobId === running.id, 'the first job to hold the lock', lock)
  await tell.say('DRAVEN', `${running.status}: job ${running.id} holds the lock of billing/prod, and its rollout takes a while`)

  const pull = await ask(show, SECOND, 'v3.2.1', 'Hotfix for rounding', ({ gate }) => gate.title.includes('queue'))
  const waiting = await cast.until(SECOND, 'a job that waits for the lock', (job) => job.reason.code === 'lock_held')
  const view = await cast.seen(
    pull,
    'its place in the queue',
    ({ comment }) => factOf(comment, 'queue') !== null && comment.includes(waiting.id),
  )
  const [place] = (factOf(view.comment, 'queue') ?? '').split(',')
  expectThat(place === '2nd', 'the second place in the queue', place)
  await tell.say('DRAVEN', `… ${waiting.status}, ${place} in the queue: ${waiting.reason.text}`)

  await cast.letRolloutsEnd('billing', 'prod')
  await tell.note('The first rollout comes to its end.')
  const jobs = [await cast.ended(FIRST), await cast.ended(SECOND)]
  for (const job of jobs) {
    expectStatus(job, 'success')
    await tellEnd(show, job)
  }
  await tell.say('DRAVEN', notOverlapping(show, jobs))
}

async function ask(
  show: Show,
  path: string,
  tag: string,
  reason: string,
  fits: Parameters<typeof approvals>[3],
): Promise<number> {
  const { cast, tell } = show
  const { pull, view } = await request(show, 'emil', path, requestFile(`tag: ${tag}`, { reason }), `Release billing ${tag}`)
  expectThat(!isReady(view), 'approvals to be asked for', checkLine('gate', view.gate))
  await approvals(show, pull, ['bob', 'dana'], fits)
  await cast.merge(pull, 'emil')
  await tell.say('Emil', `merges ${numbered(show, pull)}`)
  return pull
}

/** By the forge's own books. */
function notOverlapping({ cast }: Show, [first, second]: readonly Job[]): string {
  const ended = cast.runsOf(first!).at(-1)?.endedAt ?? Number.POSITIVE_INFINITY
  const began = cast.runsOf(second!)[0]?.createdAt ?? 0
  expectThat(ended <= began, 'the second run to begin after the first ended', { ended, began })
  return `the second run was triggered ${((began - ended) / 1000).toFixed(1)} s after the first had ended`
}
