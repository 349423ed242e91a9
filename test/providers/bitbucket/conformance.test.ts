import type { Trigger } from '../../../controller/jobs/executor.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { PIPELINE_WORDS, type PipelineWord } from '../../sandbox/bitbucket/world.ts'
import { describePipelines, type PipelineHost } from '../conformance.ts'
import { openWire } from '../wire.ts'
import { openBitbucketScene, SHOP } from './bitbucket-scene.ts'

const STATES = [
  ['PENDING', 'queued'],
  ['PARSING', 'queued'],
  ['RUNNING', 'active'],
  ['PAUSED', 'blocked'],
  ['HALTED', 'blocked'],
  ['SUCCESSFUL', 'success'],
  ['FAILED', 'failed'],
  ['ERROR', 'failed'],
  ['STOPPED', 'canceled'],
  ['EXPIRED', 'failed'],
] as const satisfies readonly (readonly [PipelineWord, string])[]
type Unmapped = Exclude<PipelineWord, (typeof STATES)[number][0]>
/** Does not compile when the table above forgets one of the emulator's words. */
const allMapped: Unmapped extends never ? true : Unmapped = true

for (const variables of [true, false])
  describePipelines(
    variables ? 'Bitbucket that tells variables' : 'Bitbucket whose pipelines say whose they are',
    { states: allMapped ? STATES : [], good: 'SUCCESSFUL', bad: 'FAILED' },
    async (): Promise<PipelineHost> => {
      const scene = await openBitbucketScene()
      const { forge, clock } = scene
      forge.tell({ variables, claims: !variables })
      const wire = openWire(/\/pipelines\/?$/)
      const connected = scene.connect(wire.fetch).connections.pipeline(scene.project())
      const sha = commitSha((await forge.sha(SHOP, 'main')) ?? '')
      await forge.createTag(SHOP, 'v1.4.2', sha, { as: 'acme', message: 'v1.4.2' })
      const calls = { trigger: 'pipelines/create', list: 'pipelines/list', observe: 'pipelines/list', cancel: 'pipelines/cancel' }
      /** A commit that is not there cannot be pinned, so what the sentences say of one commit is said here of the tag's. */
      const here = (trigger: Trigger): Trigger => ({ ...trigger, sha })
      /** One list answers for all who look within a second: what a person does takes longer. */
      const later = () => clock.advance(2_000)
      return {
        pipeline: { ...connected, start: (trigger) => connected.start(here(trigger)) },
        selector: { selector: 'custom:deploy-prod', workflowRef: null },
        now: () => clock.now(),
        pass: clock.advance,
        wire,
        made: (jobId) => forge.triggerCount(jobId),
        told(jobId) {
          const told = forge.pipelines(SHOP).find(({ variables }) => variables['JOB_ID'] === jobId)?.variables ?? {}
          return told['SHA'] === sha ? { ...told, SHA: 'a'.repeat(40) } : told
        },
        bring(id, word) {
          later()
          forge.setPipeline(id, PIPELINE_WORDS.find((each) => each === word) ?? 'FAILED')
        },
        callbacks: true,
        link: /^http.*\/acme\/shop\/pipelines\/results\/\d+$/,
        faults: {
          strike(call, kind) {
            later()
            forge.faults.add({ on: calls[call], kind })
          },
          lagOnce: (youngerThanMs = 10_000) => void forge.faults.add({ on: calls.list, kind: 'stale_list', youngerThanMs }),
        },
        rerun(id) {
          later()
          forge.rerunPipeline(id)
        },
        async startForeign(trigger) {
          const outcome = await connected.start(here({ ...trigger, selector: { selector: 'custom:other', workflowRef: null } }))
          return outcome.kind === 'started' ? outcome.run.externalId : ''
        },
        remove(id) {
          later()
          forge.removePipeline(id)
        },
        check: scene.check,
        close: scene.close,
      }
    },
  )
