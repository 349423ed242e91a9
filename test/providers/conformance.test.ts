import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../controller/clock.ts'
import { localPipeline } from '../../controller/providers/local/pipeline.ts'
import { PIPELINE_STATES, type PipelineState } from '../sandbox/gitlab/world.ts'
import { CONCLUSIONS, type Conclusion } from '../sandbox/world.ts'
import { movedClock } from '../scenarios/scene.ts'
import { describePipelines, type PipelineHost } from './conformance.ts'
import { DEPLOY_WORKFLOW, openScene, SHOP } from './github/forge-scene.ts'
import { openGitlabScene } from './gitlab/gitlab-scene.ts'
import { openReceiverHost, RECEIVER_CLAIMS } from './http-hook/conformance-host.ts'
import { JENKINS_CLAIMS, openJenkinsHost } from './jenkins/conformance-host.ts'
import { compileSupervisor } from './local/compiled-supervisor.ts'
import { openWire } from './wire.ts'

describePipelines(
  'GitHub',
  {
    states: [
      ['queued', 'queued'],
      ['in_progress', 'active'],
      ['success', 'success'],
      ['failure', 'failed'],
      ['cancelled', 'canceled'],
      ['timed_out', 'timed_out'],
      ['skipped', 'failed'],
      ['neutral', 'failed'],
      ['action_required', 'blocked'],
    ],
    good: 'success',
    bad: 'failure',
  },
  async (): Promise<PipelineHost> => {
    const scene = await openScene()
    const { forge } = scene
    const [deploy, other] = ['.github/workflows/deploy.yml', '.github/workflows/other.yml']
    const asksBack = DEPLOY_WORKFLOW.replace('jobs:', '      CALLBACK_URL: {}\n      CALLBACK_TOKEN: {}\njobs:')
    await forge.commit(SHOP, 'main', { [other]: DEPLOY_WORKFLOW, [deploy]: asksBack }, { as: 'acme' })
    const wire = openWire(/\/dispatches$/)
    const pipeline = scene.connect('token', { fetch: wire.fetch }).connections.pipeline(scene.project())
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
        const inputs = forge.runs(SHOP).find((run) => run.inputs['JOB_ID'] === jobId)?.inputs ?? {}
        // What is declared and not given is empty.
        return Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== ''))
      },
      bring(id, word) {
        if (word === 'in_progress') forge.startRun(Number(id))
        else if ((CONCLUSIONS as readonly string[]).includes(word)) forge.finishRun(Number(id), word as Conclusion)
      },
      link: /^http.*\/actions\/runs\/\d+$/,
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
      callbacks: true,
      check: scene.check,
      close: scene.close,
    }
  },
)

const GITLAB_STATES = [
  ['created', 'queued'],
  ['waiting_for_resource', 'queued'],
  ['preparing', 'queued'],
  ['waiting_for_callback', 'queued'],
  ['pending', 'queued'],
  ['scheduled', 'queued'],
  ['running', 'active'],
  ['canceling', 'active'],
  ['manual', 'blocked'],
  ['success', 'success'],
  ['failed', 'failed'],
  ['skipped', 'failed'],
  ['canceled', 'canceled'],
] as const satisfies readonly (readonly [PipelineState, string])[]
type Unmapped = Exclude<PipelineState, (typeof GITLAB_STATES)[number][0]>
/** Does not compile when the table above forgets one of the emulator's states. */
const allMapped: Unmapped extends never ? true : Unmapped = true

for (const mode of ['variables', 'inputs'] as const) {
  describePipelines(
    `GitLab, told by ${mode}`,
    { states: allMapped ? GITLAB_STATES : [], good: 'success', bad: 'failed' },
    async (): Promise<PipelineHost> => {
      const scene = await openGitlabScene()
      const { forge } = scene
      const wire = openWire(/\/pipeline$/)
      const pipeline = scene.connect(wire.fetch).connections.pipeline(scene.project())
      const calls = { trigger: 'pipelines/create', list: 'pipelines/list', observe: 'pipelines/get', cancel: 'pipelines/cancel' }
      const workflowRef = mode === 'inputs' ? 'with-inputs' : null
      await forge.commit('acme/shop', 'elsewhere', { 'other.txt': 'x' }, { as: 'acme' })
      return {
        pipeline,
        selector: { selector: mode, workflowRef },
        now: () => scene.clock.now(),
        pass: scene.clock.advance,
        wire,
        made: (jobId) => forge.triggerCount(jobId),
        told(jobId) {
          const made = forge.pipelines('acme/shop').find((each) => jobId === (each.variables['JOB_ID'] ?? each.inputs['JOB_ID']))
          return { ...made?.variables, ...made?.inputs }
        },
        bring: (id, word) => forge.setPipeline(Number(id), PIPELINE_STATES.find((state) => state === word) ?? 'failed'),
        link: /^http.*\/acme\/shop\/-\/pipelines\/\d+$/,
        faults: {
          strike: (call, kind) => void forge.faults.add({ on: calls[call], kind }),
          lagOnce: (youngerThanMs = 10_000) => void forge.faults.add({ on: calls.list, kind: 'stale_list', youngerThanMs }),
        },
        rerun: (id) => forge.retryPipeline(Number(id)),
        async startForeign(trigger) {
          const outcome = await pipeline.start({ ...trigger, selector: { selector: 'variables', workflowRef: 'elsewhere' } })
          return outcome.kind === 'started' ? outcome.run.externalId : ''
        },
        remove: (id) => forge.removePipeline(Number(id)),
        callbacks: true,
        check: scene.check,
        close: scene.close,
      }
    },
  )
}

/** Says that it runs, and ends as it is told to. */
const OBEDIENT = `env | grep -E '^(JOB_ID|ENV|REF|TYPE|SHA|CALLBACK_URL|CALLBACK_TOKEN)=' >> "$JOB_ID.told"; echo >> "$JOB_ID.made"
while [ ! -e "$JOB_ID.end" ]; do sleep 0.05; done
exit "$(cat "$JOB_ID.end")"`

describePipelines(
  'the local machine',
  {
    states: [
      ['runs on', 'active'],
      ['0', 'success'],
      ['3', 'failed'],
    ],
    good: '0',
    bad: '3',
  },
  async (): Promise<PipelineHost> => {
    const supervisor = compileSupervisor()
    const folder = mkdtempSync(join(tmpdir(), 'draven-local-'))
    const text = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '')
    const clock = movedClock(Date.now())
    const argv = ['/bin/sh', '-c', OBEDIENT] as const
    const pipeline = localPipeline({
      commands: { deploy: { argv: [...argv], cwd: folder }, other: { argv: [...argv], cwd: folder } },
      dataDirectory: folder,
      supervisor: supervisor.program,
      clock,
      killGraceMs: 200,
    })
    const untold = new Set<string>()
    return {
      pipeline,
      selector: { selector: 'deploy', workflowRef: null },
      now: clock.now,
      pass(ms) {
        clock.advance(ms)
        return systemClock().sleep(100)
      },
      wire: null,
      made: (jobId) => text(`${jobId}.made`).length,
      async told(jobId) {
        // The process has just begun.
        while (text(`${jobId}.made`) === '') await new Promise((resolve) => setTimeout(resolve, 25))
        const lines = text(`${jobId}.told`).trimEnd().split('\n')
        return Object.fromEntries(lines.map((line) => line.split('=')))
      },
      bring(id, word) {
        if (word === 'runs on') untold.add(id)
        else writeFileSync(join(folder, `${id}.end`), word)
      },
      link: null,
      faults: null,
      rerun: null,
      startForeign: null,
      remove: (id) => {
        writeFileSync(join(folder, `${id}.end`), '0')
        rmSync(join(folder, 'local-runs', id), { recursive: true, force: true })
      },
      callbacks: true,
      async check() {
        for (const id of untold) writeFileSync(join(folder, `${id}.end`), '0')
        untold.clear()
      },
      async close() {
        // The last of them need a moment to see their end.
        await new Promise((resolve) => setTimeout(resolve, 300))
        for (const each of [supervisor.folder, folder]) rmSync(each, { recursive: true, force: true })
      },
    }
  },
)

describePipelines('a receiver of webhooks', RECEIVER_CLAIMS, openReceiverHost)

describePipelines('Jenkins', JENKINS_CLAIMS, openJenkinsHost)
