import type { Instant } from '../../controller/clock.ts'
import {
  type Files,
  type GitRepository,
  type Person,
  resolveCommit,
  resolveRef,
  updateRef,
  writeCommit,
  writeTag,
  ZERO_SHA,
} from './git/repository.ts'

export interface RefMove {
  ref: string
  /** Zeros when the ref was not there before. */
  before: string
  /** Zeros when it was deleted. */
  after: string
}

/** A repository of any emulated forge, as moving its branches and tags needs it. */
export interface MovableRepository {
  git: GitRepository
  defaultBranch: string
  now(): Instant
  /** Name and address under which an account commits. */
  person(login: string): Person
  /** Everything that follows a moved ref. */
  moved(move: RefMove, by: string): Promise<void>
}

export interface CommitOptions {
  /** Who pushes. */
  as: string
  author?: string | Person
  committer?: string | Person
  message?: string
}

/** What people do with branches and tags, without HTTP. */
export interface BranchPeople {
  /** Adds a commit to a branch (made from the default branch when new) and gives its id. */
  commit(repo: string, branch: string, files: Files, options: CommitOptions): Promise<string>
  forcePush(repo: string, branch: string, sha: string, options: { as: string }): Promise<void>
  /** Also for a name that is taken. With a message the tag is annotated. */
  createTag(repo: string, tag: string, target: string, options: { as: string; message?: string }): Promise<string>
  deleteRef(repo: string, ref: string, options: { as: string }): Promise<void>
}

export function branchPeople(repositoryOf: (fullName: string) => MovableRepository): BranchPeople {
  async function move(repo: MovableRepository, ref: string, after: string | null, by: string): Promise<void> {
    const before = (await resolveRef(repo.git, ref))?.sha ?? ZERO_SHA
    await updateRef(repo.git, ref, after)
    await repo.moved({ ref, before, after: after ?? ZERO_SHA }, by)
  }
  return {
    async commit(fullName, branch, files, { as, author, committer, message = 'A change' }) {
      const repo = repositoryOf(fullName)
      const parent =
        (await resolveCommit(repo.git, `refs/heads/${branch}`)) ??
        (await resolveCommit(repo.git, `refs/heads/${repo.defaultBranch}`))
      const person = (who: string | Person | undefined) => (typeof who === 'object' ? who : repo.person(who ?? as))
      const facts = { author: person(author), committer: person(committer ?? author), message, at: repo.now() }
      const sha = await writeCommit(repo.git, { parents: parent === null ? [] : [parent], ...facts }, files)
      await move(repo, `refs/heads/${branch}`, sha, as)
      return sha
    },
    forcePush: (fullName, branch, sha, { as }) => move(repositoryOf(fullName), `refs/heads/${branch}`, sha, as),
    async createTag(fullName, tag, target, { as, message }) {
      const repo = repositoryOf(fullName)
      const facts = { name: tag, target, tagger: repo.person(as), at: repo.now() }
      const after = message === undefined ? target : await writeTag(repo.git, { ...facts, message })
      await move(repo, `refs/tags/${tag}`, after, as)
      return after
    },
    deleteRef: (fullName, ref, { as }) => move(repositoryOf(fullName), ref, null, as),
  }
}
