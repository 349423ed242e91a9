import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import type { PipelineProvider, Trigger } from '../../controller/jobs/executor.ts'
import type { Project } from '../../controller/model/desired-state.ts'
import { commitSha, isCommitSha } from '../../controller/model/names.ts'
import type { ConnectedProviders } from '../../controller/providers/table.ts'
import { expectToBeRun } from '../named-tests.ts'
import { DOORS, HOOK, openDoors } from '../webhooks/doors.ts'
import { memoryInbox } from '../webhooks/intake.ts'
import { openBitbucketScene, SHOP } from './bitbucket/bitbucket-scene.ts'
import { SHA, trigger } from './fixtures.ts'
import { openGiteaScene } from './gitea/gitea-scene.ts'
import { openScene } from './github/forge-scene.ts'
import { openGitlabScene } from './gitlab/gitlab-scene.ts'
import { openReceiverScene } from './http-hook/receiver-scene.ts'
import { openJenkinsScene } from './jenkins/jenkins-scene.ts'
import { HERE, PROVIDERS, type Provider, type Shown, TRAPS } from './traps.ts'

const TESTS = join(import.meta.dirname, '..')

/** Where the promises of conformance.ts are asked of each provider, and under which name. */
const ASKED: Readonly<Record<Provider, readonly [name: string, file: string]>> = {
  github: ['GitHub', 'conformance.test.ts'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the name as it stands in the file
  gitlab: ['GitLab, told by ${mode}', 'conformance.test.ts'],
  bitbucket: ['Bitbucket that tells variables', 'bitbucket/conformance.test.ts'],
  gitea: ['Gitea', 'gitea/conformance.test.ts'],
  forgejo: ['Forgejo', 'gitea/conformance.test.ts'],
  jenkins: ['Jenkins', 'conformance.test.ts'],
  http: ['a receiver of webhooks', 'conformance.test.ts'],
  local: ['the local machine', 'conformance.test.ts'],
}

type Fetch = typeof globalThis.fetch
interface Scene {
  connect: (fetch: Fetch) => ConnectedProviders
  project(): Project
  /** A commit that is there, where only such a one can be pinned. */
  sha?: string
  check(): Promise<void>
  close(): Promise<void>
}

/** Everybody whose trigger is a call. */
const CALLED: Readonly<Record<Exclude<Provider, 'local'>, () => Promise<Scene>>> = {
  async github() {
    const scene = await openScene()
    return { ...scene, connect: (fetch) => scene.connect('token', { fetch }) }
  },
  gitlab: openGitlabScene,
  async bitbucket() {
    const scene = await openBitbucketScene()
    const sha = (await scene.forge.sha(SHOP, 'main')) ?? ''
    await scene.forge.createTag(SHOP, 'v1.4.2', sha, { as: 'acme', message: 'v1.4.2' })
    return { ...scene, sha }
  },
  gitea: () => openGiteaScene('gitea'),
  forgejo: () => openGiteaScene('forgejo'),
  jenkins: openJenkinsScene,
  http: openReceiverScene,
}

interface Call {
  url: URL
  body: string
  trigger: Trigger
}

/** The one POST for each kind of ref, as it leaves the adapter. */
async function triggers(provider: keyof typeof CALLED): Promise<readonly Call[]> {
  const scene = await CALLED[provider]()
  const calls: Call[] = []
  let current = trigger()
  const listening: Fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (init?.method === 'POST') calls.push({ url, body: String(init.body), trigger: current })
    return fetch(input, init)
  }
  const project = scene.project()
  const pipeline: PipelineProvider = scene.connect(listening).connections.pipeline(project)
  const sha = commitSha(scene.sha ?? SHA)
  const refs = [
    ['tag', 'v1.4.2'],
    ['branch', 'main'],
    ['sha', sha],
  ] as const
  try {
    for (const [index, [refType, ref]] of refs.entries()) {
      const jobId = `00000000-0000-5000-8000-00000000000${index}` as Trigger['jobId']
      const selector = project.integration.pipelines.get('prod')!
      current = trigger({ jobId, refType, ref, sha, selector })
      expect((await pipeline.start(current)).kind).toBe('started')
    }
    await scene.check()
  } finally {
    await scene.close()
  }
  expect(calls).toHaveLength(refs.length)
  return calls
}

/** What a call wants to be resolved; null where nothing is. */
function refIn({ body }: Call): string | null {
  const parsed = body.startsWith('{') ? (JSON.parse(body) as { inputs?: unknown; variables?: unknown; ref?: unknown }) : {}
  return (parsed.inputs ?? parsed.variables) !== undefined && typeof parsed.ref === 'string' ? parsed.ref : null
}

/** What is shown here, and by no test of a single provider. */
const DRIVES: Readonly<Record<number, () => Promise<void>>> = {
  async 3() {
    for (const provider of ['github', 'gitlab', 'gitea', 'forgejo'] as const)
      for (const call of await triggers(provider)) {
        expect(refIn(call), provider).toMatch(/^(?:refs\/heads\/)?main$/)
        expect(call.body, 'the commit is told').toContain(call.trigger.sha)
      }
    for (const { body, trigger } of await triggers('bitbucket')) {
      const { target } = JSON.parse(body) as { target: { ref_name?: string; commit: { hash: string } } }
      expect(target.commit.hash).toBe(trigger.sha)
      expect(isCommitSha(target.ref_name ?? '')).toBe(false)
    }
    for (const provider of ['jenkins', 'http'] as const)
      for (const { url, body, trigger } of await triggers(provider)) {
        expect(url.href).not.toContain(trigger.ref)
        expect(body).toContain(trigger.sha)
      }
  },
  async 11() {
    for (const short of ['a'.repeat(12), 'a'.repeat(7), 'a'.repeat(39)]) {
      expect(isCommitSha(short)).toBe(false)
      expect(() => commitSha(short)).toThrow('not a full commit id')
    }
  },
  async 16() {
    const inbox = memoryInbox()
    const clock = systemClock()
    const app = openDoors(inbox, clock)
    for (const door of DOORS) {
      const body = JSON.stringify(door.body)
      for (const event of ['star', 'issue_comment', 'pullrequest:comment_created', 'Note Hook', '']) {
        const headers = {
          'content-type': 'application/json',
          ...door.headers(body, door.secret, { event, id: HOOK, at: clock.now() }),
        }
        const { status } = await app.request(`/webhooks/${door.name}`, { method: 'POST', headers, body })
        expect([door.name, event, status]).toEqual([door.name, event, 202])
      }
    }
    expect(inbox.rows).toEqual([])
  },
  async 20() {
    for (const provider of Object.keys(CALLED) as (keyof typeof CALLED)[])
      for (const { url } of await triggers(provider)) {
        expect([url.username, url.password, url.hash]).toEqual(['', '', ''])
        expect(url.search).toMatch(/^(?:\?return_run_details=true)?$/)
      }
  },
}

function expectShown(shown: Shown, id: number, provider: Provider | null): void {
  if (typeof shown === 'string') {
    if (shown === HERE) expect(DRIVES[id], `trap ${id} is shown nowhere`).toBeDefined()
    else expect(shown.length, `trap ${id}: why not ${provider}?`).toBeGreaterThan(15)
    return
  }
  expect(shown.length).toBeGreaterThan(0)
  for (const [title, file] of shown) {
    expectToBeRun({ title, file: join(TESTS, file) })
    if (provider === null || !/^providers\/(?:conformance|one-run)\.ts$/.test(file)) continue
    const [name, asked] = ASKED[provider]
    expectToBeRun({ title: name, file: join(TESTS, 'providers', asked) })
  }
}

describe('what naive code falls into:', () => {
  it('has twenty traps, each with a word about every provider', () => {
    expect(TRAPS.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    for (const { of } of TRAPS) expect(Object.keys(of).toSorted()).toEqual([...PROVIDERS].toSorted())
  })

  it.each(TRAPS)('trap $id: $what', { timeout: 60_000 }, async ({ id, all, of }) => {
    if (all !== undefined) expectShown(all, id, null)
    for (const provider of PROVIDERS) expectShown(of[provider], id, provider)
    await DRIVES[id]?.()
  })
})
