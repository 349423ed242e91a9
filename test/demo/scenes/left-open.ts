import type { Job } from '../../../controller/jobs/job.ts'
import { requestFile } from '../../scenarios/config-files.ts'
import { productNamed } from '../config/repositories.ts'
import type { Show } from '../show.ts'

interface Open {
  path: string
  text: string
  /** How it is left. */
  fits: (job: Job) => boolean
}

/** Leaves a job in each state that can last, so that the page shows them all: one pull request, four requests, Bob's approval. */
export async function leftOpen({ stage, cast, requests }: Show): Promise<number> {
  await stage.release(productNamed('shop'), 'v1.5.0')
  await stage.release(productNamed('docs'), 'v2.1.0')
  await cast.holdRollouts('billing', 'demo')
  const files = Object.fromEntries(OPEN.map(({ path, text }) => [path, text]))
  const { pull } = await cast.propose('emil', files, 'The next four')
  await cast.seen(pull, 'both checks', () => true)
  await cast.approve(pull, 'bob')
  await cast.merge(pull, 'emil')
  for (const { path, fits } of OPEN) {
    await cast.until(path, 'a job that is left open', fits)
    requests.push(path)
  }
  return pull
}

const OPEN: readonly Open[] = [
  {
    path: 'requests/billing/demo/2026-11-23-main-1.yaml',
    text: requestFile('branch: main', { reason: 'Show the dunning letters' }),
    fits: (job) => job.status === 'running' && job.reason.code === 'run_active',
  },
  {
    path: 'requests/billing/demo/2026-11-23-main-2.yaml',
    text: requestFile('branch: main', { reason: 'And once more with real data' }),
    fits: (job) => job.status === 'queued' && job.reason.code === 'lock_held',
  },
  {
    path: 'requests/docs/prod/2026-11-23-v2.1.0.yaml',
    text: requestFile('tag: v2.1.0', { reason: 'New handbook' }),
    fits: (job) => job.status === 'queued' && job.reason.code === 'window_closed',
  },
  {
    path: 'requests/shop/prod/2026-11-23-v1.5.0.yaml',
    text: requestFile('tag: v1.5.0', { reason: 'Checkout mended' }),
    fits: (job) => job.status === 'waiting_approval' && job.reason.text.startsWith('1 of 2'),
  },
]
