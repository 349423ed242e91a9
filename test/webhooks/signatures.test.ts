import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS, SECOND_MS, systemClock } from '../../controller/clock.ts'
import { silentLogger } from '../../controller/log.ts'
import { callbackDesk } from '../../controller/reconcile/answer-callback.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import { type Bench, NOON, openBench } from '../reconcile/bench.ts'
import { configFiles, environmentFile, requestFile } from '../scenarios/config-files.ts'
import { DOORS, type Door, HOOK, impersonation, openDoors } from './doors.ts'
import { memoryInbox } from './intake.ts'

/**
 * Every way in from outside, and everything that a stranger or an accident can bring to it. A cell is the status of the last
 * answer and the rows in the inbox afterwards: the one thing that a delivery can leave behind.
 */
const ATTEMPTS = [
  'no proof',
  'an empty proof',
  'a wrong secret',
  'the secret of another integration',
  'the right secret',
  'the secret before, while it is rotated',
  'the secret before, after that',
  'the same again at once',
  'the same again after five minutes',
  'the first look after five minutes',
  'the proof of the same JSON in other bytes',
  "every other vendor's proof",
  "its own proof among every other vendor's headers",
] as const
type Attempt = (typeof ATTEMPTS)[number]
type Cell = readonly [status: number, rows: number]

const REFUSED: Cell = [401, 0]
const KEPT: Cell = [202, 1]

/** What holds for all of them; a row says where a host gives less to go by, or more. */
const EXPECTED: Readonly<Record<Attempt, Cell>> = {
  'no proof': REFUSED,
  'an empty proof': REFUSED,
  'a wrong secret': REFUSED,
  'the secret of another integration': REFUSED,
  'the right secret': KEPT,
  'the secret before, while it is rotated': KEPT,
  'the secret before, after that': REFUSED,
  'the same again at once': KEPT,
  // These hosts sign no time: what comes late, or again, is a hint to look, kept under its one name.
  'the same again after five minutes': KEPT,
  'the first look after five minutes': KEPT,
  'the proof of the same JSON in other bytes': REFUSED,
  "every other vendor's proof": REFUSED,
  "its own proof among every other vendor's headers": KEPT,
}
const EXCEPTIONS: Readonly<Record<string, Partial<Record<Attempt, Cell>>>> = {
  // A token says who sent it, and nothing about the bytes. A signing token does both, and says when.
  'gitlab-token': { 'the proof of the same JSON in other bytes': KEPT },
  'gitlab-signing': {
    'the same again after five minutes': [401, 1],
    'the first look after five minutes': REFUSED,
  },
}

const ID = '6fd2e1f7-1a52-4a31-8f4e-2d4a4b1c9e77'
const AGE_MS = 5 * MINUTE_MS + SECOND_MS

/** One delivery after another at a door; the last answer counts. */
async function attempt(door: Door, what: Attempt): Promise<Cell> {
  const inbox = memoryInbox()
  const clock = { ...systemClock(), at: NOON, now: () => clock.at }
  const secrets = what === 'the secret before, after that' ? [door.secret] : [door.secret, door.previous]
  const app = openDoors(inbox, clock, () => secrets)
  const body = JSON.stringify(door.body)
  const sent = { event: door.events[0], id: ID, at: NOON }
  const proved = (secret = door.secret, text = body) => door.headers(text, secret, sent)
  const without = (kept: (value: string) => string | null) =>
    Object.fromEntries(
      Object.entries(proved()).flatMap(([name, value]) => {
        const left = door.proofs.includes(name) ? kept(value) : value
        return left === null ? [] : [[name, left]]
      }),
    )
  async function deliver(headers: Record<string, string>): Promise<number> {
    const all = { 'content-type': 'application/json', ...headers }
    return (await app.request(`/webhooks/${door.name}`, { method: 'POST', headers: all, body })).status
  }
  const wait = () => {
    clock.at += AGE_MS
  }
  const does: Record<Attempt, () => Promise<number>> = {
    'no proof': () => deliver(without(() => null)),
    'an empty proof': async () => {
      // Empty altogether, and empty behind what a host writes before its digest.
      await deliver(without(() => ''))
      return deliver(without((value) => /^(?:sha\d+=|v1,)?/.exec(value)?.[0] ?? ''))
    },
    'a wrong secret': () => deliver(proved(door.wrong)),
    'the secret of another integration': () => deliver(proved(door.foreign)),
    'the right secret': () => deliver(proved()),
    'the secret before, while it is rotated': () => deliver(proved(door.previous)),
    'the secret before, after that': () => deliver(proved(door.previous)),
    'the same again at once': async () => [await deliver(proved()), await deliver(proved())].at(-1)!,
    'the same again after five minutes': async () => {
      await deliver(proved())
      wait()
      return deliver(proved())
    },
    'the first look after five minutes': () => {
      wait()
      return deliver(proved())
    },
    'the proof of the same JSON in other bytes': () => deliver(proved(door.secret, JSON.stringify(door.body, null, 1))),
    "every other vendor's proof": () => deliver(impersonation(door, body, sent)),
    "its own proof among every other vendor's headers": () => deliver({ ...impersonation(door, body, sent), ...proved() }),
  }
  const status = await does[what]()
  for (const { nudge } of inbox.rows) expect(nudge).toEqual({ kind: 'pull_request', number: 7 })
  return [status, inbox.rows.length]
}

describe.each(DOORS.map((door) => [door.name, door] as const))('the webhook route of %s', (name, door) => {
  const cells = ATTEMPTS.map((what) => [what, ...(EXCEPTIONS[name]?.[what] ?? EXPECTED[what])] as const)
  it.each(cells)('with %s answers %i and keeps %i', async (what, status, rows) => {
    expect(await attempt(door, what)).toEqual([status, rows])
  })
})

it('has no two senders that prove themselves by the same header', () => {
  const proofs = DOORS.flatMap((door) => door.proofs)
  expect(new Set(proofs).size).toBe(proofs.length)
})

describe('the callback route', () => {
  const PROJECT = 'projects/shop/project.yaml'
  const DEMO = 'projects/shop/environments/demo.yaml'
  const [REQUEST, OTHER] = ['requests/shop/stage/2026-11-18-a.yaml', 'requests/shop/demo/2026-11-18-b.yaml'] as const
  const NOTHING: Cell = [404, 0]
  const GO: Cell = [200, 1]
  /** One token for one attempt of one job: over no bytes and no time, and dead with the job. */
  const CELLS: Readonly<Record<Attempt, Cell>> = {
    'no proof': NOTHING,
    'an empty proof': NOTHING,
    'a wrong secret': NOTHING,
    'the secret of another integration': NOTHING,
    'the right secret': GO,
    // Nothing is rotated: the next attempt has a token of its own, and who comes with the one before is told to stop.
    'the secret before, while it is rotated': [409, 0],
    'the secret before, after that': NOTHING,
    'the same again at once': GO,
    'the same again after five minutes': GO,
    'the first look after five minutes': GO,
    'the proof of the same JSON in other bytes': GO,
    "every other vendor's proof": NOTHING,
    "its own proof among every other vendor's headers": GO,
  }

  let bench: Bench
  beforeEach(async () => {
    let tokens = 0
    bench = await openBench()
    bench.engine.callbacks = {
      urlOf: (jobId) => `https://draven.example/callbacks/jobs/${jobId}`,
      newToken: () => `dcb_${String(++tokens).padStart(43, '0')}`,
    }
    const asksBack = configFiles()[PROJECT]!.replace('  pipelines:', '  callbacks: true\n  pipelines:')
    bench.commit({ [PROJECT]: asksBack, [DEMO]: environmentFile('stage') })
    await pass(0)
  })
  afterEach(() => bench.close())

  async function pass(ms: number): Promise<void> {
    bench.clock.at += ms
    await bench.tick()
  }

  /** Starts the job of a request and gives the token of its newest attempt. */
  async function begin(path: string): Promise<string> {
    bench.commit({ [path]: requestFile('branch: develop') })
    await pass(30 * SECOND_MS)
    await pass(0)
    return bench.pipeline.started.at(-1)!.callback!.token
  }

  async function ask(what: Attempt): Promise<Cell> {
    const inbox = memoryInbox()
    const app = callbackApp({ log: silentLogger, answer: deskInto(inbox) })
    const BUSY = { kind: 'refused', why: 'busy', retryAfterMs: 0, unreachable: false } as const
    const STARTED = bench.pipeline.outcome
    const rotates = what.startsWith('the secret before')
    if (rotates) bench.pipeline.outcome = BUSY
    const first = await begin(REQUEST)
    if (rotates) {
      bench.pipeline.outcome = STARTED
      await pass(5 * SECOND_MS)
    }
    const { id } = await bench.job(REQUEST)
    const claim = { type: 'claim', run: 'run 1' }
    async function say(authorization: string | null, more: Record<string, string> = {}, body = JSON.stringify(claim)) {
      const headers = { 'content-type': 'application/json', ...more, ...(authorization === null ? {} : { authorization }) }
      return (await app.request(`/callbacks/jobs/${id}`, { method: 'POST', headers, body })).status
    }
    const right = () => say(`Bearer ${first}`)
    const vendors = () => {
      const made = DOORS.map((door) => door.headers(JSON.stringify(claim), first, { event: door.events[0], id: HOOK, at: NOON }))
      return Object.assign({}, ...made) as Record<string, string>
    }
    const does: Record<Attempt, () => Promise<number>> = {
      'no proof': () => say(null),
      'an empty proof': async () => [await say(''), await say('Bearer ')].at(-1)!,
      'a wrong secret': () => say(`Bearer ${first}x`),
      'the secret of another integration': async () => say(`Bearer ${await begin(OTHER)}`),
      'the right secret': right,
      'the secret before, while it is rotated': right,
      'the secret before, after that': async () => {
        bench.pipeline.seen = { ...bench.pipeline.seen, state: 'success' }
        await pass(20 * SECOND_MS)
        return right()
      },
      'the same again at once': async () => [await right(), await right()].at(-1)!,
      'the same again after five minutes': async () => {
        await right()
        bench.clock.at += AGE_MS
        return right()
      },
      'the first look after five minutes': () => {
        bench.clock.at += AGE_MS
        return right()
      },
      'the proof of the same JSON in other bytes': () => say(`Bearer ${first}`, {}, JSON.stringify(claim, null, 1)),
      "every other vendor's proof": () => say(null, vendors()),
      "its own proof among every other vendor's headers": () => say(`Bearer ${first}`, vendors()),
    }
    const status = await does[what]()
    for (const { nudge } of inbox.rows) expect(nudge).toEqual({ kind: 'job', jobId: id })
    return [status, inbox.rows.length]
  }

  const deskInto = (inbox: ReturnType<typeof memoryInbox>) =>
    callbackDesk({
      store: bench.store.state,
      reader: bench.store.callbacks,
      clock: bench.clock,
      redact: (text) => text,
      learnSecret() {},
      async nudge(jobId, what) {
        const nudge = { kind: 'job', jobId } as const
        const deliveryId = `${jobId}:${what}`
        await inbox.store({ integration: 'callback', deliveryId, event: what, receivedAt: bench.clock.at, nudge })
      },
    })

  it.each(ATTEMPTS.map((what) => [what, ...CELLS[what]] as const))(
    'with %s answers %i and keeps %i',
    async (what, status, rows) => {
      expect(await ask(what)).toEqual([status, rows])
    },
  )
})
