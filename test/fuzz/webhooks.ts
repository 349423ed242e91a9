import fc from 'fast-check'
import { systemClock } from '../../controller/clock.ts'
import { DOORS, type Door, HOOK, impersonation, openDoors } from '../webhooks/doors.ts'
import { memoryInbox } from '../webhooks/intake.ts'
import { assert, type Campaign, counted } from './campaign.ts'

const value = (maxDepth: number) => fc.jsonValue({ maxDepth, depthSize: 'xsmall' })
const named = (right: object) => fc.oneof(fc.constant(right), value(2))
const numbered = (key: string) => fc.oneof(fc.record({ [key]: value(0) }), value(1))

/** Bodies near to what any sender sends: right at some places, anything at others, cut or with a byte changed. */
const nearly = fc
  .record(
    {
      action: value(1),
      number: value(0),
      ref: fc.oneof(fc.constantFrom('refs/heads/main', 'refs/tags/v1', 'main'), value(1)),
      ref_type: fc.oneof(fc.constantFrom('branch', 'tag'), value(0)),
      repository: named({ full_name: 'acme/shop' }),
      project: named({ path_with_namespace: 'acme/team/shop' }),
      pull_request: numbered('number'),
      pullrequest: numbered('id'),
      object_attributes: fc.oneof(fc.record({ iid: value(0), id: value(0), source: fc.constantFrom('api', 'push') }), value(1)),
      workflow_run: fc.oneof(fc.record({ id: value(0), event: fc.constantFrom('workflow_dispatch', 'push') }), value(1)),
      run: fc.oneof(
        fc.record({ id: value(0), trigger_event: value(0), repository: named({ full_name: 'acme/shop' }) }),
        value(1),
      ),
      push: fc.oneof(
        fc.record({ changes: fc.oneof(fc.array(fc.record({ new: value(2), old: value(2) }), { maxLength: 3 }), value(1)) }),
        value(1),
      ),
    },
    { requiredKeys: [] },
  )
  .map((each) => Buffer.from(JSON.stringify(each)))
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
const SENT = { id: '6fd2e1f7-1a52-4a31-8f4e-2d4a4b1c9e77', at: 1_700_000_000_000 }
/** What some sender once wrote before, or instead of, a proof. */
const STUBS = ['', '-1', '1e9', 'sha256=', 'sha1=', 'v1,', '0', HOOK, '0'.repeat(64)]

interface Delivered {
  body: Buffer
  event: string
  changes: [string, string | null][]
  /** Signed by the door's own secret; not at all; or by every other sender's way of signing. */
  proof: 'own' | 'none' | 'foreign'
}

function webhooksOf(door: Door): Campaign<Delivered> {
  const own = Object.keys(door.headers('', door.secret, { ...SENT, event: door.events[0] }))
  const headerChange = fc.tuple(
    fc.constantFrom('content-type', 'content-length', ...own),
    fc.oneof(headerText, fc.constant(null), fc.constantFrom(...STUBS)),
  )
  return {
    name: `webhooks:${door.name}`,
    holds: 'whatever arrives is answered without a throw or a 5xx, unsigned never accepted, and the route goes on working',
    nightly: 1_000_000,
    input: fc.record({
      body: bodies,
      event: fc.constantFrom(...door.events),
      changes: fc.array(headerChange, { maxLength: 2 }),
      proof: fc.constantFrom('own', 'own', 'none', 'foreign'),
    }),
    async open() {
      const inbox = memoryInbox()
      const app = openDoors(inbox, { ...systemClock(), now: () => SENT.at })
      const answers = counted()
      async function deliver(body: Uint8Array<ArrayBuffer>, headers: Record<string, string | null>): Promise<number> {
        const all = Object.entries({ 'content-type': 'application/json', ...headers }).flatMap(([name, text]) =>
          text === null ? [] : [[name, text] as [string, string]],
        )
        return (await app.request(`/webhooks/${door.name}`, { method: 'POST', body, headers: Object.fromEntries(all) })).status
      }
      function provedBy(proof: Delivered['proof'], bytes: Uint8Array, event: string): Record<string, string> {
        const sent = { ...SENT, event }
        if (proof === 'foreign') return impersonation(door, bytes, sent)
        const all = Object.entries(door.headers(bytes, door.secret, sent))
        return Object.fromEntries(all.filter(([name]) => proof === 'own' || !door.proofs.includes(name)))
      }
      return {
        answers,
        async check({ body, event, changes, proof }) {
          const bytes = Uint8Array.from(body)
          const status = await deliver(bytes, { ...provedBy(proof, bytes, event), ...Object.fromEntries(changes) })
          answers.add(status)
          assert([202, 400, 401, 413, 415].includes(status), () => `answered ${status}`)
          assert(proof === 'own' || status !== 202, () => 'accepted without a signature')
          for (const { nudge } of inbox.rows)
            assert(/^[\x20-\x7e]{1,600}$/.test(JSON.stringify(nudge)), () => `kept ${JSON.stringify(nudge)}`)
          // The memory behind the route is the test's, not the controller's.
          inbox.rows.length = 0
        },
        async close() {
          const last = Uint8Array.from(Buffer.from(JSON.stringify(door.body)))
          const status = await deliver(last, provedBy('own', last, door.events[0]))
          assert(status === 202 && inbox.rows.length === 1, () => `in the end answered ${status}`)
        },
      }
    },
  }
}

export const webhooks = DOORS.map(webhooksOf)
