import { canonicalJson } from '../../controller/audit/canonical-json.ts'
import type { AuditEvent } from '../../controller/audit/event.ts'
import type { Instant } from '../../controller/clock.ts'
import { MINUTE_MS } from '../../controller/clock.ts'
import type { Trigger } from '../../controller/jobs/executor.ts'
import type { Job, Lock, Run } from '../../controller/jobs/job.ts'
import type { ConfigState, Nudge, OutboxMessage } from '../../controller/jobs/state-store.ts'
import type { Delivery } from '../../controller/webhooks/inbox.ts'
import type { Forge, SimPull } from './forge.ts'
import { brought, CONFIG_AGE_MS, whyNotStart, whyRulesNotInForce } from './oracle.ts'
import { isLive, type Pipelines, type SimRun } from './pipelines.ts'
import type { Write } from './recorder.ts'
import type { Remote } from './remote.ts'
import type { Actor } from './world.ts'

/** What was durably written so far, as told by the writes themselves. */
export interface Shadow {
  config: ConfigState | null
  /** Rules that were in force, oldest first. */
  rulesInForce: { at: Instant; commit: ConfigState['rulesCommit'] }[]
  jobs: Map<string, Job>
  /** By `job#attempt`. */
  runs: Map<string, Run>
  locks: Map<string, Lock>
  /** What was last to be told, by the key of its message. */
  messages: Map<string, OutboxMessage>
}

export interface Truth {
  now(): Instant
  /** Does nothing fail, and is nothing late? */
  healed(): boolean
  remote: Remote
  forge: Forge
  pipelines: Pipelines
}

/** The invariants, each checked when something happened that could break it. The first breach is kept. */
export interface Checks {
  violation: string | null
  shadow: Shadow
  /** A unit of this controller, by this name, is durable. */
  committed(by: Actor, unit: string, writes: readonly Write[]): void
  /** The database was lost with everything in it. */
  lost(): void
  /** Some clock was set: from then on a controller may take a moment for a day, or a day for a moment. */
  clockSet(forward: boolean): void
  /** This controller was given the lease. */
  leads(actor: Actor): void
  /** This controller is about to do something outside that only a leader may. */
  acts(actor: Actor, what: string): void
  /** This controller looked at the config branch. */
  lookedAtBranch(actor: Actor): void
  /** When that was last; null: never. */
  lostAt: Instant | null
  sent(trigger: Trigger): void
  runCreated(run: SimRun): void
  cancelAsked(run: SimRun): void
  /** A run was told to go on, and goes on. `sha`: what it says that it has checked out. */
  runActs(run: SimRun, sha: string | null): void
  /** The provider told a controller of a run. */
  observed(run: SimRun): void
  /** A provider was asked about a job's run, with or without an answer. */
  answered(jobId: string | null, ok: boolean): void
  acknowledged(delivery: Delivery): void
  /** Something became visible outside. */
  shown(where: string, what: object): void
  wasShown(message: OutboxMessage): boolean
  reported(message: string, text: string): void
  /** How often each check looked. */
  looked: Map<string, number>
  acked: Set<string>
}

/** The unit in which a pipeline is answered: any controller may. */
const ANSWER = 'callback'

/** Written out again on purpose: not the table of the controller. */
const LEGAL: Readonly<Record<string, string>> = {
  queued: 'queued waiting_approval running failed canceled expired',
  waiting_approval: 'waiting_approval queued failed canceled expired',
  running: 'running success failed canceled',
  success: '',
  failed: '',
  canceled: '',
  expired: '',
}
const ENDED = new Set(['success', 'failed', 'canceled', 'expired'])
/** Reasons in which a job stands in line, ready as far as anybody knows. */
const IN_LINE = new Set(['lock_held', 'queue_position', 'ready'])

export function createChecks(truth: Truth): Checks {
  const { now, remote, pipelines } = truth
  const shadow: Shadow = {
    config: null,
    rulesInForce: [],
    jobs: new Map(),
    runs: new Map(),
    locks: new Map(),
    messages: new Map(),
  }
  const sends = new Set<string>()
  const fences = new Map<string, number>()
  const askedToStop = new Set<SimRun>()
  const looksSinceWithdrawn = new Map<SimRun, number>()
  let jumpedAt = Number.NEGATIVE_INFINITY
  /** By the job that another overtook, until it is written again. */
  const overtakings = new Map<string, string>()
  let clockSetAt = Number.NEGATIVE_INFINITY
  let leader: Actor | null = null
  const ledSince = new Map<Actor, Instant>()
  const branchSeenAt = new Map<Actor, Instant>()
  /** What became visible, and what was given up. */
  const texts = new Set<string>()
  /** Since when a run is on record as begun. */
  const begunAt = new Map<string, Instant>()
  /** When a provider last told of a run, and when the oldest delivery that names it and is not settled came. */
  const toldAt = new Map<string, Instant>()
  const namedAt = new Map<string, Instant>()
  /** Path of each job that ever ran. */
  const requestPaths = new Map<string, string>()
  const inVain = new Map<string, { since: Instant; times: number }>()
  /** Intents that were lost with the database. A request that was on its way then arrives all the same. */
  const lostIntents = new Set<string>()
  /** Runs whose lock was given up on purpose, after a whole run time without an answer. */
  const excused = new Set<SimRun>()
  /** Runs that were told to go on. A run that is started again by hand is another one. */
  const acts: { run: SimRun; attempt: number; at: Instant; exclusive: boolean }[] = []

  function look(name: string): void {
    checks.looked.set(name, (checks.looked.get(name) ?? 0) + 1)
  }
  function breach(text: string): void {
    checks.violation ??= text
  }
  function must(name: string, holds: boolean, text: () => string): void {
    look(name)
    if (!holds) breach(`${name}: ${text()}`)
  }

  function liveRuns(key: string): SimRun[] {
    return pipelines.runs.filter(
      (run) => keyOf(run) === key && run.trigger.type !== 'dry_run' && !run.byHand && !excused.has(run) && isLive(run, now()),
    )
  }

  function requestOf(run: SimRun): string {
    return requestPaths.get(run.trigger.jobId) ?? ''
  }

  function keyOf(run: SimRun): string {
    return shadow.jobs.get(run.trigger.jobId)?.key ?? ''
  }

  function goesOn({ run, attempt }: (typeof acts)[number]): boolean {
    return run.attempt === attempt && isLive(run, now())
  }

  function isExclusive(job: Job): boolean {
    const rules = shadow.config === null ? null : remote.commit(shadow.config.rulesCommit)!.rules
    return job.type !== 'dry_run' && (rules?.environments[job.key]?.exclusive ?? true)
  }

  // ── writes ──────────────────────────────────────────────────────────────

  function jobWritten(before: Extract<Write, { table: 'job' }>['before'], job: Job, audits: readonly AuditEvent[]): void {
    const known = shadow.jobs.get(job.id)
    if (before === null) {
      must('a path is used once', known === undefined, () => `job ${job.id} was made twice`)
    } else {
      const from = known?.status ?? 'nothing'
      must('terminal is terminal', !ENDED.has(from), () => `job ${job.id} was ${from} and was written again`)
      must('legal moves', (LEGAL[from] ?? '').split(' ').includes(job.status), () => `job ${job.id} went ${from} → ${job.status}`)
      must(
        'compare and set',
        known?.version === before.version && known.attempt === before.attempt && job.version === before.version + 1,
        () => `job ${job.id} was at version ${known?.version}, the write had read ${before.version}`,
      )
      if (from !== job.status) {
        const audited = audits.some(
          (event) =>
            event.action === 'status_changed' &&
            event.jobId === job.id &&
            event.data['from'] === from &&
            event.data['to'] === job.status,
        )
        must(
          'every change of status is audited with it',
          audited,
          () => `${from} → ${job.status} of ${job.id} is not in the audit`,
        )
        if (ENDED.has(job.status)) jobEnded(job)
      }
    }
    // One that the same pass ends, or makes wait for something else, had lost its place in line: that may be written a moment later.
    const overtaking = overtakings.get(job.id)
    overtakings.delete(job.id)
    if (overtaking !== undefined && (job.status === 'running' || (job.status === 'queued' && IN_LINE.has(job.reason.code))))
      breach(`first in, first out: ${overtaking}`)
    shadow.jobs.set(job.id, job)
  }

  function jobEnded(job: Job): void {
    const run = shadow.runs.get(`${job.id}#${job.attempt}`)
    const real = pipelines.runs.find((each) => each.id === run?.externalId)
    // What somebody starts again afterwards is another matter.
    const over = real !== undefined && (real.byHand || !isLive(real, now()))
    const word = (conclusion: SimRun['conclusion']) =>
      over && (real!.conclusion === conclusion || real!.conclusionBefore === conclusion)
    const says = () =>
      `job ${job.id} ended as ${job.status} (${job.reason.code}), its run ${real?.id} is ${real?.conclusion}, over: ${over}`
    if (job.status === 'success') must('an end is the provider’s word', word('success'), says)
    if (job.reason.code === 'run_failed') must('an end is the provider’s word', word('failed'), says)
    if (job.reason.code === 'run_canceled') must('an end is the provider’s word', word('canceled'), says)
    if (job.reason.code === 'run_vanished') must('an end is the provider’s word', over && real!.vanishedAt !== null, says)
    if (job.reason.code === 'requester_unknown') {
      const head = remote.commit(shadow.config!.head)!
      const text = head.requests.get(job.requestPath) ?? ''
      const pull = truth.forge.pulls.find(
        (each) => each.author !== 'robot[bot]' && brought(truth, each, head, job.requestPath, text) && stayed(each, job, text),
      )
      must(
        'nobody is refused who asked rightly',
        // The forge's list is given half a minute, by the controller's clock. Of a branch that was rewritten, and merged with
        // what it was rewritten to, nobody can say what brought a file.
        pull === undefined || jumpedAt >= job.createdAt || wasRewritten(),
        () => `job ${job.id} came with pull request ${pull?.number} and was refused as pushed`,
      )
    }
    if (job.reason.code === 'request_deleted') {
      must(
        'what is withdrawn is not there',
        !remote.commit(shadow.config!.head)!.requests.has(job.requestPath),
        () => `job ${job.id} ended as withdrawn, and ${job.requestPath} is in the accepted commit`,
      )
    }
    if (job.status === 'expired' || job.reason.code === 'request_deleted') {
      must(
        'what never ran has no run',
        liveJobRuns(job.id).length === 0,
        () => `job ${job.id} ended as ${job.status} with a live run`,
      )
    }
  }

  /** Since it was merged nobody put anything else there, not even for a while. */
  function stayed({ mergedAt }: SimPull, { requestPath }: Job, text: string): boolean {
    const since = remote.moves.filter(({ at }) => at >= mergedAt!)
    return since.every(({ head }) => remote.commit(head)!.requests.get(requestPath) === text)
  }

  function wasRewritten(): boolean {
    return remote.moves.some((move, index) => index > 0 && !remote.isAncestor(remote.moves[index - 1]!.head, move.head))
  }

  function liveJobRuns(id: string): SimRun[] {
    return pipelines.runs.filter((run) => run.trigger.jobId === id && !run.byHand && isLive(run, now()))
  }

  function released(lock: Pick<Lock, 'key' | 'jobId' | 'fence'>, audits: readonly AuditEvent[]): void {
    const job = shadow.jobs.get(lock.jobId)
    shadow.locks.delete(lock.key)
    must(
      'locks are audited',
      audits.some((event) => event.action === 'lock_released'),
      () => `${lock.key} was released without a word`,
    )
    must(
      'a lock is released with the end of its job',
      job !== undefined && ENDED.has(job.status),
      () => `${lock.key} was released while its job is ${job?.status}`,
    )
    const live = liveJobRuns(lock.jobId)
    look('no release over a live run')
    if (live.length === 0 || job === undefined) return
    const asked = inVain.get(lock.jobId)
    const limitMs = (remote.commit(shadow.config!.rulesCommit)!.rules.environments[job.key]?.maxRunMinutes ?? 60) * MINUTE_MS
    const givenUp =
      (job.reason.code === 'provider_unreachable' || job.reason.code === 'trigger_outcome_unknown') &&
      asked !== undefined &&
      asked.times >= 2 &&
      now() - asked.since >= limitMs * 0.9
    for (const run of live) excused.add(run)
    // How long it was asked in vain, or looked for, only its clock can tell.
    if (live.every((run) => run.createdAt - MINUTE_MS <= jumpedAt)) return
    must('no release over a live run', givenUp, () => {
      const vain =
        asked === undefined
          ? 'was never asked in vain'
          : `was asked in vain ${asked.times} times for ${(now() - asked.since) / 1000} s`
      return `${lock.key} was released (${job.reason.code}) while run ${live[0]!.id} is alive; the provider ${vain}`
    })
  }

  function locked(lock: Lock, audits: readonly AuditEvent[]): void {
    must(
      'locks are audited',
      audits.some((event) => event.action === 'lock_acquired'),
      () => `${lock.key} was taken without a word`,
    )
    must('one holder', !shadow.locks.has(lock.key), () => `${lock.key} was taken while it was held`)
    must(
      'fences grow',
      lock.fence > (fences.get(lock.key) ?? 0),
      () => `fence ${lock.fence} of ${lock.key} after ${fences.get(lock.key)}`,
    )
    fences.set(lock.key, lock.fence)
    shadow.locks.set(lock.key, lock)
  }

  function intended(run: Run, audits: readonly AuditEvent[], by: Actor): void {
    const job = shadow.jobs.get(run.jobId)!
    const why = whyNotStart(truth, shadow, job, now() + by.skewMs)
    const seenAt = branchSeenAt.get(by) ?? Number.NEGATIVE_INFINITY
    must(
      'a start rests on a look at the branch',
      // A dry run starts by the last good commit also while nobody can look.
      job.type === 'dry_run' || seenAt >= now() - CONFIG_AGE_MS,
      () => `job ${job.id} starts ${(now() - seenAt) / 1000} s after the last look`,
    )
    must('no start that the rules forbid', why === null, () => `job ${job.id} (${job.requestPath}) was let start: ${why}`)
    must(
      'an intent is audited',
      audits.some((event) => event.action === 'trigger_intended'),
      () => `no audit of ${job.id}#${run.attempt}`,
    )
    must('one attempt at a time', run.attempt === job.attempt, () => `attempt ${run.attempt} of a job at ${job.attempt}`)
    if (!isExclusive(job)) return
    const lock = shadow.locks.get(`environment:${job.key}`)
    must(
      'the lock is held before the trigger',
      lock?.jobId === job.id && lock.fence === run.fence,
      () => `${job.id} starts, the lock is with ${lock?.jobId}`,
    )
    const main = remote.head()
    const overtaken = [...shadow.jobs.values()].find(
      (other) =>
        other.key === job.key &&
        other.seq < job.seq &&
        other.status === 'queued' &&
        other.type !== 'dry_run' &&
        IN_LINE.has(other.reason.code) &&
        main.requests.has(other.requestPath) &&
        job.attempt === 1,
    )
    look('first in, first out')
    if (overtaken !== undefined)
      overtakings.set(overtaken.id, `job ${job.seq} starts before ${overtaken.seq} (${overtaken.reason.code})`)
  }

  /** Nothing more is expected of that text, also when it is put again. */
  function givenUp(key: string): void {
    const message = shadow.messages.get(key)
    if (message !== undefined) texts.add(textOf(message))
  }

  /** Where nothing fails, a delivery is followed by a look before it is taken for handled. */
  function settled(nudge: Nudge): void {
    if (nudge.kind !== 'run') return
    const came = namedAt.get(nudge.externalId)
    namedAt.delete(nudge.externalId)
    const run = [...shadow.runs.values()].find((each) => each.externalId === nudge.externalId && each.state === 'started')
    const begun = begunAt.get(nudge.externalId)
    if (!truth.healed() || came === undefined || run === undefined || begun === undefined || begun >= came) return
    // A provider that lately gave no answer is left alone for a moment.
    if (inVain.has(run.jobId)) return
    const told = toldAt.get(nudge.externalId) ?? Number.NEGATIVE_INFINITY
    must(
      'a delivery is looked into',
      told >= came,
      () => `what said that run ${nudge.externalId} changed was settled without a look`,
    )
  }

  function configWritten(state: ConfigState, audits: readonly AuditEvent[]): void {
    const before = shadow.config
    if (before !== null) {
      must('accepted history only grows', remote.isAncestor(before.head, state.head), () => `${before.head} → ${state.head}`)
      if (before.rulesCommit !== state.rulesCommit) {
        const why = whyRulesNotInForce(truth, before, state)
        must('rules need an admin', why === null, () => why!)
      }
      const told = audits.some(({ action }) => action.startsWith('config_') || action === 'rules_change_held')
      must('config is audited', told || before.head === state.head, () => `${state.head} was accepted without a word`)
    }
    if (before?.rulesCommit !== state.rulesCommit) shadow.rulesInForce.push({ at: now(), commit: state.rulesCommit })
    shadow.config = state
  }

  const checks: Checks = {
    violation: null,
    shadow,
    looked: new Map(),
    acked: new Set(),
    lostAt: null,

    clockSet(forward) {
      clockSetAt = now()
      if (forward) jumpedAt = now()
    },

    leads(actor) {
      // What the one before it wrote down is older by this one's clock than it is.
      if (leader !== null && actor.skewMs > leader.skewMs) jumpedAt = now()
      leader = actor
      ledSince.set(actor, now())
    },

    acts(actor, what) {
      // How long ago it was given the lease, it only knows by its clock.
      const led = leader === null || leader === actor || clockSetAt >= (ledSince.get(actor) ?? Number.POSITIVE_INFINITY)
      must('only the leader acts', led, () => `${actor.name} wants to ${what} while ${leader?.name} leads`)
    },

    lookedAtBranch(actor) {
      branchSeenAt.set(actor, now())
    },

    lost() {
      checks.lostAt = now()
      leader = null
      for (const intent of shadow.runs.keys()) lostIntents.add(intent)
      Object.assign(shadow, { config: null, rulesInForce: [] })
      for (const table of [
        shadow.jobs,
        shadow.runs,
        shadow.locks,
        shadow.messages,
        overtakings,
        namedAt,
        begunAt,
        sends,
        fences,
        inVain,
        checks.acked,
      ])
        table.clear()
      // Whoever deletes a request and then loses the records has nothing left that tells of its run.
      const paths = remote.head().requests
      for (const run of pipelines.runs) if (![...paths.keys()].some((path) => path === requestOf(run))) excused.add(run)
    },

    committed(by, unit, writes) {
      if (unit === ANSWER) {
        const tables = writes.map(({ table }) => table)
        const harmless = tables.every((table) => table === 'run' || table === 'audit')
        must('an answer to a pipeline moves no job', harmless, () => `it wrote ${tables.join(', ')}`)
      } else
        must('only the leader writes', leader === null || leader === by, () => `${by.name} writes while ${leader?.name} leads`)
      const audits = writes.flatMap((write) => (write.table === 'audit' ? [write.event] : []))
      for (const write of writes) {
        switch (write.table) {
          case 'config':
            configWritten(write.state, audits)
            break
          case 'job':
            jobWritten(write.before, write.job, audits)
            break
          case 'run inserted':
            must(
              'an attempt is intended once',
              !shadow.runs.has(`${write.run.jobId}#${write.run.attempt}`),
              () => write.run.jobId,
            )
            shadow.runs.set(`${write.run.jobId}#${write.run.attempt}`, write.run)
            break
          case 'run': {
            const key = `${write.run.jobId}#${write.run.attempt}`
            const was = shadow.runs.get(key)
            must(
              'an ended run is over',
              was?.state !== 'ended' || write.run.state === 'ended',
              () => `${key} was ended and is ${write.run.state}`,
            )
            shadow.runs.set(key, write.run)
            const { externalId } = write.run
            if (externalId !== null && was?.externalId !== externalId) begunAt.set(externalId, now())
            break
          }
          case 'locked':
            locked(write.lock, audits)
            break
          case 'released':
            released(write.lock, audits)
            break
          case 'message':
            shadow.messages.set(write.message.key, write.message)
            break
          case 'settled':
            for (const nudge of write.nudges) settled(nudge)
            break
          case 'audit':
            if (write.event.action === 'outbox_given_up') givenUp(String(write.event.data['key']))
            break
        }
      }
      // Once the whole unit is known: a start is judged with its lock and its job.
      for (const write of writes)
        if (write.table === 'run inserted' && write.run.state === 'intended') intended(write.run, audits, by)
    },

    sent(trigger) {
      const attempt = `${trigger.jobId}#${trigger.attempt}`
      must('at most one send per attempt', !sends.has(attempt), () => `${attempt} was sent twice`)
      sends.add(attempt)
      const job = shadow.jobs.get(trigger.jobId)
      const run = shadow.runs.get(attempt)
      if (run === undefined && lostIntents.has(attempt)) return
      must(
        'intent before send',
        run?.state === 'intended' || run?.state === 'unknown',
        () => `${attempt} was sent and its intent is ${run?.state}`,
      )
      must(
        'only a running job is sent',
        job?.status === 'running' && job.attempt === trigger.attempt,
        () => `${attempt} is ${job?.status}`,
      )
      must(
        'what was approved is what runs',
        job?.pin?.sha === trigger.sha && job.type === trigger.type && job.environment === trigger.environment,
        () => `${attempt} sends ${trigger.sha}, pinned ${job?.pin?.sha}`,
      )
      if (job !== undefined && isExclusive(job)) {
        must(
          'the lock is held while a run lives',
          shadow.locks.get(`environment:${job.key}`)?.jobId === job.id,
          () => `${attempt} was sent without the lock`,
        )
      }
    },

    runCreated(run) {
      const job = shadow.jobs.get(run.trigger.jobId)
      requestPaths.set(run.trigger.jobId, job?.requestPath ?? '')
      const others = pipelines.runs.filter(
        (other) => other !== run && other.trigger.jobId === run.trigger.jobId && other.vanishedAt === null,
      )
      // Without records only time tells that a run must show, and a clock that was set forward has made that up.
      const misled = checks.lostAt !== null && jumpedAt >= checks.lostAt
      must('one run per job', others.length === 0 || misled, () => `${run.trigger.jobId} has runs ${others[0]!.id} and ${run.id}`)
      if (job === undefined || !isExclusive(job)) return
      const live = liveRuns(job.key)
      must(
        'one live run per exclusive environment',
        live.length <= 1,
        () => `${live.map((each) => each.id).join(' and ')} are alive in ${job.key}`,
      )
    },

    runActs(run, sha) {
      const { jobId, ...trigger } = run.trigger
      must(
        'what acts is what was approved',
        sha === null || sha === trigger.sha,
        () => `run ${run.id} has ${sha} and goes on, ${trigger.sha} was approved`,
      )
      // Whoever lost the records knows of no claim; the tokens of that time open nothing any more, but what acts goes on.
      const known = acts.filter(({ at }) => at > (checks.lostAt ?? Number.NEGATIVE_INFINITY))
      const before = known.find((act) => act.run.trigger.jobId === jobId)
      must('one run acts for a job', before === undefined, () => `run ${run.id} acts for ${jobId}, and so did ${before?.run.id}`)
      const job = shadow.jobs.get(jobId)
      const beside =
        job === undefined || !isExclusive(job)
          ? undefined
          : acts.find((act) => act.exclusive && keyOf(act.run) === job.key && !excused.has(act.run) && goesOn(act))
      must('one run acts in an environment', beside === undefined, () => `run ${run.id} acts beside ${beside?.run.id}`)
      acts.push({ run, attempt: run.attempt, at: now(), exclusive: job !== undefined && isExclusive(job) })
    },

    cancelAsked(run) {
      // What a run from before the records were lost is, only its request tells, and that may have been edited since.
      const forgotten = checks.lostAt !== null && shadow.jobs.get(run.trigger.jobId)?.type !== 'dry_run'
      must('a dry run is never canceled', run.trigger.type !== 'dry_run' || forgotten, () => `run ${run.id} is a dry run`)
      askedToStop.add(run)
    },

    observed(run) {
      toldAt.set(run.id, now())
      const job = shadow.jobs.get(run.trigger.jobId)
      if (job?.status !== 'running' || job.type === 'dry_run' || shadow.config === null) return
      if (remote.commit(shadow.config.head)!.requests.has(job.requestPath)) return
      // One look may have been under way when the withdrawal was taken over.
      const looks = (looksSinceWithdrawn.get(run) ?? 0) + 1
      looksSinceWithdrawn.set(run, looks)
      must(
        'a withdrawn run is asked to stop',
        looks < 3 || askedToStop.has(run),
        () => `run ${run.id} of ${job.requestPath} was looked at ${looks} times since`,
      )
    },

    answered(jobId, ok) {
      if (jobId === null) return
      if (ok) inVain.delete(jobId)
      else inVain.set(jobId, { since: inVain.get(jobId)?.since ?? now(), times: (inVain.get(jobId)?.times ?? 0) + 1 })
    },

    acknowledged(delivery) {
      const { nudge } = delivery
      if (nudge.kind === 'run' && !namedAt.has(nudge.externalId)) namedAt.set(nudge.externalId, now())
      checks.acked.add(`${delivery.integration} ${delivery.deliveryId}`)
    },

    wasShown: (message) => texts.has(textOf(message)),

    shown(where, what) {
      texts.add(canonicalJson(what))
      must(
        'nothing leaves that is no plain text',
        !JSON.stringify(what).includes('undefined'),
        () => `${where} shows "undefined"`,
      )
    },

    reported(message, text) {
      look('no programming errors')
      if (/TypeError|ReferenceError|RangeError|illegal job transition|unexpectedly/.test(text + message))
        breach(`no programming errors: ${message} ${text.slice(0, 600)}`)
    },
  }
  return checks
}

/** Of a deployment only the message itself is shown. */
function textOf({ channel, body }: OutboxMessage): string {
  return canonicalJson(channel === 'deployment' ? body['message'] : body)
}
