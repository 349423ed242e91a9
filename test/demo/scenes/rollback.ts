import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { productNamed } from '../config/repositories.ts'
import { factOf } from '../pull-view.ts'
import { approvals, expectStatus, isReady, lastLogLine, numbered, request, type Show, tellEnd } from '../show.ts'

const PATH = 'requests/shop/prod/2026-11-23-rollback.yaml'

/** Back to the last success before the present one, under the same policy as any deploy. */
export async function rollback(show: Show): Promise<void> {
  const { cast, tell } = show
  await tell.heading('7. A rollback is a request without a ref')
  await tell.note('Shop v1.4.2 makes trouble. Alice asks for what ran before, under the same policy:')
  const text = requestFile(null, { type: 'rollback', reason: 'Checkout errors since v1.4.2' })
  const { pull, view } = await request(show, 'alice', PATH, text, 'Roll shop back')
  await tell.say('DRAVEN', `finds the last success before: ${factOf(view.comment, 'from → to')}`)
  await approvals(show, pull, ['bob', 'carla'], isReady)
  await cast.merge(pull, 'alice')
  await tell.say('Alice', `merges ${numbered(show, pull)}`)
  const job = await cast.ended(PATH)
  expectStatus(job, 'success')
  const { released } = productNamed('shop')
  expectThat(lastLogLine(cast, job)?.includes(released) === true, `${released} to be back`, lastLogLine(cast, job))
  await tellEnd(show, job)
}
