import type { PullRequestFacts, PullRequestSummary, ReviewHost } from '../../approvals/evidence.ts'
import { type Clock, type Instant, SECOND_MS, toIso } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { CommitSha } from '../../model/names.ts'
import { hostTimeOf } from '../json-calls.ts'
import { account, type MemberReader, type ShownUser } from './accounts.ts'
import { activityOf, type Participant, pushersIn, reviewsOf } from './activity.ts'
import { type BitbucketClient, everything, repositoryName } from './client.ts'
import { fullSha } from './commit-ids.ts'
import { contributorsOf } from './contributors.ts'

interface Endpoint {
  branch: { name: string }
  /** 12 characters of it; null when the fork is gone. */
  commit: { hash: string } | null
  /** Null when the fork is gone. */
  repository: { full_name: string } | null
}

interface ListedRequest {
  id: number
  title: string
  state: 'OPEN' | 'MERGED' | 'DECLINED' | 'SUPERSEDED'
  draft?: boolean
  author: ShownUser | null
  source: Endpoint
  destination: Endpoint
  merge_commit: { hash: string } | null
  created_on: string
  updated_on: string
  /** Shown in a list on demand. */
  participants?: Participant[]
  links: { html?: { href: string } }
}

interface ShownRequest extends ListedRequest {
  participants: Participant[]
}

interface DiffStat {
  status: string
  old: { path: string } | null
  new: { path: string } | null
}

export interface BitbucketReviewsOptions {
  client: BitbucketClient
  members: MemberReader
  /** Which branch each head was read from, for whoever speaks about it. */
  branches: Map<CommitSha, string>
  clock: Clock
}

/** Pull requests of the config repository. */
export function bitbucketReviews({ client, members, branches, clock }: BitbucketReviewsOptions): ReviewHost {
  const list = `${client.repository}/pullrequests`
  /** Where each pull request that was read comes from: Bitbucket serves no ref of its own for them. */
  const sources = new Map<number, Endpoint>()
  const merged = new Map<number, Instant>()
  /** Did a list tell who stands where? Only then the same pull request may be compared with what the list says of it. */
  let listTells = false

  /** A review may leave no trace in `updated_on`, so the time of the newest stance counts as well. */
  function changedAt({ updated_on: updatedOn, participants = [] }: ListedRequest): Instant {
    const stances = listTells ? participants.map((each) => Date.parse(each.participated_on ?? updatedOn)) : []
    return Math.max(Date.parse(updatedOn), ...stances)
  }

  async function summary(request: ListedRequest, mergedAt: Instant | null): Promise<PullRequestSummary> {
    const isMerged = request.state === 'MERGED'
    const headSha = await headOf(client, request)
    branches.set(headSha, request.source.branch.name)
    return {
      number: request.id,
      state: isMerged ? 'merged' : request.state === 'OPEN' ? 'open' : 'closed',
      baseRef: request.destination.branch.name,
      headSha,
      mergeCommit: isMerged && request.merge_commit !== null ? await fullSha(client, request.merge_commit.hash) : null,
      mergedAt,
      updatedAt: changedAt(request),
    }
  }

  /** Only the log says when a pull request was merged, and that never changes. */
  async function mergedAt({ id, updated_on: updatedOn }: ListedRequest): Promise<Instant> {
    const known = merged.get(id)
    if (known !== undefined) return known
    const at = (await activityOf(client, `${list}/${id}`)).mergedAt
    if (at !== null) merged.set(id, at)
    return at ?? Date.parse(updatedOn)
  }

  return {
    async pullRequests({ baseRef, since }) {
      // One question for what is open and what changed lately. Quotation marks end the text of a condition.
      const base = baseRef.replace(/["\\]/g, '')
      const changed = `updated_on>=${toIso(since - SECOND_MS).replace('Z', '+00:00')}`
      const q = `destination.branch.name="${base}" AND (state="OPEN" OR ${changed})`
      const query = { q, state: STATES, pagelen: 50, fields: '+values.participants' }
      const listed = await everything<ListedRequest>(client, list, query)
      listTells ||= listed.some(({ participants }) => participants !== undefined)
      const found: PullRequestSummary[] = []
      for (const request of listed) {
        sources.set(request.id, request.source)
        if (request.destination.branch.name !== baseRef) continue
        const merge = request.state === 'MERGED' ? await mergedAt(request) : null
        // One whose commits cannot be seen (a fork that is gone, or not for us) keeps none of the others from being read.
        const short = await unlessRefused(() => summary(request, merge))
        if (short !== null) found.push(short)
      }
      return found.filter((request) => request.state === 'open' || request.updatedAt >= since)
    },
    async pullRequest(number) {
      const path = `${list}/${number}`
      const { data, headers } = await client.get<ShownRequest>(path)
      sources.set(number, data.source)
      const activity = await activityOf(client, path)
      const mergedAt = activity.mergedAt ?? Date.parse(data.updated_on)
      const short = await summary(data, data.state === 'MERGED' ? mergedAt : null)
      const destination = data.destination.commit?.hash ?? ''
      const contributors = await contributorsOf(client, { path, source: short.headSha, destination })
      return {
        ...short,
        url: pageOf(client, data),
        title: data.title,
        author: account(data.author),
        draft: data.draft ?? false,
        createdAt: Date.parse(data.created_on),
        fromFork: isFork(client, data.source),
        commits: contributors.commits,
        commitsTruncated: contributors.truncated,
        pushers: pushersIn(activity),
        reviews: await reviewsOf({
          client,
          activity,
          participants: data.participants,
          webUrl: pageOf(client, data),
          updatedAt: short.updatedAt,
          members: data.participants.some(({ approved }) => approved) ? await members() : null,
        }),
        files: (await everything<DiffStat>(client, `${path}/diffstat`)).flatMap(changes),
        hostTime: hostTimeOf(headers, clock),
      }
    },
    headRef(number) {
      const source = sources.get(number)
      if (source === undefined) throw new Error(`pull request ${number} was never read`)
      if (isFork(client, source)) {
        throw new RefusedFault(
          `Pull request ${number} comes from a fork, whose commits Bitbucket does not serve from ${client.fullName}. Push its branch to ${client.fullName} itself.`,
        )
      }
      return `refs/heads/${source.branch.name}`
    },
  }
}

const STATES = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'] as const

function isFork({ fullName }: BitbucketClient, { repository }: Endpoint): boolean {
  return repository?.full_name.toLowerCase() !== fullName.toLowerCase()
}

/** The commits of a fork are in the fork alone. */
async function headOf(client: BitbucketClient, { id, source }: ListedRequest): Promise<CommitSha> {
  if (source.commit === null || source.repository === null) {
    throw new RefusedFault(`Pull request ${id} comes from a repository that is gone, so its commits cannot be read.`)
  }
  const repository = `/repositories/${repositoryName(source.repository.full_name)}`
  return fullSha(client, source.commit.hash, isFork(client, source) ? repository : client.repository)
}

async function unlessRefused<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof RefusedFault) return null
    throw error
  }
}

function pageOf(client: BitbucketClient, { id, links }: ListedRequest): string {
  return links.html?.href ?? `${client.webUrl}/pull-requests/${id}`
}

function changes({ status, old: before, new: after }: DiffStat): PullRequestFacts['files'][number][] {
  if (before === null || after === null || before.path === after.path) {
    const path = (after ?? before)?.path
    if (path === undefined) throw new RefusedFault(`Bitbucket lists a change (${status}) without a path.`)
    return [{ path, status: before === null ? 'added' : after === null ? 'removed' : 'modified' }]
  }
  return [
    { path: before.path, status: 'removed' },
    { path: after.path, status: 'renamed' },
  ]
}
