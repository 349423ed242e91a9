import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { productNamed } from '../config/repositories.ts'
import { expectStatus, numbered, request, type Show, tellEnd } from '../show.ts'

const PATH = 'requests/billing/stage/2026-11-23-iban-check.yaml'
const BRANCH = 'feature/iban-check'

/** Webhooks only make it faster: polling alone is enough. */
export async function lostWebhook(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  const { forge } = stage
  await tell.heading('5. Webhooks get lost; polling finds out')
  await tell.note('DRAVEN hears of news by signed webhooks, but never depends on them.')
  await stage.build(productNamed('billing'), BRANCH, 'iban-check')
  const { pull } = await request(
    show,
    'alice',
    PATH,
    requestFile(`branch: ${BRANCH}`, { reason: 'Try the IBAN check' }),
    'Try the IBAN check',
  )
  await forge.settle()
  expectThat(stage.controller.engine.memory.health.lastWebhookAt !== null, 'a webhook to be believed', null)

  const mend = forge.faults.add({ on: 'hook/*', kind: 'lost', times: Number.POSITIVE_INFINITY })
  await tell.note('From now on the forge loses every delivery.')
  const lostBefore = forge.faults.count('lost')
  const merged = performance.now()
  await cast.merge(pull, 'alice')
  await cast.until(PATH, 'a job without any webhook', () => true)
  const seconds = ((performance.now() - merged) / 1000).toFixed(1)
  const job = await cast.ended(PATH)
  expectStatus(job, 'success')
  const lost = forge.faults.count('lost') - lostBefore
  expectThat(lost > 0, 'lost deliveries', lost)
  mend()
  await tell.say('Alice', `merges ${numbered(show, pull)}; the forge sends ${lost} webhooks, and none arrives`)
  await tell.say('DRAVEN', `sees the merge by polling ${seconds} s later, and follows the run by polling, too`)
  await tellEnd(show, job)
}
