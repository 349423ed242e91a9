import { RefusedFault } from '../../errors.ts'
import type { RefHost } from '../../jobs/evidence.ts'
import { type CommitSha, isCommitSha } from '../../model/names.ts'
import type { ResolvedRef } from '../../policy/facts.ts'
import { unlessMissing } from '../json-calls.ts'
import { type CiQuestion, ciReader } from './ci.ts'
import type { BitbucketClient } from './client.ts'
import { fullSha } from './commit-ids.ts'

interface NamedRef {
  name: string
  /** The commit, also of an annotated tag. */
  target: { hash: string; type?: string } | null
}

export interface BitbucketRefsOptions {
  defaultBranch: string
  /** What the project's `ci` asks for. */
  ci: CiQuestion
}

/** Refs and CI results of a project's repository. */
export function bitbucketRefs(client: BitbucketClient, { defaultBranch, ci }: BitbucketRefsOptions): RefHost {
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
    ciEvidence: ciReader(client, ci),
  }
}

async function namedRef(
  client: BitbucketClient,
  kind: 'branches' | 'tags',
  name: string,
  defaultBranch: string,
): Promise<ResolvedRef> {
  const sha = await exactRef(client, kind, name)
  if (sha !== null) return { found: true, sha, reachable: true }
  await assertRepositoryVisible(client, defaultBranch)
  return { found: false }
}

async function exactRef(client: BitbucketClient, kind: 'branches' | 'tags', name: string): Promise<CommitSha | null> {
  const path = `${client.repository}/refs/${kind}/${name.split('/').map(encodeURIComponent).join('/')}`
  const found = await unlessMissing(() => client.get<NamedRef>(path))
  if (found === null || found.data.name !== name || found.data.target === null) return null
  return fullSha(client, found.data.target.hash)
}

/** A commit that somebody names by id. Forks share their objects, so being found is not enough: it must be on the default branch. */
async function bareCommit(client: BitbucketClient, sha: CommitSha, defaultBranch: string): Promise<ResolvedRef> {
  const commit = await unlessMissing(() => client.get<{ hash: string }>(`${client.repository}/commit/${sha}`))
  const head = await assertRepositoryVisible(client, defaultBranch)
  if (commit === null || commit.data.hash !== sha) return { found: false }
  if (head === sha) return { found: true, sha, reachable: true }
  // Histories without a common commit are a 404.
  const base = await unlessMissing(() => client.get<{ hash: string }>(`${client.repository}/merge-base/${sha}..${head}`))
  return { found: true, sha, reachable: base !== null && (await fullSha(client, base.data.hash)) === sha }
}

/**
 * A 404 may mean "no such thing" or "not for you". The default branch tells them apart: RefusedFault when even that cannot be seen,
 * so that a lost permission is never read as a deleted ref or a vanished pipeline. Gives the branch's head.
 */
export async function assertRepositoryVisible(client: BitbucketClient, defaultBranch: string): Promise<CommitSha> {
  const head = await exactRef(client, 'branches', defaultBranch)
  if (head === null) {
    throw new RefusedFault(
      `The default branch ${defaultBranch} of ${client.fullName} is not there, or the token may not read the repository.`,
      404,
    )
  }
  return head
}
