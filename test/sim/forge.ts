import type { Account, PullRequestFacts, PullRequestSummary, Review } from '../../controller/approvals/evidence.ts'
import { type Instant, SECOND_MS } from '../../controller/clock.ts'
import type { CommitSha } from '../../controller/model/names.ts'
import { commitSha } from '../../controller/model/names.ts'
import type { CiEvidence, ResolvedRef } from '../../controller/policy/facts.ts'
import { blobOf, type Commit, type Remote, textAt } from './remote.ts'
import { ruleFiles } from './rules.ts'

export interface SimReview {
  id: string
  who: string
  state: 'approved' | 'changes_requested' | 'commented'
  commit: CommitSha
  at: Instant
  dismissedAt: Instant | null
}

export interface SimPull {
  number: number
  author: string
  base: Commit
  /** Heads there were, oldest first, each with who pushed it. */
  heads: { at: Instant; commit: Commit }[]
  baseRefs: { at: Instant; name: string }[]
  state: 'open' | 'merged' | 'closed'
  mergeCommit: CommitSha | null
  mergedAt: Instant | null
  createdAt: Instant
  /** When anything about it changed, oldest first. */
  touches: Instant[]
  reviews: SimReview[]
}

/** What was so since when, oldest first. */
type Timeline<T> = { at: Instant; value: T }[]

/** The code host: pull requests of the config repository, refs and CI results of the apps, all with their history. */
export interface Forge {
  pulls: SimPull[]
  /** By `repo type name`. */
  refs: Map<string, Timeline<CommitSha | null>>
  /** By commit. */
  ci: Map<CommitSha, Timeline<CiState>>
  newSha(): CommitSha
  setRef(repo: string, ref: string, sha: CommitSha | null): void
  setCi(sha: CommitSha, state: CiState): void
  refAt(repo: string, ref: string, at: Instant): CommitSha | null
  ciAt(sha: CommitSha, at: Instant): CiState
  openPull(author: string, head: Commit): SimPull
  /** Puts the head's changes onto the config branch, as the host would; or makes the same commit on another branch. */
  merge(pull: SimPull, how: 'merge' | 'squash' | 'elsewhere'): Commit
  touch(pull: SimPull): void
}

export type CiState = 'none' | 'pending' | 'success' | 'failed'

export function createForge(now: () => Instant, remote: Remote): Forge {
  let shas = 0
  const forge: Forge = {
    pulls: [],
    refs: new Map(),
    ci: new Map(),
    newSha: () => commitSha((++shas).toString(16).padStart(40, 'a')),
    setRef: (repo, ref, sha) => append(forge.refs, `${repo} ${ref}`, now(), sha),
    setCi: (sha, state) => append(forge.ci, sha, now(), state),
    refAt: (repo, ref, at) => valueAt(forge.refs.get(`${repo} ${ref}`), at) ?? null,
    ciAt: (sha, at) => valueAt(forge.ci.get(sha), at) ?? 'none',
    openPull(author, head) {
      const at = now()
      const pull: SimPull = {
        number: forge.pulls.length + 1,
        author,
        base: remote.head(),
        heads: [{ at, commit: head }],
        baseRefs: [{ at, name: 'main' }],
        state: 'open',
        mergeCommit: null,
        mergedAt: null,
        createdAt: at,
        touches: [at],
        reviews: [],
      }
      forge.pulls.push(pull)
      return pull
    },
    merge(pull, how) {
      const head = headOf(pull)
      const main = remote.head()
      const requests = new Map(main.requests)
      for (const { path, status } of changedFiles(pull)) {
        if (!path.startsWith('requests/')) continue
        if (status === 'removed') requests.delete(path)
        else requests.set(path, head.requests.get(path)!)
      }
      const rules = head.rules === pull.base.rules ? main.rules : head.rules
      const parents = how === 'squash' ? [main.id] : [main.id, head.id]
      const merged = remote.add({ parents, rules, requests, author: pull.author })
      if (how !== 'elsewhere') remote.move(now(), merged.id)
      pull.state = 'merged'
      pull.mergeCommit = merged.id
      pull.mergedAt = now()
      forge.touch(pull)
      return merged
    },
    touch(pull) {
      pull.touches.push(now())
    },
  }
  return forge
}

function append<Key, T>(timelines: Map<Key, Timeline<T>>, key: Key, at: Instant, value: T): void {
  const timeline = timelines.get(key)
  if (timeline === undefined) timelines.set(key, [{ at, value }])
  else timeline.push({ at, value })
}

function valueAt<T>(timeline: Timeline<T> | undefined, at: Instant): T | undefined {
  return timeline?.findLast((entry) => entry.at <= at)?.value
}

export function headOf(pull: SimPull): Commit {
  return pull.heads.at(-1)!.commit
}

/** What the head changes against what it was made from. */
export function changedFiles(pull: SimPull): { path: string; status: 'added' | 'modified' | 'removed' }[] {
  const head = headOf(pull)
  const before = new Map([...pull.base.requests, ...(head.rules === pull.base.rules ? [] : ruleFiles(pull.base.rules))])
  const after = new Map([...head.requests, ...(head.rules === pull.base.rules ? [] : ruleFiles(head.rules))])
  const changed: { path: string; status: 'added' | 'modified' | 'removed' }[] = []
  for (const [path, text] of after) {
    const was = before.get(path)
    if (was !== text) changed.push({ path, status: was === undefined ? 'added' : 'modified' })
  }
  for (const path of before.keys()) if (!after.has(path)) changed.push({ path, status: 'removed' })
  return changed
}

// ── as the host's API tells it ──────────────────────────────────────────────

/** Hosts tell whole seconds. */
export function wholeSecond(at: Instant): Instant {
  return at - (at % SECOND_MS)
}

function account(login: string): Account {
  return { provider: 'github', login, id: `id-${login}`, kind: login.endsWith('[bot]') ? 'bot' : 'user' }
}

/** As it was at a moment: a list that lags shows what was, it does not leave out what has changed since. */
export function summaryAt(pull: SimPull, at: Instant): PullRequestSummary {
  const merged = pull.mergedAt !== null && pull.mergedAt <= at
  return {
    number: pull.number,
    state: merged || pull.state !== 'merged' ? pull.state : 'open',
    baseRef: pull.baseRefs.findLast((entry) => entry.at <= at)!.name,
    headSha: pull.heads.findLast((entry) => entry.at <= at)!.commit.id,
    mergeCommit: merged ? pull.mergeCommit : null,
    mergedAt: merged ? wholeSecond(pull.mergedAt!) : null,
    updatedAt: wholeSecond(pull.touches.findLast((touch) => touch <= at)!),
  }
}

export function factsOf(pull: SimPull, now: Instant): PullRequestFacts {
  const reviews: Review[] = pull.reviews.map(({ id, who, state, commit, at, dismissedAt }) => ({
    id,
    reviewer: account(who),
    state: dismissedAt !== null ? 'dismissed' : state,
    commit,
    submittedAt: wholeSecond(at),
    url: `https://forge.test/review/${id}`,
  }))
  return {
    ...summaryAt(pull, now),
    url: `https://forge.test/pull/${pull.number}`,
    title: `change ${pull.number}`,
    author: account(pull.author),
    draft: false,
    createdAt: wholeSecond(pull.createdAt),
    fromFork: false,
    commits: pull.heads.map(({ commit }) => ({
      sha: commit.id,
      author: account(commit.author),
      committer: account(commit.author),
      authorEmail: `${commit.author}@work.example`,
      committerEmail: `${commit.author}@work.example`,
      coAuthorEmails: [],
    })),
    commitsTruncated: false,
    pushers: [...new Set(pull.heads.map(({ commit }) => commit.author))].map(account),
    reviews,
    files: changedFiles(pull),
    hostTime: wholeSecond(now),
  }
}

export function resolvedRef(sha: CommitSha | null): ResolvedRef {
  return sha === null ? { found: false } : { found: true, sha, reachable: true }
}

export function ciEvidence(sha: CommitSha, state: CiState): CiEvidence {
  return { sha, results: state === 'none' ? [] : [{ name: 'build', app: 'github-actions', state, url: null }], ignored: [] }
}

/** Did this review see the content that a file has in a commit? */
export function sawContent(remote: Remote, review: SimReview, path: string, commit: Commit): boolean {
  const seen = remote.commit(review.commit)
  const text = textAt(commit, path)
  const before = seen === undefined ? undefined : textAt(seen, path)
  return text === undefined || before === undefined ? text === before : blobOf(text) === blobOf(before)
}
