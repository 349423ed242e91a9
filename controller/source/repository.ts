import { ConfigFault } from '../errors.ts'
import { blobId, type CommitSha, commitSha } from '../model/names.ts'
import type { Snapshot, TreeEntry } from '../model/snapshot.ts'
import type { ConfigSource, SourceHistory } from '../reconcile/ports.ts'
import { openBlobReader } from './blob-reader.ts'
import { type Git, type GitOptions, openGit } from './git.ts'

/** Everything a ConfigSource does without a remote: the same for our mirror and for a directory of the operator's. */
export interface Repository extends Pick<ConfigSource, 'snapshot' | 'readBlobs'> {
  git: Git
  history: Omit<SourceHistory, 'fetchPull'>
  close(): Promise<void>
}

export interface RepositoryOptions extends GitOptions {
  /** 40 or 64. A name of the other length could only be a ref's, so it is unknown and never shown to Git. */
  idLength: number
}

export function openRepository(options: RepositoryOptions): Repository {
  const git = openGit(options)
  const blobs = openBlobReader(options)
  const ancestry = remembering((ancestor: CommitSha, descendant: CommitSha) => git.isAncestor(ancestor, descendant))
  const entries = remembering((commit: CommitSha, path: string) => git.entryAt(commit, path))
  const snapshots = recentSnapshots((commit) => git.listTree(commit))
  const fits = (...commits: readonly CommitSha[]) => commits.every((commit) => commit.length === options.idLength)

  function mustFit(...commits: readonly CommitSha[]): void {
    if (!fits(...commits))
      throw new ConfigFault(`${commits.join(' and ')} cannot be commits of this repository.`, options.damagedFix)
  }

  return {
    git,
    async snapshot(commit) {
      mustFit(commit)
      return (await snapshots.of(commit)).snapshot
    },
    readBlobs: (ids) => blobs.read(ids),
    history: {
      async isAncestor(ancestor, descendant) {
        return fits(ancestor, descendant) && ancestry(ancestor, descendant)
      },
      async commitsBetween(from, to, limit) {
        mustFit(from, to)
        return (await git.commitsBetween(from, to, limit)).map(commitSha)
      },
      async blobAt(commit, path) {
        if (!fits(commit)) return null
        const tree = await snapshots.known(commit)
        const entry = tree === null ? await entries(commit, path) : (tree.byPath.get(path) ?? null)
        return entry && isFile(entry.mode) ? blobId(entry.id) : null
      },
      async lastAuthorEmail(commit, path) {
        return fits(commit) ? git.lastAuthorEmail(commit, path) : null
      },
      async broughtAt(commit, path) {
        return fits(commit) ? git.broughtAt(commit, path) : null
      },
    },
    async close() {
      git.close()
      await blobs.close()
    },
  }
}

interface Tree {
  snapshot: Snapshot
  byPath: ReadonlyMap<string, TreeEntry>
}

/** Trees kept at once: the branch in force, its rules, and the pull requests that are being looked at. */
const RECENT_SNAPSHOTS = 8

/** A commit's tree never changes, and the few that matter are asked for again and again. */
function recentSnapshots(list: (commit: CommitSha) => Promise<readonly TreeEntry[]>) {
  const recent = new Map<CommitSha, Promise<Tree>>()
  async function read(commit: CommitSha): Promise<Tree> {
    const entries = await list(commit)
    return { snapshot: { commit, entries }, byPath: new Map(entries.map((entry) => [entry.path, entry])) }
  }
  return {
    of(commit: CommitSha): Promise<Tree> {
      const tree = recent.get(commit) ?? read(commit)
      recent.delete(commit)
      recent.set(commit, tree)
      tree.catch(() => recent.delete(commit))
      const oldest = recent.size > RECENT_SNAPSHOTS ? recent.keys().next().value : undefined
      if (oldest !== undefined) recent.delete(oldest)
      return tree
    },
    known: (commit: CommitSha): Promise<Tree | null> => recent.get(commit)?.catch(() => null) ?? Promise.resolve(null),
  }
}

/** Answers kept at once, about 200 bytes each. */
const REMEMBERED = 20_000

/**
 * What is true of commits stays true, and asking Git is a process each time. Only a yes is kept: a no may mean that a commit has
 * not been fetched yet. Questions asked at the same time are asked once.
 */
function remembering<A extends string, B extends string, T>(ask: (a: A, b: B) => Promise<T>): (a: A, b: B) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (a, b) => {
    const key = `${a} ${b}`
    const answered = known.get(key)
    if (answered !== undefined) return answered
    const answer = ask(a, b)
    known.set(key, answer)
    const forget = () => known.delete(key)
    answer.then((value) => value || forget(), forget)
    const oldest = known.size > REMEMBERED ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    return answer
  }
}

/** A symlink's blob holds a path, not a document; a submodule's id is no blob at all. */
function isFile(mode: string): boolean {
  return mode === '100644' || mode === '100755'
}
