import { subjectDigest } from '../approvals/subject.ts'
import type { SubjectPin, Tally } from '../approvals/tally.ts'
import { tallyReviews } from '../approvals/tally-reviews.ts'
import { type Instant, SECOND_MS } from '../clock.ts'
import type { DeployRequest, DesiredState, Environment, Project, Ref } from '../model/desired-state.ts'
import type { CommitSha, PersonId } from '../model/names.ts'
import { traitsOf } from '../model/provider-traits.ts'
import type { Reason } from '../model/reason.ts'
import { personOf } from '../model/roles.ts'
import type { Decision, Fact, GateName } from '../policy/decision.ts'
import { evaluate, foldGates } from '../policy/evaluate.ts'
import type { CiEvidence, PolicyFacts, ResolvedRef, Success } from '../policy/facts.ts'
import type { Evidence, RequestOrigin } from './evidence.ts'
import type { Lock } from './job.ts'

/** One request and everything known about it. All facts are gathered before; nothing is read here. */
export interface DecideInput {
  now: Instant
  desired: DesiredState
  request: DeployRequest
  evidence: Evidence
  /** The subject on show so far; null when nothing was shown yet. */
  pin: SubjectPin | null
  /** Successful deploys and rollbacks here, newest first. */
  successes: readonly Success[]
  /** Commits that succeeded in the environment that must come first. */
  promoted: ReadonlySet<CommitSha>
  lock: Lock | null
  aheadInQueue: readonly string[]
  config: { provider: string | null; branch: string; frozen: Reason | null }
}

export interface Decided {
  decision: Decision
  tally: Tally | null
  /** What would run: as asked for, or the rollback's target. */
  target: Ref | null
  /** The subject on show now; `pinChanged` when approvals given so far were for another one. */
  pin: SubjectPin | null
  pinChanged: boolean
  requester: { person: PersonId | null; label: string | null }
  /** Where the request came from; null when that could not be read. */
  origin: RequestOrigin | null
}

/** The decision on one request: every gate, the approvals and the subject they are bound to. Pure: same input, same answer. */
export function decide(input: DecideInput): Decided {
  const { desired, request, evidence, now } = input
  const project = desired.projects.get(request.project)!
  const environment = desired.environments.get(request.key)!
  const target = targetOf(request, input.successes)
  const requester = requesterOf(desired, evidence.origin)
  const pin = currentPin(input, project, environment)
  const tally = tallyFact(input, environment, requester.person, pin)

  const facts: PolicyFacts = {
    now,
    request,
    project,
    environment,
    desired,
    requester,
    target,
    tally,
    reviewsClosed: takesNoReview(evidence.origin, input.config.provider),
    ref: evidence.ref,
    ci: evidence.ci ?? (environment.policy.requireCiSuccess ? notRead<CiEvidence>(now, 'CI results were not read yet') : null),
    successes: input.successes,
    promoted: environment.promoteFrom === null ? null : isPromoted(evidence.ref, input.promoted),
    lock: {
      holder: input.lock === null ? null : { jobId: input.lock.jobId, since: input.lock.acquiredAt },
      aheadInQueue: input.aheadInQueue,
    },
  }
  const decision = withRepositoryGates(evaluate(facts), input)
  return {
    decision,
    target,
    pin,
    requester,
    tally: tally?.known ? tally.value : null,
    origin: evidence.origin.known ? evidence.origin.value : null,
    pinChanged: pin?.digest !== input.pin?.digest,
  }
}

/** What a request asks to run. A rollback without a ref goes to the last success before the present one, if that was another commit. */
export function targetOf(request: DeployRequest, successes: readonly Success[]): Ref | null {
  if (request.ref !== null || request.type !== 'rollback') return request.ref
  const present = successes[0]
  const before = present && successes.find((success) => success.sha !== present.sha)
  return before ? { type: 'sha', name: before.sha } : null
}

function isPromoted(ref: Fact<ResolvedRef>, promoted: ReadonlySet<CommitSha>): boolean {
  return ref.known && ref.value.found && promoted.has(ref.value.sha)
}

/**
 * The subject on show. A new digest begins to be on show now: what was approved before was something else.
 * While the ref cannot be read the old subject stays, since nothing says that it changed (and nothing can start either).
 */
function currentPin(input: DecideInput, project: Project, environment: Environment): SubjectPin | null {
  const { ref, origin } = input.evidence
  // Since when it is on show must be told by the host's clock, so nothing is on show before the host has answered.
  if (!ref.known || !ref.value.found || !origin.known) return input.pin
  const sha = ref.value.sha
  const digest = subjectDigest({ request: input.request, sha, environment, project })
  const onShow = [input.pin, shownSince(input)].find((pin) => pin?.digest === digest)
  if (onShow) return onShow
  if (origin.value.kind !== 'pull_request') return { digest, sha, since: input.now }
  // Reviews carry the host's time, so the subject's age must be told by the same clock, moved on to the present moment. Hosts
  // cut times to whole seconds: the latest moment that it may have been, so that no review of something else is in doubt.
  return { digest, sha, since: origin.value.facts.hostTime + SECOND_MS + Math.max(input.now - origin.at, 0) }
}

/**
 * What the pull request showed at its merge; null once something else was on show after that. A ref that comes back to it must
 * not bring back its age: what was approved in between was something else.
 */
function shownSince({ pin, evidence: { shown } }: DecideInput): SubjectPin | null {
  return shown !== null && pin !== null && shown.since <= pin.since ? null : shown
}

function requesterOf(desired: DesiredState, origin: Fact<RequestOrigin>): { person: PersonId | null; label: string | null } {
  if (!origin.known) return { person: null, label: null }
  switch (origin.value.kind) {
    case 'pull_request': {
      const author = origin.value.facts.author
      if (author === null) return { person: null, label: null }
      return { person: personOf(desired, author), label: `${author.provider}:${author.login}` }
    }
    case 'local': {
      const email = origin.value.authorEmail
      if (email === null) return { person: null, label: null }
      const person = [...desired.people.values()].find((candidate) => candidate.emails.includes(email))
      return { person: person?.id ?? null, label: email }
    }
    case 'direct_push':
      return { person: null, label: null }
  }
}

function tallyFact(
  input: DecideInput,
  environment: Environment,
  requester: PersonId | null,
  pin: SubjectPin | null,
): Fact<Tally> | null {
  const { policy } = environment
  if (!policy.requireApproval) return null
  const { origin } = input.evidence
  if (!origin.known) return notRead(origin.at, origin.why)
  if (origin.value.kind !== 'pull_request' || input.config.provider === null) {
    return {
      known: true,
      at: origin.at,
      value: { needed: policy.approvalsRequired, approvers: [], objectors: [], eligible: [], reviews: [] },
    }
  }
  if (pin === null) return notRead(origin.at, 'what the ref points at is not known yet, so nothing can be approved')
  const value = tallyReviews({
    desired: input.desired,
    provider: input.config.provider,
    project: environment.project,
    environment: environment.name,
    facts: origin.value.facts,
    content: origin.value.content,
    requestBlob: input.request.blob,
    configBranch: input.config.branch,
    requester,
    pin,
    needed: policy.approvalsRequired,
    validMs: policy.approvalValidMs,
    now: input.now,
  })
  return { known: true, at: origin.at, value }
}

function takesNoReview(origin: Fact<RequestOrigin>, provider: string | null): boolean {
  if (provider === null || !origin.known || origin.value.kind !== 'pull_request') return false
  return origin.value.facts.state === 'merged' && traitsOf(provider).closesReviews === true
}

function notRead<T>(at: Instant, why: string): Fact<T> {
  return { known: false, at, why }
}

/**
 * What gates must know of the config repository as a whole: a request may not bring its own rules, a plain directory has no reviews,
 * and a frozen repository starts nothing.
 */
function withRepositoryGates(decision: Decision, input: DecideInput): Decision {
  const { origin } = input.evidence
  let gates = decision.gates
  const set = (gate: GateName, verdict: 'wait' | 'deny', reason: Reason, saw: string, wanted: string) => {
    gates = gates.map((result) => (result.gate === gate ? { gate, verdict, reason, saw, wanted, forced: false } : result))
  }
  if (!origin.known) {
    const reason = reasonNow(
      input.now,
      'check_unavailable',
      `Who asks for this could not be read: ${origin.why}.`,
      'Nothing to do; it is read again.',
    )
    set('role', 'wait', reason, origin.why, 'a requester that is known')
  }
  if (origin.known && origin.value.kind === 'pull_request' && origin.value.changesRules) {
    const reason = reasonNow(
      input.now,
      'rules_changed_together',
      'This pull request changes rules and asks for a deploy under them; a request is only judged by rules that were there before it.',
      'Move the request into a pull request of its own.',
    )
    set('request', 'deny', reason, 'rules and request in one pull request', 'requests alone')
  }
  if (origin.known && origin.value.kind === 'local' && gates.some(({ reason }) => reason?.code === 'approval_impossible')) {
    const reason = reasonNow(
      input.now,
      'approval_impossible',
      "This needs approval, and nobody can review in a directory of the controller's machine.",
      'Put the config repository on a forge, or use a policy here that requires no approval; then add a new request.',
    )
    set('approval', 'deny', reason, 'a config repository without reviews', 'a config repository on a forge')
  }
  if (input.config.frozen !== null) {
    set('freeze', 'wait', input.config.frozen, 'the config repository is frozen', 'no freeze')
  }
  return foldGates(gates, input.now)
}

function reasonNow(since: Instant, code: Reason['code'], text: string, action: string): Reason {
  return { code, text, since, until: null, waitingFor: [], action: { text: action, command: null, url: null } }
}
