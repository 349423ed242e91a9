import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { productNamed } from '../config/repositories.ts'
import { expectStatus, numbered, request, type Show, tellEnd } from '../show.ts'

const PATH = 'requests/docs/stage/2026-11-23-new-theme.yaml'
const BRANCH = 'feature/new-theme'

/** A pipeline that fails fails its job, and frees the environment for the next. */
export async function failingPipeline(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  await tell.heading('6. A pipeline fails: the reason is told, the lock is released')
  await tell.note('Emil’s branch has a bug, and the smoke test of its pipeline finds it.')
  await stage.build(productNamed('docs'), BRANCH, 'new-theme', 'GET / answers 500 Internal Server Error')
  const { pull } = await request(
    show,
    'emil',
    PATH,
    requestFile(`branch: ${BRANCH}`, { reason: 'Show the new theme' }),
    'Show the new theme',
  )
  await cast.merge(pull, 'emil')
  await tell.say('Emil', `merges ${numbered(show, pull)}`)
  const job = await cast.ended(PATH)
  expectStatus(job, 'failed')
  await tellEnd(show, job)

  const story = await stage.controller.store.views.job(job.id)
  const released = story?.audit.find((row) => row.action === 'lock_released')
  const lock = await cast.lockOf('docs/stage')
  expectThat(released !== undefined && lock === null, 'the lock to be released', { released, lock })
  await tell.say(
    'DRAVEN',
    `released the lock in the same transaction (audit row ${released.seq}: ${released.action}, fence ${released.data['fence']}); docs/stage is free`,
  )
}
