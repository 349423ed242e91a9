import { toIso } from '../clock.ts'
import type { Job, JobStatus } from '../jobs/job.ts'
import type { DesiredState, Ref, RequestType } from '../model/desired-state.ts'
import { personId } from '../model/names.ts'
import type { Reason, ReasonAction, ReasonCode, WaitingFor } from '../model/reason.ts'
import { type Iso, isoOrNull } from './moments.ts'

/**
 * Facts are what a page shows and what its JSON twin answers: one plain object for both, so they cannot disagree.
 * Instants are ISO strings, maps are arrays, and nothing here is secret.
 */
export interface ReasonFacts {
  code: ReasonCode
  text: string
  since: Iso
  until: Iso | null
  /** `label` is the person's name where one is known. */
  waitingFor: readonly (WaitingFor & { label: string })[]
  action: ReasonAction | null
}

export interface JobFacts {
  id: string
  seq: number
  project: string
  environment: string
  type: RequestType
  status: JobStatus
  /** As asked for; null for a rollback to "the one before". */
  ref: Ref | null
  /** What runs; null until it was first resolved. */
  sha: string | null
  reason: ReasonFacts
  requestReason: string
  requester: { id: string; name: string } | null
  requestPath: string
  acceptedCommit: string
  pullRequest: { number: number; url: string } | null
  forced: boolean
  attempt: number
  createdAt: Iso
  startedAt: Iso | null
  endedAt: Iso | null
  cancelRequestedAt: Iso | null
}

export function reasonFacts(reason: Reason, desired: DesiredState | null): ReasonFacts {
  return {
    code: reason.code,
    text: reason.text,
    since: toIso(reason.since),
    until: isoOrNull(reason.until),
    waitingFor: reason.waitingFor.map((one) => ({ ...one, label: one.kind === 'person' ? nameOf(one.ref, desired) : one.ref })),
    action: reason.action,
  }
}

export function jobFacts(job: Job, desired: DesiredState | null): JobFacts {
  return {
    id: job.id,
    seq: job.seq,
    project: job.project,
    environment: job.environment,
    type: job.type,
    status: job.status,
    ref: job.ref,
    sha: job.pin?.sha ?? null,
    reason: reasonFacts(job.reason, desired),
    requestReason: job.requestReason,
    requester: job.requester === null ? null : { id: job.requester, name: nameOf(job.requester, desired) },
    requestPath: job.requestPath,
    acceptedCommit: job.acceptedCommit,
    pullRequest: job.pullRequest,
    forced: job.forced,
    attempt: job.attempt,
    createdAt: toIso(job.createdAt),
    startedAt: isoOrNull(job.startedAt),
    endedAt: isoOrNull(job.endedAt),
    cancelRequestedAt: isoOrNull(job.cancelRequestedAt),
  }
}

/** The person's name from access.yaml; else the id or account itself. */
export function nameOf(who: string, desired: DesiredState | null): string {
  return desired?.people.get(personId(who))?.name ?? who
}

// Both parts are bounded, so that a long text without "@" costs no more than one pass.
const EMAIL = /[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/g

/** Keys whose text must stay exact: a tag may be named like an address (`@scope/pkg@1.0.beta`). */
const EXACT_KEYS: ReadonlySet<string> = new Set(['requestPath', 'rollback'])

/**
 * The facts without e-mail addresses: commit authors and audit data can carry them, and a page that needs no login must not
 * hand them out. Applied once to every answer, page and JSON alike.
 */
export function withoutEmails<T>(facts: T): T {
  return cleaned(facts) as T
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('@') ? value.replace(EMAIL, '[e-mail]') : value
  if (Array.isArray(value)) return value.map(cleaned)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, isExact(key, inner) ? inner : cleaned(inner)]))
}

/** A `ref` that is an object is a Git ref; one that is a string names whoever a reason waits for. */
function isExact(key: string, value: unknown): boolean {
  return EXACT_KEYS.has(key) || (key === 'ref' && typeof value === 'object')
}
