import { describe, expect, it } from 'vitest'
import type { CallbackAnswer, CallbackMessage } from '../../controller/jobs/callback.ts'
import { silentLogger } from '../../controller/log.ts'
import { commitSha } from '../../controller/model/names.ts'
import { MAX_CALL_LINES, MAX_LINE_BYTES } from '../../controller/webhooks/callback-message.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'

const JOB = '3f2504e0-4f89-51d3-9a0c-0305e82c3301'
const TOKEN = `dcb_${'a'.repeat(43)}`

function door(answer: CallbackAnswer | Promise<CallbackAnswer> | Error = { kind: 'accepted' }, maxInFlight = 100) {
  const heard: [string, string, CallbackMessage][] = []
  const app = callbackApp({
    maxInFlight,
    log: silentLogger,
    async answer(...said) {
      heard.push(said)
      if (answer instanceof Error) throw answer
      return answer
    },
  })
  return { app, heard }
}

function say(
  app: ReturnType<typeof callbackApp>,
  body: unknown,
  { token = TOKEN, job = JOB }: { token?: string; job?: string } = {},
) {
  return app.request(`/callbacks/jobs/${job}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

const claim = { type: 'claim', run: 'build 7' }
const [SHA, LONG_SHA] = [commitSha('a'.repeat(40)), commitSha('0'.repeat(64))]

describe('what a pipeline says', () => {
  const good: [unknown, CallbackMessage, number][] = [
    [claim, { type: 'claim', run: 'build 7', sha: null }, 200],
    [{ ...claim, sha: null }, { type: 'claim', run: 'build 7', sha: null }, 200],
    [{ ...claim, sha: SHA }, { type: 'claim', run: 'build 7', sha: SHA }, 200],
    [{ ...claim, sha: LONG_SHA }, { type: 'claim', run: 'build 7', sha: LONG_SHA }, 200],
    [{ type: 'progress', text: 'half way' }, { type: 'progress', run: null, text: 'half way' }, 202],
    [
      { type: 'log', run: 'build 7', lines: [{ stream: 'stderr', text: 'oh' }], later: true },
      { type: 'log', run: 'build 7', lines: [{ stream: 'stderr', text: 'oh' }] },
      202,
    ],
    [{ type: 'log', run: null, lines: [] }, { type: 'log', run: null, lines: [] }, 202],
    [
      { type: 'log', run: 'x'.repeat(200), lines: Array(MAX_CALL_LINES).fill({ stream: 'stdout', text: '' }) },
      { type: 'log', run: 'x'.repeat(200), lines: Array(MAX_CALL_LINES).fill({ stream: 'stdout', text: '' }) },
      202,
    ],
    [{ type: 'result', result: 'failed', text: 'exit 3' }, { type: 'result', run: null, result: 'failed', text: 'exit 3' }, 202],
    [{ type: 'result', result: 'canceled' }, { type: 'result', run: null, result: 'canceled', text: null }, 202],
    [{ type: 'result', result: 'succeeded', text: '' }, { type: 'result', run: null, result: 'succeeded', text: null }, 202],
  ]
  it.each(good)('%j is understood and taken', async (body, message, status) => {
    const { app, heard } = door()
    const answer = await say(app, body)
    expect(answer.status).toBe(status)
    expect(heard).toEqual([[JOB, TOKEN, message]])
    expect(await answer.json()).toEqual(status === 200 ? { go: true } : { accepted: true })
  })

  const bad: [unknown, string][] = [
    ['{', 'malformed JSON'],
    ['[]', 'type must be'],
    ['null', 'type must be'],
    [{ type: 'claim' }, 'must name its run'],
    [{ type: 'claim', run: '' }, 'run must be'],
    [{ type: 'claim', run: 7 }, 'run must be'],
    [{ type: 'claim', run: ['build 7'] }, 'run must be'],
    [{ type: 'claim', run: 'a\nb' }, 'run must be'],
    [{ type: 'claim', run: 'x'.repeat(201) }, 'run must be'],
    ...['', 'HEAD', 'abc1234', 'A'.repeat(40), 'a'.repeat(41), `${'a'.repeat(40)}\n`, 7, [SHA]].map((sha): [unknown, string] => [
      { ...claim, sha },
      'sha must be',
    ]),
    [{ type: 'progress' }, 'progress needs'],
    [{ type: 'log' }, 'lines must be'],
    [{ type: 'log', lines: Array(MAX_CALL_LINES + 1).fill({ stream: 'stdout', text: '' }) }, 'lines must be'],
    [{ type: 'log', lines: [{ stream: 'event', text: 'forged' }] }, 'a line needs'],
    [{ type: 'log', lines: [{ stream: 'stdout' }] }, 'a line needs'],
    [{ type: 'log', lines: [null] }, 'a line needs'],
    [{ type: 'result', result: 'fine' }, 'result must be'],
  ]
  it.each(bad)('%j is answered 400 with what is wrong', async (body, error) => {
    const { app, heard } = door()
    const answer = await say(app, body)
    expect(answer.status).toBe(400)
    expect(((await answer.json()) as { error: string }).error).toContain(error)
    expect(heard).toEqual([])
  })

  it('shows as plain lines of a limited length, whatever a terminal would have made of it', async () => {
    const { app, heard } = door()
    const texts = [
      '\u001b[31mred\u001b[0m',
      '\u001b]0;title\u0007x',
      'a\u0000b\rc\td',
      'é'.repeat(2_000),
      'x'.repeat(MAX_LINE_BYTES),
    ]
    await say(app, { type: 'log', lines: texts.map((text) => ({ stream: 'stdout', text })) })
    const message = heard[0]![2] as Extract<CallbackMessage, { type: 'log' }>
    const [red, title, controls, long, whole] = message.lines.map((line) => line.text)
    expect([red, title, controls, whole]).toEqual(['red', 'x', 'a b c\td', 'x'.repeat(MAX_LINE_BYTES)])
    expect(long).toMatch(/^é+…$/)
    expect(Buffer.byteLength(long!)).toBeLessThanOrEqual(MAX_LINE_BYTES)
  })
})

describe('the answer to a pipeline', () => {
  it('is 409 with the reason when it has to stop', async () => {
    const answer = await say(door({ kind: 'stop', code: 'cancel_asked', reason: 'It was withdrawn.' }).app, claim)
    expect(answer.status).toBe(409)
    expect(await answer.json()).toEqual({ go: false, code: 'cancel_asked', reason: 'It was withdrawn.' })
  })

  it('is one and the same for a wrong token, no token, and what is no job', async () => {
    const { app, heard } = door({ kind: 'unknown' })
    const answers = [
      await say(app, claim),
      await say(app, claim, { token: '' }),
      await say(app, claim, { token: 'short' }),
      await say(app, claim, { job: 'nobody' }),
    ]
    const seen = await Promise.all(
      answers.map(async (one) => `${one.status} ${await one.text()} ${JSON.stringify([...one.headers])}`),
    )
    expect(new Set(seen).size).toBe(1)
    expect(seen[0]).toMatch(/^404 /)
    expect(heard).toHaveLength(1)
  })

  it.each([
    ['the shortest token', `Bearer ${'a'.repeat(20)}`, JOB, 202],
    ['the longest token', `Bearer ${'a'.repeat(200)}`, JOB, 202],
    ['a shorter one', `Bearer ${'a'.repeat(19)}`, JOB, 404],
    ['a longer one', `Bearer ${'a'.repeat(201)}`, JOB, 404],
    ['one with a sign that none has', `Bearer ${TOKEN}.`, JOB, 404],
    ['another scheme', `xBearer ${TOKEN}`, JOB, 404],
    ['a job with something before it', `Bearer ${TOKEN}`, `x${JOB}`, 404],
    ['a job with something after it', `Bearer ${TOKEN}`, `${JOB}x`, 404],
    ['a job in capitals', `Bearer ${TOKEN}`, JOB.toUpperCase(), 404],
  ])('is, for %s (%s, %s), %i', async (_what, authorization, job, status) => {
    const { app, heard } = door()
    const body = JSON.stringify({ type: 'progress', text: 'x' })
    const answer = await app.request(`/callbacks/jobs/${job}`, { method: 'POST', headers: { authorization }, body })
    expect([answer.status, await answer.json()]).toEqual([status, status === 404 ? { error: 'not found' } : { accepted: true }])
    expect(heard).toHaveLength(status === 404 ? 0 : 1)
  })

  it('is 413 for more than 64 KiB, announced or not', async () => {
    const { app, heard } = door()
    expect((await say(app, { ...claim, more: 'x'.repeat(64 * 1024) })).status).toBe(413)
    expect(heard).toEqual([])
  })

  it('is 400 when the body breaks off', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    const headers = { authorization: `Bearer ${TOKEN}` }
    const request = new Request(`http://x/callbacks/jobs/${JOB}`, {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    } as RequestInit)
    const answer = await door().app.request(request)
    expect([answer.status, await answer.json()]).toEqual([400, { error: 'incomplete body' }])
  })

  it('is 503, to come again, when what it said cannot be kept, or too many speak at once', async () => {
    const failed = await say(door(new Error('disk full')).app, claim)
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await failed.json()).toEqual({ error: 'try again later' })
    let free = (_: CallbackAnswer) => {}
    const { app } = door(new Promise((resolve) => (free = resolve)), 1)
    const first = say(app, claim)
    await new Promise(setImmediate)
    expect((await say(app, claim)).status).toBe(503)
    free({ kind: 'accepted' })
    expect((await first).status).toBe(200)
    expect((await say(app, claim)).status).toBe(200)
  })
})
