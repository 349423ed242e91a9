import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import type { AuditAction } from '../../controller/audit/event.ts'
import { type Clock, SECOND_MS } from '../../controller/clock.ts'
import type { Job, Run } from '../../controller/jobs/job.ts'
import { CALL_FAULTS, type CallFaultKind, type FaultRule, HOOK_FAULTS, type HookFaultKind } from '../sandbox/faults.ts'
import { CONFIG_REPO, environmentFile, requestFile, SHOP_PROJECT, SHOP_REPO } from './config-files.ts'
import { green, type MovedClock, openScene, release, type Scene, WEBHOOK_SECRET } from './scene.ts'

/**
 * Everything that the emulated forge can do to a trigger, its run and its webhooks. Whatever strikes: one job is at most one
 * run, the run that exists is found and followed, the lock is free at the end and the audit holds.
 */
type FaultKind = CallFaultKind | HookFaultKind

const DISPATCH = 'actions/create-workflow-dispatch'
const LIST_RUNS = 'actions/list-workflow-runs'
const LIST_CHECKS = 'checks/list-for-ref'
const CANCEL = 'actions/cancel-workflow-run'
const ALWAYS = Number.POSITIVE_INFINITY
/** After that much no trigger call can still be under way (its deadline and the margin after it), so "not found" counts. */
const PAST_SEND_DEADLINE_MS = 16 * SECOND_MS
/** A trigger call is given up by then, but may still act. */
const PAST_CALL_DEADLINE_MS = 11 * SECOND_MS

let scene: Scene
/** Dispatches that left the controller, by JOB_ID. */
const sends: string[] = []

const SHOWN: Record<FaultKind, { says: string; show: (path: string) => Promise<void> }> = {
  accept_then_drop: {
    says: 'acts and hangs up: the run is found by its JOB_ID and followed',
    show: (path) => adopts(path, { on: DISPATCH, kind: 'accept_then_drop' }),
  },
  error_after: {
    says: 'acts and answers 502: the run is found by its JOB_ID and followed',
    show: (path) => adopts(path, { on: DISPATCH, kind: 'error_after' }),
  },
  slow_after: {
    says: 'acts and answers too late: the run is found by its JOB_ID and followed',
    show: (path) => adopts(path, { on: DISPATCH, kind: 'slow_after', delayMs: 2_000 }, PAST_CALL_DEADLINE_MS),
  },
  slow_before: {
    says: 'acts after the call was given up: the run is found by its JOB_ID and followed',
    show: (path) => adopts(path, { on: DISPATCH, kind: 'slow_before', delayMs: 1_500 }, PAST_CALL_DEADLINE_MS),
  },
  drop_before: {
    says: 'hangs up without acting: nobody can know, so the job fails after the search and is never sent again',
    show: (path) => givesUp(path, { on: DISPATCH, kind: 'drop_before' }),
  },
  error_before: {
    says: 'answers 502 without acting: nobody can know, so the job fails after the search and is never sent again',
    show: (path) => givesUp(path, { on: DISPATCH, kind: 'error_before' }),
  },
  rate_limited: {
    says: 'says 429 with Retry-After: it is sent once more, not before that time',
    show: (path) => sendsAgain(path, { on: DISPATCH, kind: 'rate_limited', retryAfterSeconds: 90 }, 90 * SECOND_MS),
  },
  rate_limited_bare: {
    says: 'says 429 without a time: it is sent once more',
    show: (path) => sendsAgain(path, { on: DISPATCH, kind: 'rate_limited_bare' }, SECOND_MS),
  },
  secondary_limited: {
    says: 'says 403 and means slower: it is sent once more',
    show: (path) => sendsAgain(path, { on: DISPATCH, kind: 'secondary_limited' }, SECOND_MS),
  },
  stale_list: {
    says: 'does not list the young run yet: it is looked for until it shows',
    async show(path) {
      const remove = scene.forge.faults.add({ on: LIST_RUNS, kind: 'stale_list', times: ALWAYS })
      await struck('accept_then_drop', { on: DISPATCH, kind: 'accept_then_drop' }, () => merge(path))
      await scene.eventually('three looks in vain', () => scene.forge.faults.count('stale_list') >= 3)
      expect((await scene.job(path))?.reason.code).toBe('trigger_outcome_unknown')
      remove()
      await finish(path)
      await endedWell(path, { sends: 1, actions: ['trigger_unknown', 'run_adopted'] })
    },
  },
  cancel_ignored: {
    says: 'does not cancel: the lock is held and nobody else starts until the run is really over',
    show: (path) => holdsUntilOver(path),
  },
  lost: {
    says: 'a webhook is lost: polling sees it all the same',
    show: (path) => ordinary(path, { on: 'hook/*', kind: 'lost', times: ALWAYS }),
  },
  duplicate: {
    says: 'a webhook comes twice: it is the same as once',
    show: (path) => ordinary(path, { on: 'hook/*', kind: 'duplicate', times: ALWAYS }),
  },
  reordered: {
    says: 'webhooks overtake each other: what is so is read, not what is told',
    show: (path) => ordinary(path, { on: 'hook/*', kind: 'reordered', times: ALWAYS }),
  },
  late: {
    says: 'webhooks come when all is over: they move nothing',
    async show(path) {
      await ordinary(path, { on: 'hook/*', kind: 'late', times: ALWAYS, delayMs: 3_000 })
      const job = await scene.job(path)
      await scene.forge.settle()
      await seesNothingNew(path, job!)
    },
  },
  forged: {
    says: 'a webhook with a wrong signature comes first: it is refused and changes nothing',
    async show(path) {
      const refused = () => scene.forge.deliveries(CONFIG_REPO).filter((delivery) => delivery.statusCode === 401).length
      const before = refused()
      await ordinary(path, { on: 'hook/*', kind: 'forged', times: ALWAYS })
      expect(refused()).toBeGreaterThan(before)
    },
  },
}

const KINDS = Object.keys(SHOWN) as FaultKind[]

beforeAll(async () => {
  scene = await openScene({ idle: true, actions: 'manual', triggerLookupMs: SECOND_MS, config: environments() })
  await scene.begin({ clock: movable(scene.clock), fetch: countingSends })
  const hook = { url: `${scene.controller.url}/webhooks/github`, secret: WEBHOOK_SECRET, events: ['*'] }
  for (const repo of [CONFIG_REPO, SHOP_REPO]) scene.forge.addHook(repo, hook)
})

afterAll(() => scene?.close())

describe('a forge that', () => {
  for (const kind of KINDS) {
    it(`${SHOWN[kind].says} (${kind})`, () => SHOWN[kind].show(pathFor(kind)))
  }

  it('can do anything else has a row here', () => {
    expect([...KINDS].sort()).toEqual([...CALL_FAULTS, ...HOOK_FAULTS].sort())
  })
})

describe('what people do between approval and trigger', () => {
  it('voids the approvals of a tag that moved while one approval was missing', async () => {
    const path = 'requests/shop/prod/moved-tag.yaml'
    await release(scene.forge, 'v2.0.0')
    const pull = await scene.propose({ [path]: requestFile('tag: v2.0.0') })
    await scene.shown(pull)
    await scene.approve(pull, 'bob')
    await scene.merge(pull)
    await scene.until(path, (job) => job.status === 'waiting_approval' && counting(job).length === 1)

    const moved = await moveTag('v2.0.0')
    const seen = await scene.until(path, (job) => job.pin?.sha === moved)
    expect(counting(seen)).toEqual([])
    await scene.approve(pull, 'carol')
    const waiting = await scene.until(path, (job) => counting(job).length === 1)
    expect(waiting).toMatchObject({ status: 'waiting_approval', reason: { code: 'approval_missing' } })
    await pollsPass()
    expect(scene.forge.triggerCount(waiting.id)).toBe(0)

    await scene.approve(pull, 'bob')
    await finish(path)
    await endedWell(path, { sends: 1, actions: ['subject_pinned', 'approvals_decided'] })
    expect(scene.forge.runs(SHOP_REPO).find((run) => run.inputs['JOB_ID'] === waiting.id)?.inputs['SHA']).toBe(moved)
  })

  it('never sends again what moved between a refused attempt and the next', async () => {
    const path = 'requests/shop/prod/moved-between-attempts.yaml'
    await release(scene.forge, 'v2.1.0')
    scene.forge.faults.add({ on: DISPATCH, kind: 'rate_limited', retryAfterSeconds: 120 })
    const pull = await scene.propose({ [path]: requestFile('tag: v2.1.0') })
    await scene.shown(pull)
    await scene.approve(pull, 'bob', 'carol')
    await scene.merge(pull)
    await untilRun(path, (run) => run.state === 'refused')
    await moveTag('v2.1.0')
    scene.clock.advance(121 * SECOND_MS)
    const job = await scene.ended(path)
    expect(job).toMatchObject({ status: 'failed', attempt: 1, reason: { code: 'ref_moved' } })
    expect(scene.forge.triggerCount(job.id)).toBe(0)
    await cleanAfter(job, { sends: 1, actions: ['trigger_refused', 'lock_released'] })
  })
})

describe('a refused attempt whose facts cannot be read when it is due again', () => {
  it('waits until they can be read and then sends', async () => {
    const path = pathFor('unread')
    await struck('rate_limited', { on: DISPATCH, kind: 'rate_limited', retryAfterSeconds: 60 }, () => merge(path))
    const refused = await untilRun(path, (run) => run.state === 'refused')
    const mend = scene.forge.faults.add({ on: LIST_CHECKS, kind: 'error_before', times: ALWAYS })
    scene.clock.moveTo(Math.max(refused.retryAt!, scene.clock.now()) + 1)
    await scene.eventually('CI to be asked in vain', () => scene.forge.faults.count('error_before', LIST_CHECKS) > 0)
    await pollsPass()
    expect(await scene.job(path)).toMatchObject({ status: 'running', attempt: 1 })
    mend()
    await finish(path)
    await endedWell(path, { sends: 2, actions: ['trigger_refused', 'run_recorded'] })
  })
})

describe('a run that is started again at the provider after its end', () => {
  it('does not bring its job back', async () => {
    const path = pathFor('rerun')
    await merge(path)
    const runId = await finish(path)
    await endedWell(path, { sends: 1, actions: ['run_recorded', 'run_ended'] })
    const job = await scene.job(path)
    scene.forge.rerun(runId)
    await pollsPass()
    scene.forge.finishRun(runId, 'failure')
    await scene.forge.settle()
    await seesNothingNew(path, job!)
  })
})

// ── what happens to one job ─────────────────────────────────────────────────

/** The run exists although the answer says nothing: it is adopted. `advanceMs` makes the deadline come while the call is under way. */
async function adopts(path: string, rule: FaultRule, advanceMs = 0): Promise<void> {
  await struck(rule.kind, rule, () => merge(path))
  scene.clock.advance(advanceMs)
  await finish(path)
  await endedWell(path, { sends: 1, actions: ['trigger_intended', 'trigger_unknown', 'run_adopted', 'run_ended'] })
}

async function givesUp(path: string, rule: FaultRule): Promise<void> {
  await struck(rule.kind, rule, () => merge(path))
  const waiting = await untilRun(path, (run) => run.state === 'unknown' && run.observedAt !== null)
  await pollsPass()
  expect(await scene.job(path), 'searched for until the deadline').toMatchObject({ status: 'running' })
  expect(waiting.outcome).toBeNull()
  scene.clock.advance(PAST_SEND_DEADLINE_MS)
  const job = await scene.ended(path)
  expect(job).toMatchObject({ status: 'failed', attempt: 1, reason: { code: 'trigger_outcome_unknown' } })
  expect(scene.forge.triggerCount(job.id)).toBe(0)
  await cleanAfter(job, { sends: 1, actions: ['trigger_intended', 'trigger_unknown', 'run_ended'] })
}

async function sendsAgain(path: string, rule: FaultRule, notBeforeMs: number): Promise<void> {
  await struck(rule.kind, rule, () => merge(path))
  const refused = await untilRun(path, (run) => run.state === 'refused')
  expect(refused.retryAt! - refused.intendedAt).toBeGreaterThanOrEqual(notBeforeMs)
  await pollsPass()
  expect(sendsOf(path)).toBe(1)
  scene.clock.moveTo(Math.max(refused.retryAt!, scene.clock.now()) + 1)
  await finish(path)
  await endedWell(path, { sends: 2, actions: ['trigger_intended', 'trigger_refused', 'run_recorded'] })
}

async function ordinary(path: string, rule: FaultRule): Promise<void> {
  const remove = scene.forge.faults.add(rule)
  const before = scene.forge.faults.count(rule.kind)
  await merge(path)
  await finish(path)
  await endedWell(path, { sends: 1, actions: ['trigger_intended', 'run_recorded', 'run_ended'] })
  remove()
  expect(scene.forge.faults.count(rule.kind)).toBeGreaterThan(before)
}

async function holdsUntilOver(path: string): Promise<void> {
  const next = path.replace('.yaml', '-next.yaml')
  const remove = scene.forge.faults.add({ on: CANCEL, kind: 'cancel_ignored', times: ALWAYS })
  await merge(path)
  const runId = await runIdOf(path)
  scene.forge.startRun(runId)
  await merge(next)
  await scene.until(next, (job) => job.reason.code === 'lock_held')
  await scene.forge.commit(CONFIG_REPO, 'main', { [path]: null }, { as: 'erin', message: 'Withdraw it' })
  await scene.until(path, (job) => job.reason.code === 'cancel_pending')
  await scene.eventually('two cancels in vain', () => scene.forge.faults.count('cancel_ignored') >= 2)
  expect(await lockHolders()).toContain(scene.jobId(path))
  expect(scene.forge.triggerCount(scene.jobId(next))).toBe(0)

  // It never stopped, so its own end is what the job tells.
  scene.forge.finishRun(runId, 'success')
  remove()
  const job = await scene.ended(path)
  expect(job).toMatchObject({ status: 'success', reason: { code: 'run_succeeded' } })
  const nextRun = await runIdOf(next)
  const [first, second] = scene.forge.liveRuns(job.environment)
  expect([first?.jobId, second?.jobId]).toEqual([job.id, scene.jobId(next)])
  expect(second!.createdAt).toBeGreaterThanOrEqual(first!.endedAt!)
  scene.forge.finishRun(nextRun, 'success')
  await endedWell(next, { sends: 1, actions: ['run_ended'] })
  await cleanAfter(job, { sends: 1, actions: ['cancel_requested', 'run_ended', 'lock_released'] })
}

// ── steps ───────────────────────────────────────────────────────────────────

async function merge(path: string): Promise<void> {
  await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
}

/** Does something and waits until the fault has struck it. */
async function struck(kind: FaultKind, rule: FaultRule, act: () => Promise<void>): Promise<void> {
  const before = scene.forge.faults.count(kind, rule.on)
  scene.forge.faults.add(rule)
  await act()
  await scene.eventually(`${kind} to strike`, () => scene.forge.faults.count(kind, rule.on) > before)
}

async function runIdOf(path: string): Promise<number> {
  const run = await untilRun(path, (each) => each.state === 'started')
  return Number(run.externalId)
}

/** Lets the run of a job end well, once the controller knows it. */
async function finish(path: string): Promise<number> {
  const runId = await runIdOf(path)
  scene.forge.finishRun(runId, 'success')
  return runId
}

async function untilRun(path: string, fits: (run: Run) => boolean): Promise<Run> {
  let last: Run | undefined
  await scene.eventually(`the run of ${path}`, async () => {
    last = (await scene.runs(path)).at(-1)
    return last !== undefined && fits(last)
  })
  return last!
}

async function moveTag(tag: string): Promise<string> {
  const sha = await scene.forge.commit(SHOP_REPO, 'main', { VERSION: `${tag} again\n` }, { as: 'alice', message: `Move ${tag}` })
  green(scene.forge, sha)
  await scene.forge.moveTag(SHOP_REPO, tag, sha, { as: 'alice', message: tag })
  return sha
}

/** Long enough for several looks at everything. */
async function pollsPass(): Promise<void> {
  const { health } = scene.controller.engine.memory
  for (let pass = 0; pass < 2; pass++) {
    const before = health.lastTickAt
    await scene.eventually('another pass of the loop', () => health.lastTickAt !== before)
  }
}

// ── what must be so afterwards ──────────────────────────────────────────────

interface Trace {
  sends: number
  actions: readonly AuditAction[]
}

async function endedWell(path: string, trace: Trace): Promise<void> {
  const job = await scene.ended(path)
  expect(job).toMatchObject({ status: 'success', attempt: trace.sends, reason: { code: 'run_succeeded' } })
  expect(scene.forge.triggerCount(job.id)).toBe(1)
  await cleanAfter(job, trace)
}

async function cleanAfter(job: Job, trace: Trace): Promise<void> {
  expect(sendsOf(job.requestPath)).toBe(trace.sends)
  expect(await lockHolders()).not.toContain(job.id)
  const actions: AuditAction[] = []
  for await (const row of scene.controller.store.auditRows()) if (row.jobId === job.id) actions.push(row.action)
  expect(actions).toEqual(expect.arrayContaining([...trace.actions]))
  expect(actions.filter((action) => action === 'trigger_intended')).toHaveLength(trace.sends)
  expect(actions.filter((action) => action === 'lock_released')).toHaveLength(1)
  expect(await verifyChain(scene.controller.store.auditRows())).toMatchObject({ ok: true })
  scene.forge.assertClean()
}

async function seesNothingNew(path: string, before: Job): Promise<void> {
  await pollsPass()
  expect(await scene.job(path)).toEqual(before)
  expect(scene.forge.triggerCount(before.id)).toBe(1)
  expect(await lockHolders()).not.toContain(before.id)
}

async function lockHolders(): Promise<string[]> {
  const locks = await scene.controller.store.state.unit('test.locks', (tx) => tx.locks.all())
  return locks.map((lock) => lock.jobId)
}

function counting(job: Job): string[] {
  return job.approvals.flatMap((review) => (review.counted && review.person !== null ? [review.person] : []))
}

function sendsOf(path: string): number {
  return sends.filter((jobId) => jobId === scene.jobId(path)).length
}

// ── the scene ───────────────────────────────────────────────────────────────

function pathFor(name: string): string {
  return `requests/shop/${environmentFor(name)}/request.yaml`
}

function environmentFor(name: string): string {
  return name.replaceAll('_', '-')
}

/** An environment for each row, so that one that fails leaves the others free. */
function environments(): Record<string, string> {
  const names = [...KINDS, 'rerun', 'unread'].map(environmentFor)
  const pipelines = names.map((name) => `    ${name}: deploy.yml\n`).join('')
  return {
    'projects/shop/project.yaml': SHOP_PROJECT.replace('  pipelines:\n', `  pipelines:\n${pipelines}`),
    ...Object.fromEntries(names.map((name) => [`projects/shop/environments/${name}.yaml`, environmentFile('stage')])),
  }
}

/** A wait is over when the clock has been moved past its end, not only when it has really passed. */
function movable(clock: MovedClock): Clock {
  return {
    now: clock.now,
    elapsed: clock.elapsed,
    async sleep(durationMs, signal) {
      const until = clock.now() + durationMs
      while (!signal?.aborted && clock.now() < until) await clock.sleep(Math.min(until - clock.now(), 25), signal)
    },
  }
}

const countingSends: typeof globalThis.fetch = (input, init) => {
  if (String(input).endsWith('/dispatches')) sends.push(JSON.parse(String(init?.body)).inputs.JOB_ID)
  return fetch(input, init)
}
