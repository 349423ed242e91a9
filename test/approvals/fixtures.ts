import type { Account, PullRequestCommit, PullRequestFacts, Review } from '../../controller/approvals/evidence.ts'
import type { TallyInput } from '../../controller/approvals/tally-reviews.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../controller/clock.ts'
import { type CommitSha, commitSha, type SubjectDigest } from '../../controller/model/names.ts'
import { ALICE, accountId, BLOB, desiredState, NOW, SHA } from '../policy/fixtures.ts'

/** Head of the pull request; it holds the request file as it would run. */
export const HEAD: CommitSha = commitSha('d'.repeat(40))

/** When the subject was first on show. */
export const PINNED_AT = NOW - 2 * HOUR_MS

export function account(login: string, overrides: Partial<Account> = {}): Account {
  return { provider: 'github', login, id: accountId(login), kind: 'user', ...overrides }
}

/** An approval of the head, given an hour ago. */
export function review(login: string, overrides: Partial<Review> = {}): Review {
  return {
    id: `${login}-${overrides.state ?? 'approved'}-${overrides.submittedAt ?? ''}`,
    reviewer: account(login),
    state: 'approved',
    commit: HEAD,
    submittedAt: NOW - HOUR_MS,
    url: 'https://github.test/acme/deploys/pull/12#review',
    ...overrides,
  }
}

/** A review given this many minutes after the plain one. */
export function later(login: string, state: Review['state'], minutes: number, overrides: Partial<Review> = {}): Review {
  return review(login, { state, submittedAt: NOW - HOUR_MS + minutes * MINUTE_MS, ...overrides })
}

/** A commit by alice, committed by the host. */
export function prCommit(overrides: Partial<PullRequestCommit> = {}): PullRequestCommit {
  return {
    sha: HEAD,
    author: account('alice'),
    committer: account('web-flow'),
    authorEmail: 'alice@acme.test',
    committerEmail: 'noreply@github.com',
    coAuthorEmails: [],
    ...overrides,
  }
}

/** alice asks; she opened, wrote and pushed the pull request. */
export function pullRequest(overrides: Partial<PullRequestFacts> = {}): PullRequestFacts {
  return {
    number: 12,
    url: 'https://github.test/acme/deploys/pull/12',
    title: 'Deploy shop v1.4.2 to prod',
    author: account('alice'),
    state: 'open',
    draft: false,
    baseRef: 'main',
    headSha: HEAD,
    mergeCommit: null,
    mergedAt: null,
    createdAt: PINNED_AT,
    updatedAt: NOW,
    fromFork: false,
    commits: [prCommit()],
    commitsTruncated: false,
    pushers: [account('alice')],
    reviews: [],
    files: [],
    hostTime: NOW,
    ...overrides,
  }
}

/** What tallyReviews is asked for; `reviews` and `pull` in short. */
export function tallyInput(
  reviews: readonly Review[],
  { pull, ...overrides }: Partial<TallyInput> & { pull?: Partial<PullRequestFacts> } = {},
): TallyInput {
  return {
    desired: desiredState(),
    provider: 'github',
    project: 'shop',
    environment: 'prod',
    facts: pullRequest({ reviews, ...pull }),
    content: { blobAt: new Map([[HEAD, BLOB]]) },
    requestBlob: BLOB,
    configBranch: 'main',
    requester: ALICE,
    pin: { digest: 'e'.repeat(64) as SubjectDigest, sha: SHA, since: PINNED_AT },
    needed: 2,
    validMs: DAY_MS,
    now: NOW,
    ...overrides,
  }
}
