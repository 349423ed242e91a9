import fc from 'fast-check'
import type { CallbackMessage } from '../../controller/jobs/callback.ts'
import { silentLogger } from '../../controller/log.ts'
import { MAX_CALL_LINES, MAX_LINE_BYTES } from '../../controller/webhooks/callback-message.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import { assert, type Campaign, counted } from './campaign.ts'

const JOB = '3f2504e0-4f89-51d3-9a0c-0305e82c3301'
const TOKEN = `dcb_${'a'.repeat(43)}`
/** Spaces, controls, escapes, quotes, letters of several bytes, halves of pairs. */
const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 60 })

const line = fc.record({ stream: fc.oneof(fc.constantFrom('stdout', 'stderr'), fc.jsonValue({ maxDepth: 0 })), text })
const message = fc.record(
  {
    type: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('claim', 'progress', 'log', 'result') },
      fc.jsonValue({ maxDepth: 0 }),
    ),
    run: fc.oneof(text, fc.jsonValue({ maxDepth: 1 })),
    text: fc.oneof(text, fc.jsonValue({ maxDepth: 1 })),
    lines: fc.oneof(fc.array(line, { maxLength: 5 }), fc.jsonValue({ maxDepth: 2 })),
    result: fc.oneof(fc.constantFrom('succeeded', 'failed', 'canceled'), fc.jsonValue({ maxDepth: 0 })),
  },
  { requiredKeys: [] },
)
const bodies = fc.oneof(
  { weight: 30, arbitrary: message.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 10, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.nat(30_000).map((times) => Buffer.from('['.repeat(times))) },
  {
    weight: 1,
    arbitrary: fc.nat(3_000).map((times) => Buffer.from(JSON.stringify({ type: 'progress', text: 'é\u001b['.repeat(times) }))),
  },
)
const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 40,
})
const header = fc.tuple(
  fc.constantFrom(
    'content-type',
    'content-length',
    'x-gitlab-token',
    'x-hub-signature-256',
    'webhook-id',
    'x-forwarded-for',
    'cookie',
  ),
  fc.oneof(printable, fc.constantFrom(TOKEN, '-1', '1e9', '65537', '')),
)
const tokens = fc.oneof({ weight: 4, arbitrary: fc.constant(TOKEN) }, fc.constantFrom('', 'dcb_', `${TOKEN}a`, 'Bearer', '../..'))

export const callbacks: Campaign<{ body: Buffer; headers: [string, string][]; token: string; job: string }> = {
  name: 'callbacks',
  holds: 'whatever a pipeline says is answered without a throw or a 5xx, and only what has a form and a limit is heard',
  nightly: 1_000_000,
  input: fc.record({
    body: bodies,
    headers: fc.array(header, { maxLength: 2 }),
    token: tokens,
    job: fc.oneof({ weight: 4, arbitrary: fc.constant(JOB) }, fc.constantFrom(JOB.toUpperCase(), 'x', '..%2f..')),
  }),
  async open() {
    const heard: CallbackMessage[] = []
    const answers = counted()
    const app = callbackApp({
      log: silentLogger,
      async answer(_job, token, said) {
        heard.push(said)
        return { kind: token === TOKEN ? 'accepted' : 'unknown' }
      },
    })
    return {
      answers,
      async check({ body, headers, token, job }) {
        heard.length = 0
        const all = { authorization: `Bearer ${token}`, ...Object.fromEntries(headers) }
        const request = { method: 'POST', headers: all, body: Uint8Array.from(body) }
        const { status } = await app.request(`/callbacks/jobs/${job}`, request)
        answers.add(status)
        assert([200, 202, 400, 404, 413].includes(status), () => `answered ${status}`)
        assert(status > 299 || (token === TOKEN && job === JOB), () => `taken (${status}) from somebody else`)
        for (const said of heard) assertBounded(said)
      },
      close: async () => {},
    }
  },
}

function assertBounded(said: CallbackMessage): void {
  const texts = said.type === 'log' ? said.lines.map((one) => one.text) : 'text' in said && said.text !== null ? [said.text] : []
  assert(texts.length <= MAX_CALL_LINES, () => `${texts.length} lines in one call`)
  for (const each of texts) {
    assert(Buffer.byteLength(each) <= MAX_LINE_BYTES, () => `a line of ${Buffer.byteLength(each)} bytes`)
    assert(!/[\x00-\x08\x0a-\x1f\x7f]/.test(each), () => `a control character in ${JSON.stringify(each)}`)
  }
}
