import { RefusedFault } from '../../errors.ts'
import type { RefHost } from '../../jobs/evidence.ts'
import { type CommitSha, commitSha, isCommitSha } from '../../model/names.ts'
import type { ResolvedRef } from '../../policy/facts.ts'
import { unlessMissing } from '../json-calls.ts'
import { giteaCiEvidence } from './ci.ts'
import { type GiteaClient, refPath } from './client.ts'

const PLAIN = { stat: false, verification: false, files: false }

/** Refs and CI results of a project's repository. */
export function giteaRefs(client: GiteaClient, { defaultBranch }: { defaultBranch: string }): RefHost {
  async function named(find: () => Promise<CommitSha | null>): Promise<ResolvedRef> {
    const sha = await find()
    if (sha !== null) return { found: true, sha, reachable: true }
    await assertRepositoryVisible(client, defaultBranch)
    return { found: false }
  }
  return {
    async resolveRef(ref) {
      switch (ref.type) {
        case 'branch':
          return named(() => branchHead(client, ref.name))
        case 'tag':
          return named(() => taggedCommit(client, ref.name))
        case 'sha':
          return isCommitSha(ref.name) ? bareCommit(client, ref.name, defaultBranch) : { found: false }
      }
    },
    ciEvidence: (sha) => giteaCiEvidence(client, sha),
  }
}

async function branchHead(client: GiteaClient, name: string): Promise<CommitSha | null> {
  const path = refPath(name)
  if (path === null) return null
  const found = await unlessMissing(() =>
    client.get<{ name: string; commit: { id: string } | null }>(`${client.repo}/branches/${path}`),
  )
  if (found === null || found.data.name !== name || found.data.commit === null) return null
  return commitSha(found.data.commit.id)
}

/** What an annotated tag names may itself be a tag, or no commit at all; asked for as a commit, the server peels it. */
async function taggedCommit(client: GiteaClient, name: string): Promise<CommitSha | null> {
  const path = refPath(name)
  if (path === null) return null
  const found = await unlessMissing(() =>
    client.get<{ name: string; commit: { sha: string } | null }>(`${client.repo}/tags/${path}`),
  )
  if (found === null || found.data.name !== name || found.data.commit === null) return null
  return commitBehind(client, found.data.commit.sha)
}

async function commitBehind(client: GiteaClient, object: string): Promise<CommitSha | null> {
  if (!isCommitSha(object)) return null
  const commit = await unlessMissing(() => client.get<{ sha: string }>(`${client.repo}/git/commits/${object}`, PLAIN), [404, 422])
  return commit === null ? null : commitSha(commit.data.sha)
}

/** A commit that somebody names by id. The heads of pull requests from forks are there too, so it must be on the default branch. */
async function bareCommit(client: GiteaClient, sha: CommitSha, defaultBranch: string): Promise<ResolvedRef> {
  const commit = await commitBehind(client, sha)
  const head = await assertRepositoryVisible(client, defaultBranch)
  if (commit !== sha) return { found: false }
  if (head === sha) return { found: true, sha, reachable: true }
  // Commits of `sha` that the branch lacks. By ids, since a tag may be named like the branch.
  const compared = await unlessMissing(() => client.get<{ total_commits: number }>(`${client.repo}/compare/${head}...${sha}`))
  return { found: true, sha, reachable: compared?.data.total_commits === 0 }
}

/**
 * A 404 may mean "no such thing" or "not for you". The default branch tells them apart: RefusedFault when even that cannot be seen,
 * so that a lost permission is never read as a deleted ref or a vanished run. Gives the branch's head.
 */
export async function assertRepositoryVisible(client: GiteaClient, defaultBranch: string): Promise<CommitSha> {
  const head = await branchHead(client, defaultBranch)
  if (head === null) {
    throw new RefusedFault(
      `The default branch ${defaultBranch} of ${client.fullName} is not there, or the token may not read the repository.`,
      404,
    )
  }
  return head
}
