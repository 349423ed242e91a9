import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { silentLogger } from '../../controller/log.ts'
import { type ConfigBranch, NOT_CONFIG } from '../../controller/webhooks/payload.ts'
import { webhookApp } from '../../controller/webhooks/routes.ts'
import { senderOf } from '../../controller/webhooks/senders.ts'
import { isSignedByGitea } from '../../controller/webhooks/signature.ts'
import { deliveryHeaders } from '../sandbox/gitea/hooks.ts'
import { memoryInbox } from './intake.ts'

const CONFIG: ConfigBranch = { fullName: 'acme/config', branch: 'main' }
const SECRET = 'the secret of this integration'

const config = { full_name: 'acme/config' }
const shop = { full_name: 'acme/shop' }
const aboutShop: Nudge = { kind: 'repository', repoFullName: 'acme/shop' }
const aboutRun: Nudge = { kind: 'run', externalId: '47' }
const pull = (number: unknown, repository: object = config) => ({ action: 'reviewed', number, repository })
const dispatched = (id: unknown) => ({ workflow_run: { id, event: 'workflow_dispatch' }, repository: shop })
/** Forgejo names the repository inside of the run only. */
const ended = (event: string, repository: object, id: unknown = 47) => ({ run: { id, trigger_event: event, repository } })

const TABLE: readonly [event: string, payload: unknown, nudge: Nudge | null][] = [
  ['pull_request', pull(7), { kind: 'pull_request', number: 7 }],
  ['pull_request', pull(7, { full_name: 'ACME/Config' }), { kind: 'pull_request', number: 7 }],
  ['pull_request_approved', pull(7), { kind: 'pull_request', number: 7 }],
  ['pull_request_rejected', pull(7), { kind: 'pull_request', number: 7 }],
  ['pull_request_comment', pull(7), { kind: 'pull_request', number: 7 }],
  ['pull_request', pull('7'), null],
  ['pull_request', pull(0), null],
  ['pull_request', pull(7, shop), null],
  ['workflow_run', dispatched(47), aboutRun],
  ['workflow_run', dispatched(2 ** 60), aboutShop],
  // The project's own CI: what it says about a commit may have changed.
  ['workflow_run', { workflow_run: { id: 47, event: 'push' }, repository: shop }, aboutShop],
  ['workflow_run', { workflow_run: { id: 47, event: 'push' }, repository: config }, null],
  ['action_run_success', ended('workflow_dispatch', shop), aboutRun],
  ['action_run_failure', ended('workflow_dispatch', shop), aboutRun],
  ['action_run_recover', ended('workflow_dispatch', shop, 'x'), aboutShop],
  ['action_run_success', ended('push', shop), aboutShop],
  ['action_run_success', ended('push', config), null],
  ['push', { ref: 'refs/heads/main', repository: config }, { kind: 'config' }],
  ['push', { ref: 'refs/heads/request-7', repository: config }, null],
  ['push', { ref: 'refs/tags/main', repository: config }, null],
  ['push', { repository: config }, null],
  ['push', { ref: 'refs/heads/main', repository: shop }, aboutShop],
  ['delete', { ref: 'main', ref_type: 'branch', repository: config }, { kind: 'config' }],
  ['create', { ref: 'main', ref_type: 'tag', repository: config }, null],
  ['create', { ref: 'v1.4.2', ref_type: 'tag', repository: shop }, aboutShop],
  ['status', { state: 'success', repository: shop }, aboutShop],
  ['status', { state: 'success', repository: config }, null],
  ['push', { ref: 'refs/heads/main' }, null],
  ['push', { repository: { full_name: 'a/b/c' } }, null],
  ['push', { repository: { full_name: 7 } }, null],
  ['issue_comment', { issue: { number: 7 }, repository: config }, null],
  ['workflow_job', { repository: shop }, null],
  ['constructor', { repository: config }, null],
]

describe.each(['gitea', 'forgejo'] as const)('a delivery of %s', (server) => {
  const sender = senderOf(server)!

  function intake(secrets: readonly string[] = [SECRET]) {
    const inbox = memoryInbox()
    const app = webhookApp({
      integrations: new Map([['shop', { sender, secrets: async () => secrets, configBranch: CONFIG }]]),
      inbox,
      clock: { ...systemClock(), now: () => 1_700_000_000_000 },
      log: silentLogger,
      onDelivery: () => {},
    })
    return {
      inbox,
      async deliver(headers: Record<string, string>, body = BODY) {
        const all = { 'content-type': 'application/json', ...headers }
        return (await app.request('/webhooks/shop', { method: 'POST', headers: all, body })).status
      },
    }
  }

  const BODY = JSON.stringify(pull(7))
  const ID = 'f6266f16-1bf3-46a5-9ea4-602e06ead473'
  /** What the server really sends, impersonations and all. */
  const sent = (secret: string | null) => deliveryHeaders(server, 'pull_request_approved', ID, BODY, secret)
  const own = `x-${server}-signature`
  const right = sent(SECRET)

  it.each(TABLE)('says to look: %s %j → %j', (event, payload, nudge) => {
    expect(sender.nudge(event, payload, CONFIG)).toEqual(nudge)
  })

  it('is about no pull request where the config repository is elsewhere', () => {
    expect(sender.nudge('pull_request', pull(7), NOT_CONFIG)).toBeNull()
    expect(sender.nudge('push', { ref: 'refs/heads/main', repository: shop }, NOT_CONFIG)).toEqual(aboutShop)
    expect(sender.nudge('push', { ref: 'refs/heads/main', repository: config }, null)).toEqual({
      kind: 'repository',
      repoFullName: 'acme/config',
    })
  })

  it('is never anything but a name, whatever arrives', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TABLE.map(([event]) => event)), fc.jsonValue(), (event, payload) => {
        const nudge = sender.nudge(event, payload, CONFIG)
        expect(nudge === null || typeof nudge.kind === 'string').toBe(true)
      }),
    )
  })

  it.each<[string, Record<string, string>]>([
    ['by no secret: every signature is there, and empty', sent(null)],
    ['by the empty secret, which everybody knows', sent('')],
    ["in GitHub's form", { ...right, [own]: right['x-hub-signature-256'] ?? '' }],
    ['one digit short', { ...right, [own]: (right[own] ?? '').slice(1) }],
    ['in capitals', { ...right, [own]: (right[own] ?? '').toUpperCase() }],
    ['with more after it', { ...right, [own]: `${right[own]} 0` }],
  ])('signed %s is refused', async (_what, headers) => {
    const { deliver, inbox } = intake()
    expect(await deliver(headers)).toBe(401)
    expect(inbox.rows).toHaveLength(0)
  })

  it.each(['x-hub-signature-256', 'x-gogs-signature', server === 'gitea' ? 'x-forgejo-signature' : 'x-gitea-signature'])(
    'that proves itself by %s alone is not believed: the servers it stands in for choose no verifier',
    async (name) => {
      const { deliver, inbox } = intake()
      const whole = { ...deliveryHeaders('forgejo', 'pull_request', ID, BODY, SECRET), [own]: '' }
      expect(whole[name]).not.toBe('')
      expect(await deliver(whole)).toBe(401)
      const { [own]: _, ...without } = whole
      expect(await deliver(without)).toBe(401)
      expect(inbox.rows).toEqual([])
    },
  )

  it('has no address without a secret, or with an empty one', async () => {
    expect(await intake([]).deliver(sent(null))).toBe(404)
    expect(await intake(['']).deliver(sent(''))).toBe(404)
    expect(isSignedByGitea(Buffer.from(BODY), sent('')[own], [''])).toBe(false)
    expect(isSignedByGitea(Buffer.from(BODY), undefined, [SECRET])).toBe(false)
  })

  it('names its event in its own header only', async () => {
    const { deliver, inbox } = intake()
    await deliver({ ...right, 'x-github-event': 'push', 'x-gogs-event': 'push' })
    expect(inbox.rows).toMatchObject([{ event: 'pull_request_approved', nudge: { kind: 'pull_request', number: 7 } }])
    const { [`x-${server}-event`]: _, ...nameless } = right
    expect(await deliver(nameless)).toBe(202)
    expect(inbox.rows).toHaveLength(1)
  })

  it('that repeats itself is kept once, one that was sent again by hand counts anew, and one without a name is refused', async () => {
    const { deliver, inbox } = intake()
    expect([await deliver(right), await deliver(right)]).toEqual([202, 202])
    expect(inbox.rows).toMatchObject([{ deliveryId: ID }])
    expect(await deliver({ ...right, [`x-${server}-delivery`]: 'a0266f16-1bf3-46a5-9ea4-602e06ead474' })).toBe(202)
    expect(inbox.rows).toHaveLength(2)
    expect(await deliver({ ...right, [`x-${server}-delivery`]: '' })).toBe(400)
    const { [`x-${server}-delivery`]: _, ...nameless } = right
    expect(await deliver(nameless)).toBe(400)
  })

  it('as a form is refused: there the signature covers other bytes than the body', async () => {
    const form = { ...right, 'content-type': 'application/x-www-form-urlencoded' }
    expect(await intake().deliver(form, `payload=${encodeURIComponent(BODY)}`)).toBe(415)
  })
})
