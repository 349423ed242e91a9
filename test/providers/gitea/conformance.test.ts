import { DEPLOY_WORKFLOW } from '../../sandbox/forge-fixture.ts'
import { RUN_STATES, type RunState, type Server } from '../../sandbox/gitea/world.ts'
import { describePipelines, type PipelineHost } from '../conformance.ts'
import { openWire } from '../wire.ts'
import { openGiteaScene, SHOP } from './gitea-scene.ts'

/** Words inside of the servers; what their APIs make of them is the emulator's part. */
const STATES = [
  ['waiting', 'queued'],
  ['blocked', 'queued'],
  ['running', 'active'],
  ['cancelling', 'active'],
  ['success', 'success'],
  ['failure', 'failed'],
  ['skipped', 'failed'],
  ['cancelled', 'canceled'],
] as const satisfies readonly (readonly [RunState, string])[]
type Unmapped = Exclude<RunState, (typeof STATES)[number][0]>
/** Does not compile when the table above forgets one of the emulator's states. */
const allMapped: Unmapped extends never ? true : Unmapped = true

const HOSTS = [
  ['Gitea', 'gitea'],
  ['Forgejo', 'forgejo'],
] as const satisfies readonly (readonly [string, Server])[]

for (const [name, server] of HOSTS) {
  describePipelines(
    name,
    { states: allMapped ? STATES : [], good: 'success', bad: 'failure', cancels: server === 'forgejo' },
    async (): Promise<PipelineHost> => {
      const scene = await openGiteaScene(server)
      const { forge } = scene
      const folder = `.${server}/workflows`
      const asksBack = DEPLOY_WORKFLOW.replace('jobs:', '      CALLBACK_URL: {}\n      CALLBACK_TOKEN: {}\njobs:')
      await forge.commit(
        SHOP,
        'main',
        { [`${folder}/other.yml`]: DEPLOY_WORKFLOW, [`${folder}/deploy.yml`]: asksBack },
        { as: 'acme' },
      )
      const wire = openWire(/\/dispatches$/)
      const pipeline = scene.connect(wire.fetch).connections.pipeline(scene.project())
      const calls = {
        trigger: 'actions/create-workflow-dispatch',
        list: 'actions/list-workflow-runs',
        observe: 'actions/get-workflow-run',
        cancel: 'actions/cancel-workflow-run',
      }
      return {
        pipeline,
        selector: { selector: 'deploy.yml', workflowRef: null },
        now: () => scene.clock.now(),
        pass: scene.clock.advance,
        wire,
        made: (jobId) => forge.triggerCount(jobId),
        told(jobId) {
          const inputs = forge.runs(SHOP).find(({ inputs }) => inputs['JOB_ID'] === jobId)?.inputs ?? {}
          // What is declared and not given is empty.
          return Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== ''))
        },
        callbacks: true,
        bring: (id, word) => forge.setRun(Number(id), RUN_STATES.find((state) => state === word) ?? 'failure'),
        link: /^http.*\/acme\/shop\/actions\/runs\/\d+$/,
        faults: {
          strike: (call, kind) => void forge.faults.add({ on: calls[call], kind }),
          lagOnce: (youngerThanMs = 10_000) => void forge.faults.add({ on: calls.list, kind: 'stale_list', youngerThanMs }),
        },
        rerun: (id) => forge.rerun(Number(id)),
        async startForeign(trigger) {
          const outcome = await pipeline.start({ ...trigger, selector: { selector: 'other.yml', workflowRef: null } })
          return outcome.kind === 'started' ? outcome.run.externalId : ''
        },
        remove: (id) => forge.removeRun(Number(id)),
        check: scene.check,
        close: scene.close,
      }
    },
  )
}
