import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { draven } from '../cli/run.ts'
import { type Jenkins, startJenkins } from '../sandbox/jenkins/jenkins.ts'
import type { EmulatedBuild, EmulatedJob, EmulatedParameter } from '../sandbox/jenkins/world.ts'
import { requestFile, SHOP_PROJECT } from '../scenarios/config-files.ts'
import { openScene, type Scene } from '../scenarios/scene.ts'
import { GATE, noCurl, pipelineFile, RUN, reachable } from './files.ts'

const JENKINSFILE = pipelineFile('Jenkinsfile')

/** What a first run of the Jenkinsfile teaches Jenkins. */
function declared(): EmulatedParameter[] {
  return [...JENKINSFILE.matchAll(/(string|password)\(name: '(\w+)'/g)].map(([, kind, name]) => ({
    name: name!,
    ...(kind === 'password' ? { password: true } : {}),
  }))
}

/** Runs the Jenkinsfile's one `sh` step as an agent does, with copies in the place of check-outs. */
function agentOf(jenkins: Jenkins, root: string, children: Set<ChildProcess>) {
  const step = /\bsh '([^']+)'/.exec(JENKINSFILE)?.[1] ?? 'false'
  return (build: EmulatedBuild, job: EmulatedJob) => {
    const workspace = join(root, String(build.number))
    for (const folder of ['pipeline/deploy', 'release/deploy']) mkdirSync(join(workspace, folder), { recursive: true })
    copyFileSync(GATE, join(workspace, 'pipeline/deploy/draven-gate.sh'))
    copyFileSync(RUN, join(workspace, 'release/deploy/run.sh'))
    const tag = `jenkins-${job.name.replaceAll('/', '-')}-${build.number}`
    const env = { PATH: process.env['PATH'], ...build.values, BUILD_TAG: tag }
    const child = spawn('sh', ['-xec', step], { cwd: join(workspace, 'release'), env, stdio: 'ignore' })
    children.add(child)
    child.on('exit', (code) => {
      children.delete(child)
      jenkins.end(build.queueId, code === 0 ? 'SUCCESS' : 'FAILURE')
    })
  }
}

describe.skipIf(noCurl)('the Jenkinsfile, with the gate, against a real controller', () => {
  let scene: Scene
  let jenkins: Jenkins
  let root: string
  const children = new Set<ChildProcess>()

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'draven-agent-'))
    const project = (url: string) =>
      SHOP_PROJECT.replace(
        '  provider: github\n',
        `  provider: jenkins\n  api_url: ${url}\n  credential_ref: env:DRAVEN_SECRET_JENKINS\n  callbacks: true\n  code: { provider: github }\n`,
      ).replaceAll('deploy.yml', 'shop/deploy')
    scene = await openScene({ idle: true })
    jenkins = await startJenkins({ clock: scene.clock })
    jenkins.job('shop/deploy', declared())
    jenkins.onStart(agentOf(jenkins, root, children))
    await scene.forge.commit('acme/deploy-config', 'main', { 'projects/shop/project.yaml': project(jenkins.url) }, { as: 'erin' })
    await reachable(scene.env)
    Object.assign(scene.env, {
      DRAVEN_SECRET_JENKINS: jenkins.account('draven'),
      DRAVEN_ALLOWED_ORIGINS: new URL(jenkins.url).origin,
    })
    await scene.begin()
  })
  afterAll(async () => {
    for (const child of children) child.kill()
    await scene.close()
    await jenkins.stop()
    rmSync(root, { recursive: true, force: true })
    expect(jenkins.complaints).toEqual([])
  })

  const items = (path: string) => jenkins.items().filter((item) => item.values['JOB_ID'] === scene.jobId(path))

  /** The request is merged and its item waits in the queue of Jenkins. */
  async function queued(path: string): Promise<number> {
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    await scene.eventually('an item in the queue', () => items(path).length > 0)
    return items(path)[0]!.id
  }

  it('declares all that a job with callbacks is told', () => {
    const names = declared().map(({ name }) => name)
    expect(names.sort()).toEqual(['CALLBACK_TOKEN', 'CALLBACK_URL', 'ENV', 'JOB_ID', 'REF', 'SHA', 'TYPE'])
  })

  it('asks before it acts, and is followed to its end', async () => {
    const path = 'requests/shop/stage/jenkins.yaml'
    const id = await queued(path)
    await scene.until(path, (job) => job.reason.code === 'run_queued')
    jenkins.build(id)
    const job = await scene.ended(path)
    expect(job).toMatchObject({ status: 'success', attempt: 1 })
    const { lines, runs } = (await scene.controller.store.views.job(job.id))!
    expect(runs).toMatchObject([{ provider: 'jenkins', externalId: String(id), claimedAt: expect.any(Number) }])
    expect(runs[0]!.url).toMatch(/\/job\/shop\/job\/deploy\/\d+\/console$/)
    expect(lines.map(({ text }) => text)).toContain(`[shop-stage] task deploy: ${job.pin!.sha}`)
  })

  it('starts no second build when the answer to the first was lost', async () => {
    jenkins.faults.add({ on: 'job/trigger', kind: 'accept_then_drop' })
    const path = 'requests/shop/stage/lost.yaml'
    jenkins.build(await queued(path))
    expect(await scene.ended(path)).toMatchObject({ status: 'success', attempt: 1 })
    expect(items(path)).toHaveLength(1)
  })

  it('does not act when somebody builds the same again', async () => {
    const path = 'requests/shop/stage/again.yaml'
    const id = await queued(path)
    jenkins.build(id)
    const job = await scene.ended(path)
    const again = jenkins.startByHand('shop/deploy', items(path)[0]!.values)
    const build = jenkins.build(again.id)
    await scene.eventually('the second build to end', () => build.endedAt !== null)
    expect(build.result).toBe('FAILURE')
    const { lines } = (await scene.controller.store.views.job(job.id))!
    expect(lines.filter(({ text }) => text.includes('task deploy'))).toHaveLength(1)
  })

  it('is found in order by the doctor, with the code beside it', async () => {
    const doctor = async (env: Record<string, string>) => (await draven(['doctor'], { clock: scene.clock, env })).stdout
    const told = await doctor(scene.env)
    expect(told).toMatch(/^ok {4}callbacks +of shop come to http/m)
    expect(told).toMatch(/^ok {4}access shop +acme\/shop by a token$/m)
    expect(told).toMatch(/^ok {4}access shop code +acme\/shop by an app/m)
    const { DRAVEN_PUBLIC_URL: _, ...unreachable } = scene.env
    jenkins.job('shop/deploy', declared().slice(1))
    expect(await doctor(unreachable)).toMatch(
      /^fail {2}callbacks +asked for by shop, whose jobs are refused\n +fix: Set DRAVEN_PUBLIC_URL/m,
    )
    expect(await doctor(scene.env)).toMatch(/^fail {2}access shop +.*missing: the parameters JOB_ID of shop\/deploy/m)
    jenkins.job('shop/deploy', declared())
  })

  it('is taken out of the queue when its request is withdrawn', async () => {
    const path = 'requests/shop/stage/withdrawn.yaml'
    const id = await queued(path)
    await scene.until(path, (job) => job.reason.code === 'run_queued')
    await scene.merge(await scene.propose({ [path]: null as unknown as string }))
    expect(await scene.ended(path)).toMatchObject({ status: 'canceled' })
    expect(jenkins.items().find((item) => item.id === id)).toMatchObject({ cancelled: true, build: null })
  })
})
