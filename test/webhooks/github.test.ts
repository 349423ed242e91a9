import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { githubSender } from '../../controller/webhooks/github.ts'
import type { ConfigBranch } from '../../controller/webhooks/payload.ts'

const nudgeOf = (event: string, payload: unknown, config: ConfigBranch | null = null) =>
  githubSender.nudge(event, payload, config)
const config = { full_name: 'acme/config' }
const shop = { full_name: 'acme/shop' }
const aboutShop: Nudge = { kind: 'repository', repoFullName: 'acme/shop' }

const TABLE: readonly [event: string, payload: unknown, nudge: Nudge | null][] = [
  ['pull_request', { action: 'opened', repository: config, pull_request: { number: 7 } }, { kind: 'pull_request', number: 7 }],
  [
    'pull_request',
    { action: 'closed', repository: config, pull_request: { number: 7, merged: true } },
    { kind: 'pull_request', number: 7 },
  ],
  [
    'pull_request',
    { action: { odd: true }, repository: config, pull_request: { number: 7 } },
    { kind: 'pull_request', number: 7 },
  ],
  ['pull_request', { repository: config, pull_request: { number: '7' } }, null],
  ['pull_request', { repository: config, pull_request: { number: 0 } }, null],
  ['pull_request', { repository: config, pull_request: { number: 2 ** 31 } }, null],
  ['pull_request', { repository: config, number: 7 }, null],
  ['pull_request', { repository: shop, pull_request: { number: 7 } }, null],
  [
    'pull_request_review',
    { action: 'submitted', repository: config, pull_request: { number: 9 } },
    { kind: 'pull_request', number: 9 },
  ],
  ['push', { ref: 'refs/heads/main', repository: config }, { kind: 'config' }],
  ['push', { ref: 'refs/heads/request-7', repository: config }, null],
  ['push', { ref: 'refs/tags/main', repository: config }, null],
  ['delete', { ref: 'main', ref_type: 'branch', repository: config }, { kind: 'config' }],
  ['create', { ref: 'main', ref_type: 'tag', repository: config }, null],
  ['push', { ref: 'refs/heads/main', repository: { full_name: 'ACME/Config' } }, { kind: 'config' }],
  ['push', { ref: 'refs/heads/main', repository: shop }, aboutShop],
  ['create', { ref: 'v1.4.2', ref_type: 'tag', repository: shop }, aboutShop],
  ['delete', { ref: 'v1.4.2', ref_type: 'tag', repository: shop }, aboutShop],
  [
    'workflow_run',
    { action: 'completed', workflow_run: { id: 30433642 }, repository: shop },
    { kind: 'run', externalId: '30433642' },
  ],
  [
    'workflow_run',
    { workflow_run: { id: '9007199254740993' }, repository: shop },
    { kind: 'run', externalId: '9007199254740993' },
  ],
  // Rounded by the parser: the repository is looked at instead of somebody else's run.
  ['workflow_run', JSON.parse('{"workflow_run":{"id":9007199254740993},"repository":{"full_name":"acme/shop"}}'), aboutShop],
  ['workflow_run', { workflow_run: { id: -1 }, repository: shop }, aboutShop],
  ['workflow_run', { workflow_run: { id: '../../etc' }, repository: shop }, aboutShop],
  ['check_run', { action: 'completed', repository: shop }, aboutShop],
  ['check_suite', { action: 'completed', repository: shop }, aboutShop],
  ['status', { state: 'success', sha: 'x', repository: shop }, aboutShop],
  // Mostly our own checks coming back.
  ['check_run', { action: 'completed', repository: config }, null],
  ['status', { state: 'success', repository: config }, null],
  ['push', { repository: { full_name: 'acme/shop/../config' } }, null],
  ['push', { repository: { full_name: `${'a'.repeat(101)}/shop` } }, null],
  ['push', {}, null],
  ['push', null, null],
  ['push', 'text', null],
  ['ping', { zen: 'Keep it logically awesome.', repository: config }, null],
  ['star', { repository: config }, null],
  ['constructor', { repository: config }, null],
]

describe('what a GitHub delivery says to look at', () => {
  it.each(TABLE)('%s %j gives %j', (event, payload, nudge) => {
    expect(nudgeOf(event, payload, { fullName: 'acme/config', branch: 'main' })).toEqual(nudge)
  })

  it('stays general when the config repository is not known', () => {
    expect(nudgeOf('push', { repository: config })).toEqual({ kind: 'repository', repoFullName: 'acme/config' })
    expect(nudgeOf('pull_request', { repository: config, pull_request: { number: 7 } })).toEqual({
      kind: 'pull_request',
      number: 7,
    })
    expect(nudgeOf('check_run', { repository: config })).toEqual({ kind: 'repository', repoFullName: 'acme/config' })
  })

  it('reads nothing that was inherited', () => {
    const payload = Object.create({ repository: shop })
    expect(nudgeOf('push', payload)).toBeNull()
  })

  it('gives a bounded, printable name or nothing for whatever JSON arrives', () => {
    const events = fc.constantFrom('pull_request', 'pull_request_review', 'push', 'workflow_run', 'check_run', 'status', 'create')
    const payload = fc.record({
      repository: fc.oneof(fc.constant(shop), fc.jsonValue()),
      pull_request: fc.jsonValue(),
      workflow_run: fc.jsonValue(),
    })
    fc.assert(
      fc.property(events, fc.oneof(payload, fc.jsonValue()), (event, value) => {
        const nudge = nudgeOf(event, value)
        if (nudge !== null) expect(JSON.stringify(nudge)).toMatch(/^[\x20-\x7e]{1,300}$/)
      }),
      { numRuns: 2_000 },
    )
  })
})
