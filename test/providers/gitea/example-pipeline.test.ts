import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openHttpServer } from '../../../controller/http-server.ts'
import type { CallbackMessage } from '../../../controller/jobs/callback.ts'
import type { PipelineProvider, Trigger } from '../../../controller/jobs/executor.ts'
import { silentLogger } from '../../../controller/log.ts'
import { commitSha, type JobId } from '../../../controller/model/names.ts'
import { callbackApp } from '../../../controller/webhooks/callbacks.ts'
import { ROOT } from '../../docs/documents.ts'
import { GATE, noCurl } from '../../pipelines/files.ts'
import { trigger } from '../fixtures.ts'
import { type GiteaScene, openGiteaScene, SHOP } from './gitea-scene.ts'

const WORKFLOW = readFileSync(join(ROOT, 'example-config/pipelines/gitea-deploy.yaml'), 'utf8')
const selector = { selector: 'deploy.yaml', workflowRef: null }
/** Says what it was told, and what it was part of. */
const RUN_SH = `for name in JOB_ID ENV REF SHA TYPE; do echo "$name=$(printenv "$name")"; done
echo "VERSION=$(cat VERSION)"
exit "$(cat END)"
`

describe.each(['gitea', 'forgejo'] as const)('the workflow to copy, on %s', (server) => {
  let scene: GiteaScene
  let pipeline: PipelineProvider
  let jobs = 0
  beforeAll(async () => {
    scene = await openGiteaScene(server, { runs: 'process' })
    await scene.forge.commit(SHOP, 'main', { [`.${server}/workflows/deploy.yaml`]: WORKFLOW }, { as: 'acme' })
    pipeline = scene.connect().connections.pipeline(scene.project())
  })
  afterEach(() => scene.check())
  afterAll(() => scene.close())

  async function version(text: string, end = '0') {
    return commitSha(await scene.forge.commit(SHOP, 'main', { VERSION: text, END: end, 'deploy/run.sh': RUN_SH }, { as: 'acme' }))
  }

  async function ran(overrides: Partial<Trigger>) {
    const jobId = `00000000-0000-5000-8000-${String(++jobs).padStart(12, '0')}` as JobId
    const wanted = trigger({ jobId, selector, intendedAt: scene.clock.now(), ...overrides })
    const outcome = await pipeline.start(wanted)
    scene.clock.advance(0)
    await scene.forge.settle()
    const [found] = await pipeline.find(wanted)
    expect(outcome).toMatchObject({ kind: 'started', run: { externalId: found?.externalId } })
    const run = scene.forge.runs(SHOP).find(({ id }) => String(id) === found?.externalId)!
    return { wanted, run, seen: await pipeline.observe({ externalId: String(run.id), selector }) }
  }

  it('runs deploy/run.sh of the approved commit with the five agreed names, and names the job', async () => {
    const sha = await version('approved')
    await version('later')
    const { wanted, run, seen } = await ran({ sha, ref: 'v1.4.2', environment: 'prod', type: 'rollback' })
    expect(seen).toMatchObject({ state: 'success', externalAttempt: 1 })
    expect(run.log.trim().split('\n')).toEqual([
      `JOB_ID=${wanted.jobId}`,
      'ENV=prod',
      'REF=v1.4.2',
      `SHA=${sha}`,
      'TYPE=rollback',
      'VERSION=approved',
    ])
    expect(run.title).toBe(`${wanted.jobId} rollback of v1.4.2 to prod`)
    expect(await pipeline.doubt(wanted)).toBeNull()
  })

  it.skipIf(noCurl)('asks before it acts where it is told whom, by the gate of the branch that defines it', async () => {
    const gate = { mode: '100755', content: readFileSync(GATE, 'utf8') } as const
    const heard: CallbackMessage[] = []
    const answer = async (_job: string, _token: string, message: CallbackMessage) => {
      heard.push(message)
      if (message.type !== 'claim' || message.sha === approved) return { kind: 'accepted' as const }
      return { kind: 'stop' as const, code: 'commit_mismatch' as const, reason: 'Another commit was approved.' }
    }
    const server = await openHttpServer(callbackApp({ answer, log: silentLogger }), { host: '127.0.0.1', port: 0 })
    onTestFinished(() => server.close())
    const asked = (jobId: string) => ({ url: `${server.url}/callbacks/jobs/${jobId}`, token: `dcb_${'a'.repeat(43)}` })
    const approved = await version('approved')
    await scene.forge.commit(SHOP, 'main', { 'deploy/draven-gate.sh': gate, VERSION: 'later' }, { as: 'acme' })
    const other = await version('another')

    const { run, seen } = await ran({ sha: approved, callback: asked('00000000-0000-5000-8000-00000000aaaa') })
    expect(seen).toMatchObject({ state: 'success' })
    expect(run.log).toContain('VERSION=approved\n')
    expect(heard.map(({ type }) => type)).toEqual(['claim', 'log', 'result'])
    expect(heard[0]).toEqual({ type: 'claim', run: `${run.id}/1`, sha: approved })

    const refused = await ran({ sha: other, callback: asked('00000000-0000-5000-8000-00000000bbbb') })
    expect(refused.seen).toMatchObject({ state: 'failed' })
    expect(refused.run.log).toContain('Another commit was approved.')
    expect(refused.run.log).not.toContain('VERSION=')
  })

  it('fails when the script does', async () => {
    const { seen } = await ran({ sha: await version('bad', '3') })
    expect(seen).toMatchObject({ state: 'failed' })
  })

  it('takes a ref for a name, never for a part of the script', async () => {
    const { run } = await ran({ sha: await version('quoted'), ref: 'feature/$(echo injected >&2)"; echo injected; "' })
    expect(run.log).toContain('REF=feature/$(echo injected >&2)"; echo injected; "\n')
    expect(run.log).not.toMatch(/^injected/m)
  })

  it('does nothing when it is told too little', async () => {
    const { run, seen } = await ran({ sha: await version('poor'), environment: '' })
    expect(seen).toMatchObject({ state: 'failed' })
    expect(run.log).not.toContain('VERSION=')
  })
})
