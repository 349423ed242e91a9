import type { AuditAction } from '../audit/event.ts'
import { ageMs, type Instant, toIso, wasSet } from '../clock.ts'
import { RefusedFault, TransientFault } from '../errors.ts'
import type { Job } from '../jobs/job.ts'
import { jobIdFor } from '../jobs/job-id.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import type { ConfigState, StateTx } from '../jobs/state-store.ts'
import type { DeployRequest, DesiredState, UnusableRequest } from '../model/desired-state.ts'
import { type CommitSha, environmentKey, type JobId } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { changedPaths, guardedChanges, type PathChange } from './config-change.ts'
import { desiredAt, unreadableAt } from './desired-at.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { judgeRulesChange } from './rules-approval.ts'
import type { TickFacts } from './tick-facts.ts'

/** Reads the config branch and takes over what may be taken over: requests always, rules only when an admin approved them. */
export async function syncConfig(engine: Engine, facts: TickFacts): Promise<AcceptedConfig> {
  const head = await engine.source.fetch()
  engine.memory.health.sourceSeenAt = engine.clock.now()
  engine.memory.health.sourceError = null
  const before = await engine.store.unit('config.read', (tx) => tx.config.read())
  if (before === null) return bootstrap(engine, head)
  if (head === before.head && before.frozen === null) return { state: before, desired: await desiredFor(engine, before) }
  return advance(engine, facts, before, head)
}

/** Rules and requests are facts too: what was last seen too long ago may have been forbidden or withdrawn meanwhile. */
export function isOld({ memory: { acceptedSeen }, timing, clock }: Engine): boolean {
  if (acceptedSeen === null || wasSet(clock, acceptedSeen.drift)) return true
  return ageMs(acceptedSeen.at, clock.now()) > timing.evidenceMaxAgeMs
}

/**
 * What was in force at the last look, also of a process before this one; null before the first. A commit that neither our mirror
 * nor its host has any more (history was rewritten) leaves nothing to decide by; runs are followed by what is on record of them.
 */
export async function lastAccepted(engine: Engine): Promise<AcceptedConfig | null> {
  const state = await engine.store.unit('config.read', (tx) => tx.config.read())
  return state === null ? null : { state, desired: await desiredFor(engine, state).catch(() => unreadableAt(state.head)) }
}

/** The first commit ever seen is taken on trust: there is nothing older to judge it by. */
async function bootstrap(engine: Engine, head: CommitSha): Promise<AcceptedConfig> {
  const now = engine.clock.now()
  const state: ConfigState = { head, rulesCommit: head, acceptedAt: now, bootstrapCommit: head, repositoryId: '', frozen: null }
  const desired = await desiredFor(engine, state)
  if (desired.repository.id === '') throw new RefusedFault(`The config repository cannot be read: ${firstError(desired)}`)
  const named: ConfigState = { ...state, repositoryId: desired.repository.id }
  await engine.store.unit('config.bootstrap', async (tx) => {
    await tx.config.write(named)
    await audit(tx, now, 'config_bootstrapped', head, { findings: desired.findings.length })
    await acceptRequests(tx, desired, named, now)
  })
  return { state: named, desired }
}

async function advance(engine: Engine, facts: TickFacts, before: ConfigState, head: CommitSha): Promise<AcceptedConfig> {
  const now = engine.clock.now()
  const { history } = engine.source
  if (!(await history.isAncestor(before.head, head)) && engine.config.acceptHistory !== head) {
    const text = `The config branch went from ${before.head.slice(0, 12)} to ${head.slice(0, 12)}, which does not contain it: history was rewritten. Nothing starts until it is put back or accepted.`
    const help = `Push the old history back, or restart the controller with DRAVEN_ACCEPT_HISTORY=${head}.`
    return freeze(engine, before, reasonOf('config_frozen', text, now, help), 'config_frozen', head)
  }
  const rules = await rulesBefore(engine, before, head)
  const next = await engine.source.snapshot(head)
  const changes = rules === null ? [] : guardedChanges(changedPaths(rules, next))
  const verdict = await judgeRulesChange(engine, facts, {
    before,
    head,
    changes,
    rulesBefore: () => desiredAt(engine, before.rulesCommit, null),
  })
  const state: ConfigState = {
    head,
    repositoryId: before.repositoryId,
    bootstrapCommit: before.bootstrapCommit,
    acceptedAt: verdict.approved ? now : before.acceptedAt,
    rulesCommit: verdict.approved ? head : before.rulesCommit,
    frozen: verdict.approved ? null : continued(before.frozen, unapproved(verdict.missing, now)),
  }
  if (head === before.head && sameReason(state.frozen, before.frozen))
    return { state: before, desired: await desiredFor(engine, before) }
  const desired = await desiredFor(engine, state)
  const unfit = unfitReason(desired, before, now)
  if (unfit !== null) return freeze(engine, before, unfit, 'config_frozen', head)
  const added = await engine.store.unit('config.accept', async (tx) => {
    await tx.config.write(state)
    await auditAdvance(tx, before, state, { changes, by: verdict.by, onTrust: rules === null }, now)
    return acceptRequests(tx, desired, state, now)
  })
  // With the first look of a process that succeeds comes what others may have taken up before: another process, or this one before
  // its database was put back from a backup.
  if (engine.memory.acceptedSeen !== null) for (const id of added) engine.memory.witnessed.add(id)
  return { state, desired }
}

/**
 * The rules that a change is judged by; null: nobody has them any more, and an operator of this machine named the new head.
 * Then it is taken on trust, as the first commit ever seen was: else nothing could ever start again.
 */
async function rulesBefore(engine: Engine, before: ConfigState, head: CommitSha): Promise<Snapshot | null> {
  try {
    return await engine.source.snapshot(before.rulesCommit)
  } catch (error) {
    if (engine.config.acceptHistory !== head || error instanceof TransientFault) throw error
    engine.log.warn('the rules in force are gone; the new head is taken on trust', { rules: before.rulesCommit, head })
    return null
  }
}

/**
 * A commit that cannot be taken over at all. Without a readable draven.yaml there are no requests to be seen, which must not
 * look as if all had been deleted; and another id would make new jobs of old requests.
 */
function unfitReason(desired: DesiredState, before: ConfigState, now: Instant): Reason | null {
  const { id } = desired.repository
  if (id === '')
    return reasonOf(
      'config_unreadable',
      `The config repository cannot be read: ${firstError(desired)}`,
      now,
      'Mend the file; the state before stays in force until then.',
    )
  if (id === before.repositoryId) return null
  const text = `The id in draven.yaml changed from ${before.repositoryId} to ${id}; every request there ever was would become a new job.`
  return reasonOf('config_frozen', text, now, `Put the id back to ${before.repositoryId}.`)
}

function firstError(desired: DesiredState): string {
  const first = desired.findings.find((finding) => finding.severity === 'error')
  return first === undefined ? 'no reason is known.' : `${first.message} (${first.place.file}:${first.place.line})`
}

interface Advance {
  changes: readonly PathChange[]
  /** Admins who approved them. */
  by: readonly string[]
  /** Nobody could compare: the rules before are gone. */
  onTrust: boolean
}

async function auditAdvance(
  tx: StateTx,
  before: ConfigState,
  state: ConfigState,
  { changes, by, onTrust }: Advance,
  now: Instant,
): Promise<void> {
  const rules = changes.map((change) => change.path).slice(0, 50)
  if (state.frozen !== null && !sameReason(state.frozen, before.frozen)) {
    await audit(tx, now, 'rules_change_held', state.head, { reason: state.frozen.text, rules })
  }
  if (state.frozen === null && before.frozen !== null)
    await audit(tx, now, 'config_thawed', state.head, { was: before.frozen.code })
  if (state.head !== before.head || state.rulesCommit !== before.rulesCommit) {
    await audit(tx, now, 'config_accepted', state.head, {
      previous: before.head,
      rulesCommit: state.rulesCommit,
      rules,
      approvedBy: by,
      ...(onTrust ? { onTrust } : {}),
    })
  }
}

async function freeze(
  engine: Engine,
  before: ConfigState,
  reason: Reason,
  action: AuditAction,
  head: CommitSha,
): Promise<AcceptedConfig> {
  const frozen = continued(before.frozen, reason)
  if (sameReason(frozen, before.frozen)) return { state: before, desired: await desiredFor(engine, before) }
  const state: ConfigState = { ...before, frozen }
  await engine.store.unit('config.freeze', async (tx) => {
    await tx.config.write(state)
    await audit(tx, engine.clock.now(), action, head, { reason: frozen.text, accepted: before.head })
  })
  engine.log.error('the config repository is frozen', { reason: frozen.text })
  // Last, since it may be what cannot be read.
  return { state, desired: await desiredFor(engine, state) }
}

/** Why a change of rules is not in force. */
export function unapproved(missing: readonly string[], now: Instant): Reason {
  const named = missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : '')
  return {
    code: 'rules_change_unapproved',
    since: now,
    until: null,
    text: `The rules were changed without an admin's approval (${named}). The old rules stay in force and nothing starts until an admin approves the change or it is reverted.`,
    waitingFor: [{ kind: 'group', ref: 'admin', done: false }],
    action: { text: 'Ask an admin who did not write the change to approve its pull request.', command: null, url: null },
  }
}

function sameReason(a: Reason | null, b: Reason | null): boolean {
  return a?.code === b?.code && a?.text === b?.text
}

function continued(before: Reason | null, next: Reason): Reason {
  return before?.code === next.code ? { ...next, since: before.since } : next
}

/** Desired state of what is in force; made again only when one of the two commits moved. */
export async function desiredFor(engine: Engine, state: ConfigState): Promise<DesiredState> {
  const { memory } = engine
  if (memory.desired !== null && memory.desiredOf?.head === state.head && memory.desiredOf.rules === state.rulesCommit)
    return memory.desired
  const desired = await desiredAt(engine, state.rulesCommit, state.head)
  memory.desired = desired
  memory.desiredOf = { head: state.head, rules: state.rulesCommit }
  return desired
}

/** Every request file becomes a job once. A path that was used before never becomes a second one. Gives the new jobs. */
async function acceptRequests(tx: StateTx, desired: DesiredState, state: ConfigState, now: Instant): Promise<JobId[]> {
  const added: JobId[] = []
  const known = await tx.jobs.known()
  const seen = [...desired.requests.values(), ...desired.unusableRequests.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  for (const request of seen) {
    const id = jobIdFor(desired.repository.id, request.path)
    if (known.has(id)) continue
    const job = newJob(id, request, state, now)
    if (job === null || !(await tx.jobs.insert(job))) continue
    added.push(id)
    await tx.audit({
      at: now,
      action: 'request_accepted',
      actor: 'controller',
      jobId: id,
      environment: job.key,
      commit: state.head,
      data: { path: request.path, blob: request.blob, type: job.type, ref: job.ref, reason: job.requestReason },
    })
  }
  return added
}

function newJob(
  id: Job['id'],
  request: DeployRequest | UnusableRequest,
  state: ConfigState,
  now: Instant,
): Omit<Job, 'seq' | 'version'> | null {
  const { project, environment } = request
  // A stray file under requests/ that names no environment is a finding, not a job.
  if (project === null || environment === null) return null
  const usable = 'type' in request ? request : null
  return {
    id,
    project,
    environment,
    key: environmentKey(project, environment),
    requestPath: request.path,
    requestBlob: request.blob,
    acceptedCommit: state.head,
    type: usable?.type ?? 'deploy',
    ref: usable?.ref ?? null,
    requestReason: usable?.reason ?? '',
    pin: null,
    requester: null,
    pullRequest: null,
    status: 'queued',
    reason: reasonOf('check_unavailable', `Accepted ${toIso(now)}; its facts are being read.`, now),
    gates: [],
    approvals: [],
    attempt: 0,
    forced: false,
    createdAt: now,
    startedAt: null,
    endedAt: null,
    cancelRequestedAt: null,
  }
}

async function audit(
  tx: StateTx,
  at: Instant,
  action: AuditAction,
  commit: CommitSha,
  data: Record<string, unknown>,
): Promise<void> {
  await tx.audit({ at, action, actor: 'controller', jobId: null, environment: null, commit, data })
}
