import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import type { JobStatus } from '../../controller/jobs/job.ts'
import { requestFile } from './config-files.ts'
import { openScene, release, type Scene } from './scene.ts'

/** Webhooks only save waiting: without any, the same jobs end the same way, each step later by one look at most. */
const POLL_MS = 4_000
const RUN_POLL_MS = 700
/** A machine with other work takes its time for a pass; less than a period, so that one that is missed shows. */
const SLACK_MS = 3_500

const STAGE = 'requests/shop/stage/develop.yaml'
const FAILING = 'requests/shop/stage/failing.yaml'
const FIRST = 'requests/shop/prod/v1.4.2.yaml'
const SECOND = 'requests/shop/prod/v1.5.0.yaml'
const BACK = 'requests/shop/prod/back.yaml'

interface Story {
  statuses: Record<string, `${JobStatus} ${string}`>
  /** From what people or the provider did to the job's next step, by the scene's clock. */
  lags: { what: string; ms: number; limitMs: number }[]
}

let withWebhooks: Story
let without: Story

beforeAll(async () => {
  withWebhooks = await play(true)
  without = await play(false)
}, 180_000)

describe('a controller that never gets a webhook', () => {
  it('brings every job to the end that it has with webhooks', () => {
    expect(without.statuses).toEqual(withWebhooks.statuses)
    expect(without.statuses).toEqual({
      [STAGE]: 'success run_succeeded',
      [FAILING]: 'failed run_failed',
      [FIRST]: 'success run_succeeded',
      [SECOND]: 'success run_succeeded',
      [BACK]: 'success run_succeeded',
    })
  })

  it('is later by at most one look at each step', () => {
    console.log(without.lags.map(({ what, ms, limitMs }) => `${what}: ${ms} ms of ${limitMs} + ${SLACK_MS}`).join('\n'))
    expect(without.lags.length).toBe(10)
    expect(without.lags.filter(({ ms, limitMs }) => ms > limitMs + SLACK_MS)).toEqual([])
  })
})

let scene: Scene | null = null
afterAll(() => scene?.close())

/** A deploy, one that fails, two approved after their merge, and the way back from the second to the first. */
async function play(webhooks: boolean): Promise<Story> {
  const played = await openScene({ webhooks, actions: 'manual', pollMs: POLL_MS, runPollMs: RUN_POLL_MS })
  scene = played
  const story: Story = { statuses: {}, lags: [] }
  await ask(played, story, STAGE, requestFile('branch: develop'))
  await ask(played, story, FAILING, requestFile('branch: develop'), { conclusion: 'failure' })
  await ask(played, story, FIRST, requestFile('tag: v1.4.2'), { approve: true })
  await release(played.forge, 'v1.5.0')
  await ask(played, story, SECOND, requestFile('tag: v1.5.0'), { approve: true })
  await ask(played, story, BACK, requestFile(null, { type: 'rollback' }), { approve: true })
  const shas = played.forge.runs('acme/shop').map((run) => run.inputs['SHA'])
  expect(shas.at(-1), 'the way back leads to the first release').toBe(shas.at(-3))
  expect(await played.controller.store.state.unit('test.locks', (tx) => tx.locks.all())).toEqual([])
  expect(await verifyChain(played.controller.store.auditRows())).toMatchObject({ ok: true })
  played.forge.assertClean()
  await played.close()
  scene = null
  return story
}

interface Asked {
  /** Two people approve after the merge. */
  approve?: boolean
  conclusion?: 'success' | 'failure'
}

async function ask(played: Scene, story: Story, path: string, file: string, asked: Asked = {}): Promise<void> {
  const { clock, forge } = played
  const pull = await played.propose({ [path]: file })
  await played.shown(pull)
  await played.merge(pull)
  let actedAt = clock.now()
  if (asked.approve) {
    await played.until(path, (job) => job.status === 'waiting_approval')
    await played.approve(pull, 'bob', 'carol')
    actedAt = clock.now()
  }
  const id = played.jobId(path)
  await played.eventually(`a run of ${path}`, () => forge.triggerCount(id) === 1)
  const run = forge.liveRuns().find((each) => each.jobId === id)!
  story.lags.push({ what: `${path}: from merge or approval to its run`, ms: run.createdAt - actedAt, limitMs: POLL_MS })

  await played.until(path, (job) => job.reason.code === 'run_queued' || job.reason.code === 'run_active')
  forge.finishRun(run.runId, asked.conclusion ?? 'success')
  const endedAt = clock.now()
  const job = await played.ended(path)
  story.lags.push({ what: `${path}: from the run's end to the job's`, ms: job.endedAt! - endedAt, limitMs: RUN_POLL_MS })
  story.statuses[path] = `${job.status} ${job.reason.code}`
  expect(forge.triggerCount(id)).toBe(1)
}
