import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { productNamed } from '../config/repositories.ts'
import { expectStatus, isReady, numbered, request, type Show, tellChecks, tellEnd } from '../show.ts'

const PATH = 'requests/shop/stage/2026-11-21-checkout.yaml'
const BRANCH = 'feature/checkout-v2'

/** Nobody need approve a deploy to stage: the merge is enough. */
export async function stageDeploy(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  await tell.heading(`1. A deploy is a small file in a ${stage.forge.words.pull}`)
  await stage.build(productNamed('shop'), BRANCH, 'checkout-v2')
  await tell.note('Alice wants her branch on stage, where no approval is asked for. She adds one file:')
  const { pull, view } = await request(
    show,
    'alice',
    PATH,
    requestFile(`branch: ${BRANCH}`, { reason: 'Try the new checkout' }),
    'Try the new checkout',
  )
  expectThat(isReady(view), 'a green check on a stage request', view.gate)
  await tellChecks(show, view)
  await cast.merge(pull, 'alice')
  await tell.say('Alice', `merges ${numbered(show, pull)}: the file on main is now what she asks for`)
  const job = await cast.ended(PATH)
  expectStatus(job, 'success')
  await tellEnd(show, job)
}
