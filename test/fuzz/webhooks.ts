import fc from 'fast-check'
import { deliver, intake, PULL_REQUEST, SECRETS, signature } from '../webhooks/intake.ts'
import { assert, type Campaign } from './campaign.ts'

const watched = fc.constantFrom(
  'pull_request',
  'pull_request_review',
  'push',
  'workflow_run',
  'check_run',
  'check_suite',
  'status',
  'create',
  'delete',
)

/** Bodies near to what is expected: right at some places, anything at others, cut or with a byte changed. */
const nearly = fc
  .record({
    action: fc.jsonValue({ maxDepth: 1 }),
    repository: fc.oneof(fc.constant({ full_name: 'acme/shop' }), fc.jsonValue({ maxDepth: 2 })),
    pull_request: fc.oneof(fc.record({ number: fc.jsonValue({ maxDepth: 0 }) }), fc.jsonValue({ maxDepth: 1 })),
    workflow_run: fc.oneof(fc.record({ id: fc.jsonValue({ maxDepth: 0 }) }), fc.jsonValue({ maxDepth: 1 })),
  })
  .map((value) => Buffer.from(JSON.stringify(value)))
const damaged = fc.tuple(nearly, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([bytes, at, byte]) => {
  const copy = Buffer.from(bytes)
  copy[at % copy.length] = byte
  return copy.subarray(0, at % 3 === 0 ? at % copy.length : copy.length)
})
const deep = fc.tuple(fc.constantFrom('[', '{"a":'), fc.nat(30_000)).map(([unit, times]) => Buffer.from(unit.repeat(times)))
const bodies = fc.oneof(
  { weight: 30, arbitrary: nearly },
  { weight: 30, arbitrary: damaged },
  { weight: 30, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: deep },
)

const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 40,
})
const headerChange = fc.tuple(
  fc.constantFrom(
    'content-type',
    'x-github-event',
    'x-github-hook-id',
    'x-github-delivery',
    'x-hub-signature-256',
    'content-length',
  ),
  fc.oneof(headerText, fc.constant(null), fc.constantFrom('-1', '1e9', 'sha256=', '0')),
)

interface Delivered {
  body: Buffer
  event: string
  changes: [string, string | null][]
  signed: boolean
}

/** Answers that the last attack saw, so that a test can tell whether all of them were reached. */
export const seenStatuses = new Map<number, number>()

export const webhooks: Campaign<Delivered> = {
  name: 'webhooks',
  holds: 'whatever arrives is answered without a throw or a 5xx, unsigned never accepted, and the route goes on working',
  nightly: 1_000_000,
  input: fc.record({
    body: bodies,
    event: watched,
    changes: fc.array(headerChange, { maxLength: 1 }),
    signed: fc.boolean(),
  }),
  async open() {
    const { app, inbox } = intake()
    seenStatuses.clear()
    return {
      async check({ body, event, changes, signed }) {
        const bytes = Uint8Array.from(body)
        const sign = signed ? signature(bytes, SECRETS.forge[0]!) : null
        const headers = { 'x-github-event': event, 'x-hub-signature-256': sign, ...Object.fromEntries(changes) }
        const { status } = await deliver(app, bytes, headers)
        seenStatuses.set(status, (seenStatuses.get(status) ?? 0) + 1)
        assert([202, 400, 401, 413, 415].includes(status), () => `answered ${status}`)
        assert(signed || status !== 202, () => 'accepted without a signature')
        // The memory behind the route is the test's, not the controller's.
        inbox.rows.length = 0
      },
      async close() {
        const { status } = await deliver(app, PULL_REQUEST, { 'x-github-delivery': 'the-last-one' })
        assert(status === 202 && inbox.rows.at(-1)?.deliveryId === '4711:the-last-one', () => `in the end answered ${status}`)
      },
    }
  },
}
