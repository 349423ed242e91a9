import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../../controller/errors.ts'
import { commitSha } from '../../../controller/model/names.ts'
import type { CheckAnnotation, CheckMessage, DeploymentMessage, PullRequestVoice } from '../../../controller/notify/publisher.ts'
import { COMMENT_MARKER } from '../../../controller/providers/github/comment.ts'
import { JOB } from '../fixtures.ts'
import { type ForgeReader, forgeReader } from './forge-reader.ts'
import { CONFIG, openScene, type Scene, SHOP } from './forge-scene.ts'

let scene: Scene
let read: ForgeReader
let pulls = 0
beforeAll(async () => {
  scene = await openScene()
  read = forgeReader(scene.forge)
})
afterEach(() => scene.check())
afterAll(() => scene.close())

function voice(kind: 'token' | 'app'): PullRequestVoice {
  const { configHost } = scene.connect(kind)
  if (configHost === null) throw new Error('no config host')
  return configHost.voice
}

async function opened() {
  const branch = `request-${++pulls}`
  const sha = commitSha(await scene.forge.commit(CONFIG, branch, { [`${branch}.yaml`]: 'x' }, { as: 'acme' }))
  return { sha, number: await scene.forge.openPull(CONFIG, { head: branch, author: 'acme' }) }
}

it('is told to try again when its installation token has ended, and to give up when a new one is refused', async () => {
  const { sha } = await opened()
  const speaker = voice('app')
  const id = await speaker.publishCheck(check(sha), null)
  scene.clock.advance(2 * MINUTE_MS)
  scene.forge.revokeTokens('draven')
  await expect(speaker.publishCheck(check(sha, { state: 'failure' }), id)).rejects.toThrow(TransientFault)
  expect(await speaker.publishCheck(check(sha, { state: 'failure' }), id)).toBe(id)
  scene.forge.revokeTokens('draven')
  await expect(speaker.publishCheck(check(sha), id)).rejects.toThrow(RefusedFault)
  expect(await speaker.publishCheck(check(sha), id)).toBe(id)
})

const annotation = (line: number): CheckAnnotation => ({
  path: 'requests/x.yaml',
  line,
  column: 3,
  endColumn: 9,
  severity: line % 2 === 0 ? 'error' : 'warning',
  title: 'DRV1203',
  message: `finding on line ${line}`,
})

function check(sha: CheckMessage['sha'], overrides: Partial<CheckMessage> = {}): CheckMessage {
  return {
    sha,
    name: 'draven/gate',
    state: 'pending',
    title: 'Waits for one approval',
    summary: '# Plan',
    annotations: [],
    detailsUrl: null,
    ...overrides,
  }
}

describe('checks by an app', () => {
  it('become one check run that follows the message, with or without the id it was given', async () => {
    const { sha } = await opened()
    const id = await voice('app').publishCheck(check(sha), null)
    const done = check(sha, { state: 'success', title: 'May run', detailsUrl: 'https://draven.acme.test/jobs/1' })
    expect(await voice('app').publishCheck(done, id)).toBe(id)
    // The id was lost, and the controller is a new process.
    expect(await voice('app').publishCheck(done, null)).toBe(id)
    expect(await read.checks(CONFIG, sha)).toMatchObject([
      {
        id: Number(id),
        name: 'draven/gate',
        status: 'completed',
        conclusion: 'success',
        details_url: 'https://draven.acme.test/jobs/1',
        output: { title: 'May run', summary: '# Plan' },
      },
    ])
  })

  it.each([
    ['pending', 'in_progress', null],
    ['success', 'completed', 'success'],
    ['failure', 'completed', 'failure'],
    ['canceled', 'completed', 'cancelled'],
  ] as const)('%s is %s with the conclusion %s', async (state, status, conclusion) => {
    const { sha } = await opened()
    await voice('app').publishCheck(check(sha, { state }), null)
    expect(await read.checks(CONFIG, sha)).toMatchObject([{ status, conclusion }])
  })

  it('go back to pending after an end', async () => {
    const { sha } = await opened()
    await voice('app').publishCheck(check(sha, { state: 'failure' }), null)
    await voice('app').publishCheck(check(sha), null)
    expect(await read.checks(CONFIG, sha)).toMatchObject([{ status: 'in_progress', conclusion: null }])
  })

  it('carry any number of annotations, once each, however often they are published', async () => {
    const { sha } = await opened()
    const message = check(sha, {
      name: 'draven/validate',
      state: 'failure',
      annotations: Array.from({ length: 120 }, (_, n) => annotation(n + 1)),
    })
    const id = await voice('app').publishCheck(message, null)
    for (const known of [id, null, 'nonsense']) expect(await voice('app').publishCheck(message, known)).toBe(id)
    expect(await read.checks(CONFIG, sha)).toMatchObject([{ output: { annotations_count: 120 } }])
  })

  it('take annotations back by a new check run of the same name', async () => {
    const { sha } = await opened()
    const bad = await voice('app').publishCheck(check(sha, { state: 'failure', annotations: [annotation(1)] }), null)
    const good = await voice('app').publishCheck(check(sha, { state: 'success' }), bad)
    expect(good).not.toBe(bad)
    expect(await read.checks(CONFIG, sha)).toMatchObject([
      { id: Number(good), conclusion: 'success', output: { annotations_count: 0 } },
    ])
  })

  it('are complete after a stumble between two batches', async () => {
    const { sha } = await opened()
    const message = check(sha, { state: 'failure', annotations: Array.from({ length: 60 }, (_, n) => annotation(n + 1)) })
    scene.forge.faults.add({ on: 'checks/update', kind: 'error_before' })
    await expect(voice('app').publishCheck(message, null)).rejects.toMatchObject({ name: 'TransientFault' })
    await voice('app').publishCheck(message, null)
    expect(await read.checks(CONFIG, sha)).toMatchObject([{ output: { annotations_count: 60 } }])
  })

  it('are cut to what GitHub takes', async () => {
    const { sha } = await opened()
    await voice('app').publishCheck(check(sha, { title: 't'.repeat(1_000), summary: '😀'.repeat(40_000) }), null)
    const [{ output } = { output: null }] = await read.checks(CONFIG, sha)
    expect(output?.title).toHaveLength(255)
    expect(output?.summary?.length).toBeLessThanOrEqual(65_535)
  })
})

describe('checks by a token', () => {
  it('become a commit status, written once for one message', async () => {
    const { sha } = await opened()
    const id = await voice('token').publishCheck(check(sha), null)
    expect(await voice('token').publishCheck(check(sha), id)).toBe(id)
    expect(await voice('token').publishCheck(check(sha), null)).toBe(id)
    const later = await voice('token').publishCheck(
      check(sha, { state: 'success', title: 'y'.repeat(300), detailsUrl: 'https://draven.acme.test/1' }),
      id,
    )
    expect(later).not.toBe(id)
    expect(await read.statuses(CONFIG, sha)).toMatchObject([
      {
        id: Number(later),
        context: 'draven/gate',
        state: 'success',
        description: `${'y'.repeat(139)}…`,
        target_url: 'https://draven.acme.test/1',
      },
    ])
  })

  it.each([
    ['pending', 'pending'],
    ['success', 'success'],
    ['failure', 'failure'],
    ['canceled', 'error'],
  ] as const)('%s is %s', async (state, shown) => {
    const { sha } = await opened()
    await voice('token').publishCheck(check(sha, { state }), null)
    expect(await read.statuses(CONFIG, sha)).toMatchObject([{ state: shown }])
  })
})

describe('the comment', () => {
  it.each(['token', 'app'] as const)('is one, edited in place by its id (%s)', async (kind) => {
    const { number } = await opened()
    const id = await voice(kind).upsertComment({ pullRequest: number, body: 'first' }, null)
    expect(await voice(kind).upsertComment({ pullRequest: number, body: 'second' }, id)).toBe(id)
    expect(await read.comments(CONFIG, number)).toMatchObject([{ id: Number(id), body: `${COMMENT_MARKER}\nsecond` }])
  })

  it.each(['token', 'app'] as const)('is found again by its marker when the id was lost (%s)', async (kind) => {
    const { number, sha } = await opened()
    const id = await voice(kind).upsertComment({ pullRequest: number, body: 'first' }, null)
    const restarted = voice(kind)
    // What a token is called is learnt from the status that goes with every comment.
    await restarted.publishCheck(check(sha), null)
    expect(await restarted.upsertComment({ pullRequest: number, body: 'second' }, null)).toBe(id)
    expect(await restarted.upsertComment({ pullRequest: number, body: 'second' }, '424242')).toBe(id)
    expect(await read.comments(CONFIG, number)).toHaveLength(1)
  })

  it('is found at once when the operator told whose token it is', async () => {
    const { number } = await opened()
    const first = await voice('token').upsertComment({ pullRequest: number, body: 'first' }, null)
    const named = scene.connect('token', { login: 'draven-service' }).configHost?.voice
    expect(await named?.upsertComment({ pullRequest: number, body: 'second' }, null)).toBe(first)
  })

  it.each(['token', 'app'] as const)("never takes somebody else's comment with our marker for its own (%s)", async (kind) => {
    const { number, sha } = await opened()
    await read.comment('acme', CONFIG, number, `${COMMENT_MARKER}\nAll approved!`)
    const talking = voice(kind)
    await talking.publishCheck(check(sha), null)
    await talking.upsertComment({ pullRequest: number, body: 'waits' }, null)
    expect((await read.comments(CONFIG, number)).map(({ body }) => body)).toEqual([
      `${COMMENT_MARKER}\nAll approved!`,
      `${COMMENT_MARKER}\nwaits`,
    ])
  })

  it('is found on the second page of a long conversation', async () => {
    const { number } = await opened()
    for (let n = 0; n < 100; n++) await read.comment('acme', CONFIG, number, `talk ${n}`)
    const id = await voice('app').upsertComment({ pullRequest: number, body: 'first' }, null)
    expect(await voice('app').upsertComment({ pullRequest: number, body: 'second' }, null)).toBe(id)
  })

  it('is cut to what GitHub takes', async () => {
    const { number } = await opened()
    await voice('app').upsertComment({ pullRequest: number, body: 'z'.repeat(100_000) }, null)
    expect((await read.comments(CONFIG, number))[0]?.body).toHaveLength(65_536)
  })
})

describe('the deployments list', () => {
  function message(overrides: Partial<DeploymentMessage>): DeploymentMessage {
    return {
      jobId: JOB,
      sha: commitSha('0'.repeat(40)),
      ref: 'v1.4.2',
      environment: 'prod',
      production: true,
      state: 'queued',
      description: 'deploy v1.4.2',
      logUrl: null,
      environmentUrl: null,
      ...overrides,
    }
  }

  it.each(['token', 'app'] as const)('shows one deployment that follows the job, and merges nothing (%s)', async (kind) => {
    const old = commitSha((await scene.forge.sha(SHOP, 'refs/heads/main')) ?? '')
    const head = await scene.forge.commit(SHOP, 'main', { [kind]: '1' }, { as: 'acme' })
    const mirror = scene.connect(kind).connections.deployments(scene.project())
    const id = await mirror?.mirror(message({ sha: old }), null)
    for (const state of ['in_progress', 'success', 'success'] as const) {
      const urls = { logUrl: 'https://ci.acme.test/1', environmentUrl: 'https://shop.acme.test' }
      expect(await mirror?.mirror(message({ sha: old, state, description: 'd'.repeat(200), ...urls }), id ?? null)).toBe(id)
    }
    expect(await scene.forge.sha(SHOP, 'refs/heads/main')).toBe(head)
    const anew = await mirror?.mirror(message({ sha: old, state: 'failure' }), '424242')
    expect(anew).not.toBe(id)
  })
})

describe('what the credentials may do', () => {
  it.each(['config', 'project'] as const)('an app with all rights misses nothing for %s', async (purpose) => {
    const report = await scene.connect('app').describeAccess(purpose === 'config' ? 'config' : scene.project())
    expect(report).toMatchObject({ provider: 'github', auth: 'app', missing: [], clockSkewMs: 0, rateLimit: { limit: 5_000 } })
    expect(report?.rateLimit?.remaining).toBeGreaterThan(0)
    expect(report?.rateLimit?.resetAt).toBeGreaterThan(scene.clock.now())
  })

  it('a token that cannot see the repository misses what it would need', async () => {
    scene.forge.addCollaborator(SHOP, 'draven-service', 'none')
    const report = await scene.connect('token').describeAccess(scene.project())
    scene.forge.addCollaborator(SHOP, 'draven-service', 'write')
    expect(report).toMatchObject({ auth: 'token', missing: ['actions: read (answered 404)', 'contents: read (answered 404)'] })
    expect(report?.notes.join()).toContain('fine-grained')
  })
})
