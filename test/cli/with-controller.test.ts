import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { gitRepository } from '../git-fixtures.ts'
import { requestFile } from '../scenarios/config-files.ts'
import { openScene, type Scene } from '../scenarios/scene.ts'
import { draven, type RunOptions } from './run.ts'

const STAGE = 'requests/shop/stage/2026-11-18-develop.yaml'
const DEMO = 'requests/shop/demo/2026-11-18-develop.yaml'
const PROD = 'requests/shop/prod/2026-11-18-v1.4.2.yaml'

let scene: Scene
let options: RunOptions
beforeAll(async () => {
  // Webhooks carry the news; slow polls keep a busy machine from calling the config stale.
  scene = await openScene({ pollMs: 3_000 })
  options = { clock: scene.clock, env: { DRAVEN_URL: scene.controller.url } }
  const stage = await scene.propose({ [STAGE]: requestFile('branch: develop'), [DEMO]: requestFile('branch: develop') })
  await scene.shown(stage)
  await scene.merge(stage)
  await scene.ended(STAGE)
  await scene.ended(DEMO)
  const prod = await scene.propose({ [PROD]: requestFile('tag: v1.4.2') })
  await scene.shown(prod)
  await scene.approve(prod, 'bob', 'mallory')
  await scene.merge(prod)
  await scene.until(PROD, (job) => job.status === 'waiting_approval' && job.approvals.length === 2)
})
afterAll(() => scene.close())

/** What differs from run to run: addresses, commits, job ids, and the seconds that the machine took. */
function settled(text: string): string {
  return text
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, 'http://forge')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<job>')
    .replace(/\bat [0-9a-f]{12}\b/g, 'at <commit>')
    .replace(/10:\d\d UTC/g, '10:00 UTC')
    .replace(/\d+ m?s ago/g, '1 s ago')
}

describe('draven explain', () => {
  it('says of a waiting job why, since when, for whom and what to do, with gates and reviews', async () => {
    const { code, stdout, stderr } = await draven(['explain', 'shop/prod'], options)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    await expect(settled(stdout)).toMatchFileSnapshot('../golden/cli/explain-waiting.txt')
  })

  it('says what is live where nothing waits', async () => {
    const { code, stdout } = await draven(['explain', 'shop/stage', '--url', scene.controller.url], { ...options, env: {} })
    expect(code).toBe(0)
    await expect(settled(stdout)).toMatchFileSnapshot('../golden/cli/explain-idle.txt')
  })

  it('says why the last job failed where nothing went live since', async () => {
    const { stdout } = await draven(['explain', 'shop/demo'], options)
    expect(stdout).toMatch(
      /^ {2}last {5}deploy of branch develop.*: failed, since .*: shop\/demo takes branch main or release\/\.\*, and branch develop does not match\.$/m,
    )
  })

  it('tells the facts as JSON', async () => {
    const { stdout } = await draven(['explain', 'shop/prod', '--json'], options)
    expect(JSON.parse(stdout)).toMatchObject({
      environment: { project: 'shop', environment: 'prod', lock: null },
      jobs: [{ job: { id: scene.jobId(PROD), reason: { code: 'approval_missing' } } }],
    })
  })

  it('exits with 2 for an environment that nobody knows, and names the likely one', async () => {
    expect(await draven(['explain', 'shop/prd'], options)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean `shop/prod`?'),
    })
    expect((await draven(['explain', 'shop'], options)).code).toBe(2)
    expect((await draven(['explain', 'shop/prod', '--url', 'ftp://x'], options)).code).toBe(2)
  })

  it('exits with 3 when no controller answers, and says how to start one', async () => {
    const { code, stderr } = await draven(['explain', 'shop/prod', '--url', 'http://127.0.0.1:1'], options)
    expect(code).toBe(3)
    expect(stderr).toMatch(/No controller answers at http:\/\/127\.0\.0\.1:1 \(.+\)\.\n {3}fix: Start one with `draven serve`/)
  })

  it.each([
    [421, '', 'DRAVEN_PUBLIC_URL'],
    [503, 'down', 'it answered 503'],
    [200, '<html>', 'does not answer like a controller'],
  ])('exits with 3 for an answer %i that is no controller’s', async (status, body, words) => {
    const fetch = async () => new Response(body, { status })
    const { code, stderr } = await draven(['explain', 'shop/prod'], { ...options, fetch })
    expect(code).toBe(3)
    expect(stderr).toContain(words)
  })
})

describe('draven plan with a controller', () => {
  it('shows its open jobs and what holds them', async () => {
    const { code, stdout } = await draven(['plan', '--url', scene.controller.url], options)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^2026-11-18-v1\.4\.2 {2}shop\/prod {4}tag v1\.4\.2 {2}waiting_approval {2}waits \(approval\): 1 of 2 approvals; carol, dave, erin or frank can approve\.$/m,
    )
  })

  it('reads the same from its data directory, also while it serves', async () => {
    const data = scene.env['DRAVEN_DATA_DIR']!
    const cwd = join(import.meta.dirname, '../../example-config')
    const { code, stdout } = await draven(['plan', '--data-dir', data, '--json'], { ...options, cwd })
    expect(code).toBe(0)
    const { ended, requests } = JSON.parse(stdout)
    expect(ended).toBe(2)
    expect(requests[0]).toMatchObject({ request: PROD, status: 'waiting_approval', gate: 'approval', verdict: 'wait' })
    // The files that the controller does not know are forecast beside it.
    expect(requests.filter(({ status }: { status: string }) => status === 'new')).toHaveLength(6)
  })
})

describe('draven doctor', () => {
  it('finds the set-up of a serving controller in order', async () => {
    const { code, stdout } = await draven(['doctor'], { clock: scene.clock, env: scene.env })
    expect(stdout).not.toMatch(/^fail/m)
    expect(code).toBe(0)
    for (const name of [
      'node',
      'git',
      'settings',
      'data directory',
      'database',
      'webhooks',
      'config',
      'access config',
      'access shop',
      'clock',
    ]) {
      expect(stdout).toMatch(new RegExp(`^ok {4}${name}\\b`, 'm'))
    }
    expect(stdout).toContain('journal WAL, synchronous FULL')
    expect(stdout).toMatch(/checks: 0 failed, \d+ warnings?\n$/)
    scene.forge.assertClean()
  })

  it('tells the same as JSON', async () => {
    const { stdout } = await draven(['doctor', '--json'], { clock: scene.clock, env: scene.env })
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      checks: expect.arrayContaining([expect.objectContaining({ name: 'config', status: 'ok' })]),
    })
  })

  it('asks for no webhook where the config repository is a directory, which is watched', async () => {
    const fixture = gitRepository()
    onTestFinished(() => fixture.remove())
    fixture.commit({ 'draven.yaml': 'apiVersion: draven/v1\nkind: ConfigRepository\nid: acme-deploys\n' })
    const env = { DRAVEN_CONFIG_DIR: fixture.directory, DRAVEN_DATA_DIR: join(fixture.directory, '.draven') }
    const { stdout } = await draven(['doctor'], { clock: scene.clock, env })
    expect(stdout).toMatch(/^ok {4}webhooks {16}not needed: the directory is watched$/m)
  })

  it('warns of polling alone and fails for a clock that is off, a secret that is not there and a forge that is not', async () => {
    const { DRAVEN_WEBHOOK_SECRET_REF: _, ...polling } = scene.env
    const ahead = { ...scene.clock, now: () => scene.clock.now() + 90_000 }
    const off = await draven(['doctor'], { clock: ahead, env: polling })
    expect(off.stdout).toMatch(/^warn {2}webhooks {16}polling only, every 20 s/m)
    expect(off.stdout).toMatch(/^fail {2}clock {19}(89|9\d) seconds ahead of the forge/m)
    expect(off.code).toBe(1)
    const { DRAVEN_SECRET_WEBHOOK: __, ...secretless } = scene.env
    const blind = {
      ...secretless,
      DRAVEN_GITHUB_API_URL: 'http://127.0.0.1:1',
      DRAVEN_CONFIG_REPO_URL: 'http://127.0.0.1:1/x.git',
    }
    const failing = await draven(['doctor'], { clock: scene.clock, env: blind })
    expect(failing.code).toBe(1)
    expect(failing.stdout).toMatch(
      /^fail {2}webhooks {16}The secret env:DRAVEN_SECRET_WEBHOOK is not set\.\n +fix: Set the environment variable/m,
    )
    expect(failing.stdout).toMatch(/^fail {2}config /m)
    expect(failing.stdout).toMatch(/^fail {2}access config /m)
  })

  it('says which setting is missing', async () => {
    const { code, stdout } = await draven(['doctor'], { env: {} })
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^fail {2}settings {16}Exactly one of DRAVEN_CONFIG_REPO_URL and DRAVEN_CONFIG_DIR is needed\.\n +fix: /m,
    )
  })

  it('never prints a secret', async () => {
    const { stdout, stderr } = await draven(['doctor', '--json'], { clock: scene.clock, env: scene.env })
    for (const [name, value] of Object.entries(scene.env)) {
      if (name.startsWith('DRAVEN_SECRET_')) expect(stdout + stderr).not.toContain(value.slice(0, 40))
    }
  })
})
