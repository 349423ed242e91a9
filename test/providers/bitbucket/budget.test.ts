import { describe, expect, it } from 'vitest'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../controller/clock.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { callBudget } from '../../../controller/providers/bitbucket/budget.ts'
import { callFailure } from '../../../controller/providers/http.ts'
import { connect, manualClock, project, TOKEN_REF, trigger } from '../fixtures.ts'

describe('the calls that Bitbucket allows in an hour', () => {
  function spent(calls: number, clock = manualClock()) {
    const budget = callBudget(clock)
    for (let call = 0; call < calls; call++) budget.spend('read')
    return { budget, clock }
  }
  const refusal = (budget: ReturnType<typeof callBudget>) => {
    try {
      budget.spend('read')
      return null
    } catch (error) {
      return error as Error & { retryAfterMs: number }
    }
  }

  it('are spent on looking up to a share, and the rest is kept for what must be sent', () => {
    const { budget } = spent(900)
    const error = refusal(budget)
    expect(error).toMatchObject({
      name: 'TransientFault',
      message: expect.stringMatching(/1000 calls an hour, and 900 were made.*goes on at 2026-11-21T10:0/),
    })
    expect(error?.retryAfterMs).toBeGreaterThan(59 * MINUTE_MS)
    // Nothing was sent, so a start that meets this may be made again.
    expect(callFailure(error)).toEqual({ sent: false, status: null })
    for (let write = 0; write < 100; write++) budget.spend('write')
    expect(budget.used()).toBe(1_000)
  })

  it('are free again once they are an hour old, and looking goes on where it said it would', () => {
    const clock = manualClock()
    const { budget } = spent(200, clock)
    clock.advance(30 * MINUTE_MS)
    for (let call = 0; call < 700; call++) budget.spend('read')
    const error = refusal(budget)
    clock.advance((error?.retryAfterMs ?? 0) - MINUTE_MS)
    expect(refusal(budget)).not.toBeNull()
    clock.advance(MINUTE_MS)
    expect(refusal(budget)).toBeNull()
    expect(budget.used()).toBe(701)
  })

  it('are held back until a part of them came back, not call by call', () => {
    const clock = manualClock()
    const budget = callBudget(clock)
    for (let call = 0; call < 900; call++) {
      budget.spend('read')
      clock.advance(SECOND_MS)
    }
    expect(refusal(budget)).not.toBeNull()
    clock.advance(HOUR_MS - 900 * SECOND_MS + MINUTE_MS)
    // Some are free, but fewer than a look around takes.
    expect(budget.used()).toBe(840)
    expect(refusal(budget)).not.toBeNull()
  })

  it('are as many as Bitbucket says, where it says so', () => {
    const { budget } = spent(900)
    budget.learn(new Headers({ 'x-ratelimit-limit': '5000' }))
    expect(refusal(budget)).toBeNull()
    budget.learn(new Headers({ 'x-ratelimit-limit': 'many' }))
    budget.learn(new Headers())
    expect(refusal(budget)).toBeNull()
  })

  it.each([
    [0, 0],
    [500, 0],
    [700, MINUTE_MS],
    [900, 2 * MINUTE_MS],
  ])('of which %i are spent let a list of runs be %i ms old', (calls, patience) => {
    expect(spent(calls).budget.patienceMs()).toBe(patience)
  })

  it('are not kept back by calls from the future, after the clock was set back', () => {
    const clock = manualClock()
    const { budget } = spent(900, clock)
    clock.advance(-5 * HOUR_MS)
    expect(refusal(budget)).toBeNull()
  })
})

it('never makes more calls than Bitbucket allows, however much there is to look at, and still starts what is due', async () => {
  const clock = manualClock()
  const calls: number[] = []
  const uuidOf = (run: number) => `{00000000-0000-4000-8000-${String(run).padStart(12, '0')}}`
  const pipelines = Array.from({ length: 20 }, (_, run) => ({
    uuid: uuidOf(run),
    build_number: run + 1,
    state: { name: 'IN_PROGRESS' },
    target: { type: 'pipeline_ref_target', selector: { type: 'custom', pattern: 'deploy-prod' } },
    created_on: '2026-11-21T09:00:00Z',
  }))
  const answer = (url: URL): unknown => {
    if (url.pathname.includes('/refs/')) return { name: url.pathname.split('/').at(-1), target: { hash: 'a'.repeat(40) } }
    return { values: url.pathname.endsWith('/pipelines') && !url.search.includes('commit') ? pipelines : [] }
  }
  const fake: typeof fetch = async (input, init) => {
    calls.push(clock.now())
    return init?.method === 'POST'
      ? Response.json({ uuid: uuidOf(99), build_number: 99 }, { status: 201 })
      : Response.json(answer(new URL(String(input))))
  }
  const bitbucket = { apiUrl: 'https://api.bitbucket.org/2.0', tokenRef: TOKEN_REF, email: null }
  const { connections } = connect({ github: null, bitbucket, fetch: fake, clock })
  const shop = project({ provider: 'bitbucket' })
  const [refs, pipeline] = [connections.refs(shop), connections.pipeline(shop)]
  const selector = { selector: 'custom:deploy-prod', workflowRef: null }

  const outcomes = new Map<string, number>()
  const look = async (what: Promise<unknown>) => {
    const outcome = await what.then(
      () => 'answered',
      (error: Error) => error.name,
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  // Three hours of twenty runs and eight waiting jobs, as often as the loop may look.
  for (let passed = 0; passed < 3 * HOUR_MS; passed += 15 * SECOND_MS) {
    for (const { uuid } of pipelines) await look(pipeline.observe({ externalId: uuid, selector }))
    for (let job = 0; job < 8; job++) {
      await look(refs.resolveRef({ type: 'branch', name: `b${job}` }))
      await look(refs.ciEvidence(commitSha('a'.repeat(40))))
    }
    if (passed % (10 * MINUTE_MS) === 0) expect(await pipeline.start(trigger({ selector }))).toMatchObject({ kind: 'started' })
    clock.advance(15 * SECOND_MS)
  }
  const inHourAfter = (start: number) => calls.filter((at) => at >= start && at < start + HOUR_MS).length
  expect(Math.max(...calls.map(inHourAfter))).toBeLessThanOrEqual(1_000)
  expect([...outcomes.keys()].sort()).toEqual(['TransientFault', 'answered'])
  expect(outcomes.get('answered')).toBeGreaterThan(2_000)
})
