import { RESULTS, type Result } from '../../sandbox/jenkins/world.ts'
import type { PipelineClaims, PipelineHost } from '../conformance.ts'
import { openWire } from '../wire.ts'
import { DEPLOY, openJenkinsScene, PARAMETERS } from './jenkins-scene.ts'

const ENDS = {
  SUCCESS: 'success',
  UNSTABLE: 'failed',
  FAILURE: 'failed',
  NOT_BUILT: 'failed',
  ABORTED: 'canceled',
} as const satisfies Record<Result, string>

export const JENKINS_CLAIMS: PipelineClaims = {
  states: [['waiting', 'queued'], ['building', 'active'], ['building, UNSTABLE so far', 'active'], ...Object.entries(ENDS)],
  good: 'SUCCESS',
  bad: 'FAILURE',
}

export async function openJenkinsHost(): Promise<PipelineHost> {
  const scene = await openJenkinsScene()
  const { jenkins } = scene
  const wire = openWire(/\/buildWithParameters$/)
  jenkins.job('other', PARAMETERS)
  const pipeline = scene.connect(wire.fetch).connections.pipeline(scene.project())
  const calls = { trigger: 'job/trigger', list: 'queue/list', observe: 'queue/item', cancel: 'queue/cancel' }
  const of = (jobId: string) => jenkins.items().filter((item) => item.values['JOB_ID'] === jobId)
  return {
    pipeline,
    selector: { selector: DEPLOY, workflowRef: null },
    now: () => scene.clock.now(),
    pass: scene.clock.advance,
    wire,
    made: (jobId) => of(jobId).length,
    // What is declared and not given is empty.
    told: (jobId) => Object.fromEntries(Object.entries(of(jobId)[0]?.values ?? {}).filter(([, value]) => value !== '')),
    bring(id, word) {
      if (word === 'waiting') return
      const result = RESULTS.find((each) => each === word)
      if (result !== undefined) jenkins.end(Number(id), result)
      else jenkins.build(Number(id)).result = word === 'building' ? null : 'UNSTABLE'
    },
    link: /^http.*\/ci\/job\/shop\/job\/deploy\/$/,
    faults: {
      strike: (call, kind) => void jenkins.faults.add({ on: calls[call], kind }),
      lagOnce: (youngerThanMs = 10_000) => void jenkins.faults.add({ on: calls.list, kind: 'stale_list', youngerThanMs }),
    },
    rerun: null,
    async startForeign(trigger) {
      const outcome = await pipeline.start({ ...trigger, selector: { selector: 'other', workflowRef: null } })
      return outcome.kind === 'started' ? outcome.run.externalId : ''
    },
    remove(id) {
      jenkins.discard(DEPLOY, jenkins.build(Number(id)).number)
    },
    callbacks: true,
    check: scene.check,
    close: scene.close,
  }
}
