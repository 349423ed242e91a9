import pLimit from 'p-limit'
import { ageMs, driftOf, type Instant } from '../clock.ts'
import { isOperatingFault, messageOf } from '../errors.ts'
import type { Job, Run } from '../jobs/job.ts'
import { jobIdFor } from '../jobs/job-id.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import type { Observed } from '../jobs/observed-state.ts'
import { plan } from '../jobs/plan.ts'
import { isReadable } from '../jobs/plan-desired.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { Nudge, StateTx } from '../jobs/state-store.ts'
import { applyAdopt } from './apply-adopt.ts'
import { applyRetry } from './apply-retry.ts'
import { applyCancel, applyLookUp, applyObserve } from './apply-run.ts'
import { applyStart } from './apply-start.ts'
import { applyEnd, applyStay, applyWaits } from './apply-waiting.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { gatherForJob } from './gather.ts'
import { recordLateRuns } from './late-runs.ts'
import { observe } from './observe.ts'
import { isOld, lastAccepted, syncConfig } from './sync-config.ts'
import { syncPulls } from './sync-pulls.ts'
import { type TickFacts, tickFacts } from './tick-facts.ts'

/** Deliveries looked at in one tick; more wait for the next. */
const NUDGES_PER_TICK = 500
/** Calls to the outside that one tick has under way at once. */
const PARALLEL_CALLS = 4
/** Facts, plan, facts again: what is read for one job can ask for more only so often. */
const GATHER_ROUNDS = 3
/**
 * Of the poll period: for so long a pass reads facts of waiting jobs before it acts on those that it has, and goes on reading in the
 * next one. A crowd after a start would otherwise hold up what is under way for minutes.
 */
const READING_SHARE = 0.25
/** Between two passes in which nothing moved; a provider that cannot be reached must not make the loop spin. */
const MIN_PAUSE_MS = 500

type GatherStep = Extract<PlannedStep, { kind: 'gather' }>

/**
 * One pass: what is asked for, what is so, what to do next, each step guarded. Level-triggered: a tick that was lost,
 * doubled or interrupted at any point changes nothing about where the next one arrives. Gives the time in ms after which
 * there is something to do again without any nudge.
 */
export async function tick(engine: Engine): Promise<number> {
  const { clock, store, memory, timing } = engine
  const facts = tickFacts(engine)
  const inbox = await store.unit('nudges', (tx) => tx.nudges.pending(NUDGES_PER_TICK))
  const nudges = inbox.map((row) => row.nudge)
  const polls = memory.lastPollAt === null || ageMs(memory.lastPollAt, facts.startedAt) >= timing.pollMs
  const reviewed = nudges.some((nudge) => nudge.kind === 'pull_request')
  // An approval may be what a change of rules on the config branch was waiting for.
  const thaws = reviewed && memory.accepted !== null && memory.accepted.state.frozen !== null
  const moved = memory.configMoved || nudges.some((nudge) => nudge.kind === 'config')
  // Taken back before the look, so that what moves during it is looked at again.
  memory.configMoved = false
  const looks = polls || thaws || moved || memory.accepted === null
  // A review moves nothing on the config branch, and asking the remote for it is the dearest question of a pass.
  const accepted = looks ? await lookAround(engine, facts, nudges) : memory.accepted!
  if (!looks && reviewed) await lookAtPulls(engine, facts, accepted, nudges)
  if (polls) memory.lastPollAt = facts.startedAt
  await recordLateRuns(engine, accepted, nudges, facts.followed)
  const due = await decideAndApply(engine, facts, accepted, nudges)
  if (inbox.length > 0)
    await store.unit('nudges.settle', (tx) =>
      tx.nudges.settle(
        inbox.map((row) => row.id),
        clock.now(),
      ),
    )
  return due === null || inbox.length === NUDGES_PER_TICK ? 0 : dueIn(engine, due)
}

async function lookAround(engine: Engine, facts: TickFacts, nudges: readonly Nudge[]): Promise<AcceptedConfig> {
  const { memory, clock, log } = engine
  const seen = { at: clock.now(), drift: driftOf(clock) }
  try {
    const accepted = await syncConfig(engine, facts)
    forgetEdited(engine, accepted)
    memory.accepted = accepted
    memory.acceptedSeen = seen
  } catch (error) {
    // A repository out of reach stops nothing that is already under way: runs are followed, locks are freed, whatever is wrong.
    memory.health.sourceError = messageOf(error)
    if (memory.accepted === null || !isReadable(memory.accepted.desired)) memory.accepted = await lastAccepted(engine)
    if (memory.accepted === null) throw error
    if (isOperatingFault(error)) log.warn('the config repository could not be read', { error: messageOf(error) })
    else log.error('taking the config repository over failed', { error: error instanceof Error ? error.stack : String(error) })
    return memory.accepted
  }
  await lookAtPulls(engine, facts, memory.accepted, nudges)
  return memory.accepted
}

/** Pull requests may be many and take long to read, so what is under way is looked at before. */
async function lookAtPulls(engine: Engine, facts: TickFacts, accepted: AcceptedConfig, nudges: readonly Nudge[]): Promise<void> {
  const observed = await observe(engine, facts, accepted, nudges)
  await followRuns(engine, facts, accepted, plan(accepted.desired, observed, engine.timing, engine.clock.now()))
  await syncPulls(engine, facts, accepted, nudges)
}

/** The steps that only ask about runs: they rest on nothing that takes long to read. */
async function followRuns(
  engine: Engine,
  facts: TickFacts,
  accepted: AcceptedConfig,
  steps: readonly PlannedStep[],
): Promise<void> {
  const follows = steps.filter(({ kind }) => kind === 'observe' || kind === 'look_up')
  await someAtOnce(follows, (step) => {
    facts.followed.add(step.job.id)
    return applySafely(engine, facts, accepted, step)
  })
}

/** While the repository cannot be read, nothing starts by rules that nobody can look up. */
function whileReadable(engine: Engine, accepted: AcceptedConfig): AcceptedConfig {
  const { memory, clock } = engine
  if (!isOld(engine) || memory.health.sourceError === null || accepted.state.frozen !== null) return accepted
  const since = memory.acceptedSeen?.at ?? clock.now()
  const text = 'The config repository cannot be read, and nothing starts by rules that may have changed since it last could.'
  const frozen = reasonOf('config_unreadable', text, since, 'Nothing to do at first: it is read again by itself.')
  return { ...accepted, state: { ...accepted.state, frozen } }
}

/** When something is due by itself; null when a job moved: then there may be more to do at once. */
async function decideAndApply(
  engine: Engine,
  known: TickFacts,
  lookedUp: AcceptedConfig,
  nudges: readonly Nudge[],
): Promise<Instant | null> {
  let facts = known
  let accepted = whileReadable(engine, lookedUp)
  const readUntil = engine.clock.elapsed() + engine.timing.pollMs * READING_SHARE
  for (let round = 0; ; round++) {
    const observed = await observe(engine, facts, accepted, nudges)
    const steps = plan(accepted.desired, observed, engine.timing, engine.clock.now())
    const gathers = byUrgency(steps, observed)
    if (gathers.length > 0 && round < GATHER_ROUNDS) {
      await followRuns(engine, facts, accepted, steps)
      await someAtOnce(gathers, async (step) => {
        if (urgency(step, observed) > 0 && engine.clock.elapsed() > readUntil) return
        const successes = observed.successes.get(step.request.key) ?? []
        engine.memory.evidence.set(
          step.job.id,
          await gatherForJob(engine, facts, accepted.desired, accepted.state.head, step.job, step.request, successes, step),
        )
      })
      continue
    }
    const starts = steps.some((step) => step.kind === 'start' || step.kind === 'retry')
    const unreadable = engine.memory.health.sourceError !== null
    // Time passes in between: what was readable a moment ago when this began may be old by now.
    if (starts && isOld(engine) && !(unreadable && accepted.state.frozen !== null)) {
      const { rulesCommit } = accepted.state
      accepted = whileReadable(engine, unreadable ? accepted : await lookAround(engine, facts, nudges))
      // What was read by other rules may be about another repository.
      if (accepted.state.rulesCommit !== rulesCommit) {
        engine.memory.evidence.clear()
        facts = tickFacts(engine)
      }
      continue
    }
    await keepWaiting(engine, steps)
    await someAtOnce(steps, (step) => applySafely(engine, facts, accepted, step))
    // There is more to read.
    if (gathers.length > 0 && engine.clock.elapsed() > readUntil) return null
    // Most passes only keep jobs waiting: a crowd is not read once more to see that nothing moved.
    if (!steps.some(mayMove)) return nextDue(engine, withReasons(observed.jobs, steps), [...observed.runs.values()].flat())
    const { jobs, runs } = await engine.store.unit('jobs.open', openJobs)
    return statuses(observed.jobs) === statuses(jobs) ? nextDue(engine, jobs, runs) : null
  }
}

/** Jobs whose facts are to be read, in the order in which they are. */
function byUrgency(steps: readonly PlannedStep[], observed: Observed): GatherStep[] {
  const gathers = steps.filter((step) => step.kind === 'gather')
  return gathers.sort((a, b) => urgency(a, observed) - urgency(b, observed))
}

/** 0: something rests on it in this pass. 1: nothing is known of it yet. 2: its facts may have changed. */
function urgency({ fresh, job }: GatherStep, { evidence }: Observed): number {
  if (!evidence.has(job.id)) return 1
  return fresh ? 0 : 2
}

/** A limiter costs more than most passes have to do, so it is made for those that need it. */
async function someAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  if (items.length === 0) return
  const limit = pLimit(PARALLEL_CALLS)
  await Promise.all(items.map((item) => limit(() => work(item))))
}

async function openJobs(tx: StateTx): Promise<{ jobs: readonly Job[]; runs: readonly Run[] }> {
  const jobs = await tx.jobs.open()
  const running = jobs.filter((job) => job.status === 'running')
  return { jobs, runs: running.length === 0 ? [] : await tx.runs.of(running.map((job) => job.id)) }
}

/** Jobs with the reasons for which they were just told to wait. */
function withReasons(jobs: readonly Job[], steps: readonly PlannedStep[]): readonly Pick<Job, 'reason'>[] {
  const reasons = new Map(steps.flatMap((step) => (step.kind === 'wait' ? [[step.job.id, step] as const] : [])))
  return jobs.map((job) => reasons.get(job.id) ?? job)
}

function mayMove(step: PlannedStep): boolean {
  return step.kind !== 'gather' && step.kind !== 'stay' && !(step.kind === 'wait' && step.status === step.job.status)
}

/** What was read for one content of a request, above all who asked for it, says nothing about another. */
function forgetEdited({ memory }: Engine, { state, desired }: AcceptedConfig): void {
  const before = memory.accepted
  if (before === null || before.state.head === state.head) return
  for (const [path, { blob }] of before.desired.requests) {
    if (desired.requests.get(path)?.blob !== blob) memory.evidence.delete(jobIdFor(desired.repository.id, path))
  }
}

function statuses(jobs: readonly Job[]): string {
  return jobs.map((job) => `${job.id} ${job.status} ${job.attempt}`).join('\n')
}

/** When something will be due by itself: a run to look at, a refused attempt to repeat, a window that opens, the next poll. */
function nextDue({ timing, clock, memory }: Engine, jobs: readonly Pick<Job, 'reason'>[], runs: readonly Run[]): Instant {
  const now = clock.now()
  let due = (memory.lastPollAt ?? now) + timing.pollMs
  for (const { reason } of jobs) if (reason.until !== null && reason.until > now) due = Math.min(due, reason.until)
  for (const run of runs) {
    if (run.state === 'ended') continue
    const next = run.state === 'refused' ? (run.retryAt ?? now) : (run.observedAt ?? now) + timing.runPollMs
    due = Math.min(due, Math.max(next, memory.askAgainAt.get(run.jobId) ?? next))
  }
  return due
}

function dueIn({ timing, clock }: Engine, due: Instant): number {
  const now = clock.now()
  // Never beyond the next poll, whatever the clock showed when this was last looked at.
  return Math.min(Math.max(due - now, MIN_PAUSE_MS), Math.max(timing.pollMs, MIN_PAUSE_MS))
}

/** Waits first and together: they are quick, and a crowd of them must not slow a trigger's call down. */
async function keepWaiting(engine: Engine, steps: readonly PlannedStep[]): Promise<void> {
  const waits = steps.filter((step) => step.kind === 'wait')
  try {
    await applyWaits(engine, waits)
  } catch (error) {
    // Then one by one, so that the one that fails keeps none of the others from being written.
    engine.log.warn('waiting jobs could not be written together', { jobs: waits.length, error: messageOf(error) })
    for (const step of waits) {
      await applyWaits(engine, [step]).catch((failure: unknown) =>
        engine.log.error('a step failed', { step: step.kind, jobId: step.job.id, error: messageOf(failure) }),
      )
    }
  }
}

/** One step that fails must not keep the others from happening; the next tick plans it again. */
async function applySafely(engine: Engine, facts: TickFacts, accepted: AcceptedConfig, step: PlannedStep): Promise<void> {
  try {
    await apply(engine, facts, accepted, step)
  } catch (error) {
    engine.log.error('a step failed', {
      step: step.kind,
      jobId: step.job.id,
      error: error instanceof Error ? error.stack : messageOf(error),
    })
  }
}

function apply(engine: Engine, facts: TickFacts, accepted: AcceptedConfig, step: PlannedStep): Promise<void> {
  switch (step.kind) {
    case 'gather':
    case 'wait':
      return Promise.resolve()
    case 'stay':
      return applyStay(engine, step)
    case 'end':
      return applyEnd(engine, step)
    case 'adopt':
      return applyAdopt(engine, accepted, step)
    case 'start':
      return applyStart(engine, accepted, step)
    case 'retry':
      return applyRetry(engine, facts, accepted, step)
    case 'look_up':
      return applyLookUp(engine, accepted, step)
    case 'observe':
      return applyObserve(engine, accepted, step)
    case 'cancel':
      return applyCancel(engine, accepted, step)
  }
}
