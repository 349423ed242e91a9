import type { PullRequestFacts, PullRequestSummary, ReviewedContent } from '../approvals/evidence.ts'
import type { SubjectPin } from '../approvals/tally.ts'
import { ageMs, DAY_MS, driftOf, HOUR_MS, type Instant, wasSet } from '../clock.ts'
import { TransientFault } from '../errors.ts'
import { targetOf } from '../jobs/decide.ts'
import type { Evidence, PastRun, RequestOrigin } from '../jobs/evidence.ts'
import type { Job } from '../jobs/job.ts'
import { isProof } from '../jobs/plan-past.ts'
import { VISIBILITY_LAG_MS } from '../jobs/plan-timing.ts'
import type { DeployRequest, DesiredState } from '../model/desired-state.ts'
import type { CommitSha } from '../model/names.ts'
import type { Fact } from '../policy/decision.ts'
import type { CiEvidence, ResolvedRef, Success } from '../policy/facts.ts'
import { isGuardedPath } from './config-change.ts'
import type { Engine, Read } from './engine.ts'
import { fact, type TickFacts } from './tick-facts.ts'

/** How long after acceptance a request may lack a visible merged pull request before it counts as pushed directly: forges' lists lag behind their git. */
const ORIGIN_GRACE_MS = 30_000
/** Merged pull requests read when none is remembered for a request (after a restart, or when one was opened and merged between two looks). */
const ORIGIN_SEARCH_LIMIT = 5

/** Reads everything that must be known to decide one accepted request. */
export async function gatherForJob(
  engine: Engine,
  facts: TickFacts,
  desired: DesiredState,
  head: CommitSha,
  job: Job,
  request: DeployRequest,
  successes: readonly Success[],
  options: { fresh: boolean },
): Promise<Evidence> {
  const origin = await fact(engine, 'where the request comes from', () =>
    originOf(engine, facts, desired, head, job, request, options),
  )
  const shown = origin.known && origin.value.kind === 'pull_request' ? await shownOn(engine, origin.value.facts, request) : null
  const past = await pastOf(engine, desired, head, job, request, origin)
  return { ...(await withRefAndCi(engine, facts, desired, request, successes, origin)), shown, past }
}

/** A process may stand still between reading facts and acting on them, and its clock may be set meanwhile. */
export function isStale({ clock, timing }: Engine, { at, drift }: Evidence, now: Instant): boolean {
  return wasSet(clock, drift) || ageMs(at, now) > timing.evidenceMaxAgeMs
}

/**
 * What the provider knows of a job that may have run unseen: before the database was lost or put back from a backup, or under
 * another process. Asked once in the life of a process, and again while the answer could still change.
 */
async function pastOf(
  engine: Engine,
  desired: DesiredState,
  head: CommitSha,
  job: Job,
  request: DeployRequest,
  origin: Fact<RequestOrigin>,
): Promise<Fact<PastRun> | null> {
  const { memory, clock } = engine
  const project = desired.projects.get(request.project)
  const selector = project?.integration.pipelines.get(request.environment)
  // Without a pipeline there is nothing to ask, and nothing to start either.
  if (memory.witnessed.has(job.id) || project === undefined || selector === undefined) return null
  if (!origin.known) return { known: false, why: origin.why, at: origin.at }
  const bootstrapped = memory.accepted === null || job.acceptedCommit === memory.accepted.state.bootstrapCommit
  const past = await fact(engine, `runs of this job at ${project.integration.repoFullName}`, async () => {
    const at = clock.now()
    const shows = wouldShow(engine, job, at)
    const provider = engine.connections.pipeline(project)
    const merged = origin.value.kind === 'pull_request' ? origin.value.facts.mergedAt : null
    const committed = await engine.source.history.broughtAt(head, request.path)
    // The earlier of the two, since a commit may bear any date; without either it may be as old as it likes.
    const broughtAt = merged === null ? (committed ?? 0) : Math.min(merged, committed ?? merged)
    const query = { jobId: job.id, selector, intendedAt: broughtAt, until: broughtAt + 2 * longestWaitMs(desired) }
    const [run, ...others] = await provider.find(query)
    const value: PastRun =
      run === undefined
        ? // Asked of jobs that are older than the records alone, since most providers read the same list once more for it.
          { found: false, broughtAt, shows, doubt: bootstrapped ? await provider.doubt(query) : null }
        : { found: true, run, others, seen: await provider.observe({ externalId: run.externalId, selector }) }
    return { value, at }
  })
  if (past.known && !past.value.found && (!bootstrapped || isProof(desired, past.value, past.at))) memory.witnessed.add(job.id)
  return past
}

/**
 * Would a run from before the job was accepted be on its provider's list by now? By a clock that was set since we first asked, only
 * the time that has passed in this process tells; it counts from then.
 */
function wouldShow({ clock, memory }: Engine, job: Job, now: Instant): boolean {
  const asked = memory.pastAskedAt.get(job.id) ?? { elapsed: clock.elapsed(), drift: driftOf(clock) }
  memory.pastAskedAt.set(job.id, asked)
  if (clock.elapsed() - asked.elapsed >= VISIBILITY_LAG_MS) return true
  return !wasSet(clock, asked.drift) && now - job.createdAt >= VISIBILITY_LAG_MS
}

/** No request waits for longer than both of these together. */
function longestWaitMs({ repository }: DesiredState): number {
  return repository.approvalExpiryMs + repository.queueExpiryMs
}

/** The same for a request on an open pull request. */
export async function gatherForPull(
  engine: Engine,
  facts: TickFacts,
  desired: DesiredState,
  pull: Read<PullRequestFacts>,
  request: DeployRequest,
  successes: readonly Success[],
): Promise<Evidence> {
  const origin = await fact(engine, 'the pull request', () => pullOrigin(engine, pull, request.path))
  return { ...(await withRefAndCi(engine, facts, desired, request, successes, origin)), shown: null, past: null }
}

async function withRefAndCi(
  engine: Engine,
  facts: TickFacts,
  desired: DesiredState,
  request: DeployRequest,
  successes: readonly Success[],
  origin: Fact<RequestOrigin>,
): Promise<Omit<Evidence, 'shown' | 'past'>> {
  const project = desired.projects.get(request.project)
  const environment = desired.environments.get(request.key)
  const target = targetOf(request, successes)
  const now = engine.clock.now()
  let ref: Fact<ResolvedRef> = { known: true, value: { found: false }, at: now }
  let ci: Fact<CiEvidence> | null = null
  if (origin.known && origin.value.kind === 'direct_push') {
    // Nobody asked for it, so it is refused whatever its ref is: no question to the project's repository is worth it.
    ref = { known: false, why: 'it is not asked about for a request that nobody made', at: now }
  } else if (project !== undefined && target !== null) {
    ref = await fact(engine, `${target.type} ${target.name} of ${project.integration.repoFullName}`, () =>
      facts.ref(project, target),
    )
    if (environment?.policy.requireCiSuccess && ref.known && ref.value.found) {
      const sha = ref.value.sha
      ci = await fact(engine, `CI results of ${sha.slice(0, 12)}`, () => facts.ci(project, sha))
    }
  }
  // Since when a subject is on show is told from what was read before, by the time that has passed since.
  if (wasSet(engine.clock, facts.drift)) ref = { known: false, why: 'the clock was set while it was looked at', at: now }
  return { origin, ref, ci, at: Math.min(origin.at, ref.at, ci?.at ?? ref.at), drift: facts.drift, lookedAt: now }
}

/**
 * The subject that reviewers had before them, if it was made of the content that was merged. A pull request that was merged
 * while nobody looked is remembered from now on, so that what becomes of its request is told there.
 */
async function shownOn(engine: Engine, pull: PullRequestFacts, request: DeployRequest): Promise<SubjectPin | null> {
  const { number, headSha, baseRef, state, updatedAt } = pull
  return engine.store.unit('pull.shown', async (tx) => {
    const row = await tx.pulls.get(number)
    if (row === null) await tx.pulls.save({ number, headSha, baseRef, state, updatedAt, pins: new Map() })
    const shown = row?.pins.get(request.path)
    return shown?.blob === request.blob ? shown.pin : null
  })
}

async function originOf(
  engine: Engine,
  facts: TickFacts,
  desired: DesiredState,
  head: CommitSha,
  job: Job,
  request: DeployRequest,
  options: { fresh: boolean },
): Promise<Read<RequestOrigin>> {
  const at = engine.clock.now()
  if (engine.host === null)
    return { value: { kind: 'local', authorEmail: await engine.source.history.lastAuthorEmail(head, request.path) }, at }
  const remembered = [engine.memory.pullByPath.get(request.path), job.pullRequest?.number]
  for (const number of new Set(remembered.filter((candidate) => candidate !== undefined))) {
    const pull = await facts.pull(number, options)
    if (await brought(engine, head, pull.value, request)) return pullOrigin(engine, pull, request.path)
  }
  // The controller may have been away since the merge, but not for longer than a request is waited for.
  const since = job.createdAt - Math.max(desired.repository.approvalExpiryMs, DAY_MS)
  const list = await facts.pullsSince(since - (since % HOUR_MS))
  for (const number of await mergedWith(engine, list.value, head, request)) {
    const pull = await facts.pull(number, options)
    if (await brought(engine, head, pull.value, request)) {
      engine.memory.pullByPath.set(request.path, number)
      return pullOrigin(engine, pull, request.path)
    }
  }
  if (isTooEarly(engine, facts, job, list.at)) {
    throw new OriginPending('no merged pull request that brought this file is visible yet')
  }
  return { value: { kind: 'direct_push' }, at }
}

/**
 * By the time of the list, not of now: this pass may have read it long ago. A list of the future is read again. Of a job of the
 * future nobody knows how long ago it was accepted, since the clock was set back: it counts from when it was first sought.
 */
function isTooEarly({ clock, memory }: Engine, facts: TickFacts, job: Job, listedAt: Instant): boolean {
  const now = clock.now()
  if (!Number.isFinite(ageMs(listedAt, now))) return true
  if (Number.isFinite(ageMs(job.createdAt, now))) return listedAt < job.createdAt + ORIGIN_GRACE_MS
  const listed = facts.startedAt - facts.drift
  const sought = memory.originSoughtAt.get(job.id) ?? listed
  memory.originSoughtAt.set(job.id, sought)
  return listed < sought + ORIGIN_GRACE_MS
}

/** Not trouble, just too early to tell. */
class OriginPending extends TransientFault {}

/**
 * Pull requests whose merge may have brought the present content, told by our own mirror before any of them is read: the
 * first after which the file was as it is now, and never one from before another content.
 */
async function mergedWith(
  engine: Engine,
  pulls: readonly PullRequestSummary[],
  head: CommitSha,
  request: DeployRequest,
): Promise<number[]> {
  const { history } = engine.source
  const merges: { number: number; mergedAt: Instant; commit: CommitSha }[] = []
  for (const { number, state, mergeCommit, mergedAt, baseRef } of pulls) {
    if (state !== 'merged' || mergeCommit === null || baseRef !== engine.config.branch) continue
    merges.push({ number, mergedAt: mergedAt ?? 0, commit: mergeCommit })
  }
  merges.sort((a, b) => b.mergedAt - a.mergedAt)
  const holds = async (commit: CommitSha) => (await history.blobAt(commit, request.path)) === request.blob
  // Most requests of a repository are older than all of this: one look tells.
  const oldest = merges.at(-1)
  if (oldest !== undefined && (await holds(oldest.commit))) {
    return merges.filter(({ mergedAt }) => mergedAt === oldest.mergedAt).map(({ number }) => number)
  }
  const holding: number[] = []
  let otherAt = Number.NEGATIVE_INFINITY
  for (const { number, mergedAt, commit } of merges) {
    // Forges tell whole seconds, so of two merges in one second either may have been the first.
    if (mergedAt < otherAt) break
    if (await holds(commit)) holding.push(number)
    // One that was merged after our last look at the branch says nothing.
    else if (await history.isAncestor(commit, head)) otherAt = Math.max(otherAt, mergedAt)
  }
  return holding.reverse().slice(0, ORIGIN_SEARCH_LIMIT)
}

/** Did this pull request put exactly this content onto the config branch? Compared by content, so all three merge methods are alike. */
async function brought(engine: Engine, head: CommitSha, pull: PullRequestFacts, request: DeployRequest): Promise<boolean> {
  if (pull.state !== 'merged' || pull.mergeCommit === null || pull.baseRef !== engine.config.branch) return false
  if (!pull.files.some((file) => file.path === request.path && file.status !== 'removed')) return false
  const { history } = engine.source
  return (
    (await history.isAncestor(pull.mergeCommit, head)) && (await history.blobAt(pull.mergeCommit, request.path)) === request.blob
  )
}

async function pullOrigin(engine: Engine, pull: Read<PullRequestFacts>, path: string): Promise<Read<RequestOrigin>> {
  const facts = pull.value
  const content = await reviewedContent(engine, facts, path)
  const changesRules = facts.files.some((file) => isGuardedPath(file.path))
  return { value: { kind: 'pull_request', facts, content, changesRules }, at: pull.at }
}

/** Brings the head that the forge names into our mirror, once: what it holds does not change. */
export async function hasHead(engine: Engine, { number, headSha }: PullRequestFacts): Promise<boolean> {
  const { pullHeads } = engine.memory
  if (pullHeads.get(number) === headSha) return true
  const there = await engine.source.history.fetchPull(engine.host!.reviews.headRef(number), headSha)
  if (there) pullHeads.set(number, headSha)
  return there
}

/** What each reviewer had before them. A commit that is gone from the forge and from our mirror proves nothing. */
export async function reviewedContent(engine: Engine, pull: PullRequestFacts, path: string): Promise<ReviewedContent> {
  const blobAt = new Map<CommitSha, Awaited<ReturnType<Engine['source']['history']['blobAt']>>>()
  const commits = new Set(pull.reviews.flatMap((review) => (review.commit === null ? [] : [review.commit])))
  if (commits.size === 0) return { blobAt }
  await hasHead(engine, pull)
  for (const commit of commits) blobAt.set(commit, await engine.source.history.blobAt(commit, path))
  return { blobAt }
}
