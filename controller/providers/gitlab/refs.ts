import { RefusedFault } from '../../errors.ts'
import type { RefHost } from '../../jobs/evidence.ts'
import { type CommitSha, commitSha, isCommitSha } from '../../model/names.ts'
import type { ResolvedRef } from '../../policy/facts.ts'
import { unlessMissing } from '../json-calls.ts'
import { gitlabCiEvidence } from './ci.ts'
import type { GitlabClient } from './client.ts'

/** A branch or tag, as far as it matters here. `commit` is peeled; null for a tag on a tree or a file. */
interface NamedRef {
  name: string
  commit: { id: string } | null
}

/** Refs and CI results of a project's repository. */
export function gitlabRefs(client: GitlabClient, { defaultBranch }: { defaultBranch: string }): RefHost {
  return {
    async resolveRef(ref) {
      switch (ref.type) {
        case 'branch':
          return namedRef(client, 'branches', ref.name, defaultBranch)
        case 'tag':
          return namedRef(client, 'tags', ref.name, defaultBranch)
        case 'sha':
          return isCommitSha(ref.name) ? bareCommit(client, ref.name, defaultBranch) : { found: false }
      }
    },
    ciEvidence: (sha) => gitlabCiEvidence(client, sha),
  }
}

async function namedRef(
  client: GitlabClient,
  kind: 'branches' | 'tags',
  name: string,
  defaultBranch: string,
): Promise<ResolvedRef> {
  const sha = await exactRef(client, kind, name)
  if (sha !== null) return { found: true, sha, reachable: true }
  await assertProjectVisible(client, defaultBranch)
  return { found: false }
}

/** `target` of an annotated tag is the tag object, so the commit is taken, which GitLab has peeled. */
async function exactRef(client: GitlabClient, kind: 'branches' | 'tags', name: string): Promise<CommitSha | null> {
  const path = `${client.project}/repository/${kind}/${encodeURIComponent(name)}`
  const found = await unlessMissing(() => client.get<NamedRef>(path))
  if (found === null || found.data.name !== name || found.data.commit === null) return null
  return commitSha(found.data.commit.id)
}

/** A commit that somebody names by id. Forks share their objects, so being found is not enough: it must be on the default branch. */
async function bareCommit(client: GitlabClient, sha: CommitSha, defaultBranch: string): Promise<ResolvedRef> {
  const commit = await unlessMissing(() => client.get<{ id: string }>(`${client.project}/repository/commits/${sha}`))
  const head = await assertProjectVisible(client, defaultBranch)
  if (commit === null || commit.data.id !== sha) return { found: false }
  if (head === sha) return { found: true, sha, reachable: true }
  const refs = `refs[]=${sha}&refs[]=${head}`
  // The query repeats a name, so it is part of the path here. Histories without a common commit are a 404.
  const base = await unlessMissing(() => client.get<{ id: string }>(`${client.project}/repository/merge_base?${refs}`))
  return { found: true, sha, reachable: base?.data.id === sha }
}

/**
 * A 404 may mean "no such thing" or "not for you". The default branch tells them apart: RefusedFault when even that cannot be seen,
 * so that a lost permission is never read as a deleted ref or a vanished pipeline. Gives the branch's head.
 */
export async function assertProjectVisible(client: GitlabClient, defaultBranch: string): Promise<CommitSha> {
  const head = await exactRef(client, 'branches', defaultBranch)
  if (head === null) {
    throw new RefusedFault(
      `The default branch ${defaultBranch} of ${client.fullName} is not there, or the token may not read the repository.`,
      404,
    )
  }
  return head
}
