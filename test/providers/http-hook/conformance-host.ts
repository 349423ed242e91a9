import type { PipelineClaims, PipelineHost } from '../conformance.ts'
import { openWire } from '../wire.ts'
import { openReceiverScene } from './receiver-scene.ts'

export const RECEIVER_CLAIMS: PipelineClaims = {
  states: [
    ['queued', 'queued'],
    ['running', 'active'],
    ['waiting', 'blocked'],
    ['succeeded', 'success'],
    ['failed', 'failed'],
    ['canceled', 'canceled'],
    ['timed_out', 'timed_out'],
    ['rolling back', 'active'],
  ],
  good: 'succeeded',
  bad: 'failed',
}

/** As the agreed names have it, so that what a receiver is told can be compared with what any pipeline is. */
const NAMES: Readonly<Record<string, string>> = {
  job_id: 'JOB_ID',
  env: 'ENV',
  ref: 'REF',
  sha: 'SHA',
  type: 'TYPE',
  callback_url: 'CALLBACK_URL',
  callback_token: 'CALLBACK_TOKEN',
}

export async function openReceiverHost(): Promise<PipelineHost> {
  const scene = await openReceiverScene()
  const { receiver } = scene
  const wire = openWire(/./)
  const calls = { trigger: 'receiver/start', list: 'receiver/status', observe: 'receiver/status', cancel: 'receiver/stop' }
  return {
    pipeline: scene.connect(wire.fetch).connections.pipeline(scene.project()),
    selector: { selector: 'shop/deploy', workflowRef: null },
    now: () => scene.clock.now(),
    pass: scene.clock.advance,
    wire,
    made: (jobId) => receiver.runs(jobId).length,
    told(jobId) {
      const told = Object.entries(receiver.runs(jobId)[0]?.told ?? {})
      return Object.fromEntries(
        told.flatMap(([key, value]) => (NAMES[key] && value !== null ? [[NAMES[key], String(value)]] : [])),
      )
    },
    bring: (id, word) => receiver.bring(id, word),
    link: /^https:\/\/deploys\.acme\.example\//,
    faults: {
      strike: (call, kind) => void receiver.faults.add({ on: calls[call], kind }),
      lagOnce: (youngerThanMs = 10_000) => void receiver.faults.add({ on: calls.list, kind: 'stale_list', youngerThanMs }),
    },
    rerun: null,
    startForeign: null,
    remove: (id) => receiver.remove(id),
    callbacks: true,
    check: scene.check,
    close: scene.close,
  }
}
