import { RefusedFault } from '../../errors.ts'
import type { RefHost } from '../../jobs/evidence.ts'
import { type CommitSha, commitSha, isCommitSha } from '../../model/names.ts'
import type { ResolvedRef } from '../../policy/facts.ts'
import { githubCiEvidence, type OwnRuns } from './ci.ts'
import type { GithubClient } from './client.ts'

/** A tag of a tag of a tag … ends somewhere in honest repositories. */
const MAX_TAG_DEPTH = 10

/** Refs and CI results of a project's repository. */
export function githubRefs(client: GithubClient, project: OwnRuns & { defaultBranch: string }): RefHost {
  return {
    async resolveRef(ref) {
      switch (ref.type) {
        case 'branch':
          return namedRef(client, `heads/${ref.name}`, project.defaultBranch)
        case 'tag':
          return namedRef(client, `tags/${ref.name}`, project.defaultBranch)
        case 'sha':
          return isCommitSha(ref.name) ? bareCommit(client, ref.name, project.defaultBranch) : { found: false }
      }
    },
    ciEvidence: (sha) => githubCiEvidence(client, sha, project),
  }
}

async function namedRef(client: GithubClient, name: string, defaultBranch: string): Promise<ResolvedRef> {
  const sha = await exactRef(client, name)
  if (sha !== null) return { found: true, sha, reachable: true }
  await assertRepositoryVisible(client, defaultBranch)
  return { found: false }
}

/**
 * Only the ref with exactly this full name (`git/ref/…` matches nothing else), peeled to its commit.
 * `GET /commits/{name}` is not used: it guesses between branches, tags and short ids of the same name.
 */
async function exactRef({ octokit, owner, repo }: GithubClient, name: string): Promise<CommitSha | null> {
  const found = await unlessMissing(() => octokit.rest.git.getRef({ owner, repo, ref: name }))
  if (found === null || found.data.ref !== `refs/${name}`) return null
  let target: { type: string; sha: string } = found.data.object
  for (let depth = 0; target.type === 'tag'; depth++) {
    if (depth === MAX_TAG_DEPTH)
      throw new RefusedFault(`The tag ${name} of ${owner}/${repo} is nested more than ${MAX_TAG_DEPTH} deep.`)
    const tag = await octokit.rest.git.getTag({ owner, repo, tag_sha: target.sha })
    target = tag.data.object
  }
  // A tag may name a tree or a file: nothing that a pipeline could check out.
  return target.type === 'commit' ? commitSha(target.sha) : null
}

/**
 * A commit that somebody names by id. GitHub serves commits of forks under the parent repository too,
 * so being found is not enough: it must be on the default branch. Compared by ids, as a tag may be named like that branch.
 */
async function bareCommit(client: GithubClient, sha: CommitSha, defaultBranch: string): Promise<ResolvedRef> {
  const { octokit, owner, repo } = client
  const commit = await unlessMissing(() => octokit.rest.repos.getCommit({ owner, repo, ref: sha, per_page: 1 }), [404, 422])
  const head = await assertRepositoryVisible(client, defaultBranch)
  if (commit === null || commit.data.sha !== sha) return { found: false }
  const compared = await unlessMissing(() =>
    octokit.rest.repos.compareCommitsWithBasehead({ owner, repo, basehead: `${head}...${sha}`, per_page: 1 }),
  )
  const status = compared?.data.status
  return { found: true, sha, reachable: status === 'identical' || status === 'behind' }
}

/**
 * A 404 may mean "no such thing" or "not for you". The default branch tells them apart: RefusedFault when even that cannot be seen,
 * so that a lost permission is never read as a deleted ref or a vanished run. Gives the branch's head.
 */
export async function assertRepositoryVisible(client: GithubClient, defaultBranch: string): Promise<CommitSha> {
  const head = await exactRef(client, `heads/${defaultBranch}`)
  if (head === null) {
    throw new RefusedFault(
      `The default branch ${defaultBranch} of ${client.owner}/${client.repo} is not there, or the credential may not read the repository.`,
      404,
    )
  }
  return head
}

async function unlessMissing<T>(send: () => Promise<T>, statuses: readonly number[] = [404]): Promise<T | null> {
  try {
    return await send()
  } catch (error) {
    if (error instanceof RefusedFault && error.status !== null && statuses.includes(error.status)) return null
    throw error
  }
}
