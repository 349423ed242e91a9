import { resolve } from 'node:path'
import pLimit from 'p-limit'
import { ConfigFault, RefusedFault, TransientFault } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type CommitSha, commitSha } from '../model/names.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { ConfigSource } from '../reconcile/ports.ts'
import type { GitRemote } from './git.ts'
import type { AuthorizationHeader } from './git-environment.ts'
import { MIRROR_FIX, prepareMirrorDirectory } from './mirror-directory.ts'
import { isSafeBranchName, isSafeRefName, privateRef } from './ref-names.ts'
import { parseRemoteUrl, type RemoteUrl } from './remote-url.ts'
import { openRepository } from './repository.ts'

export interface MirrorOptions {
  url: string
  branch: string
  /** Made on first start; one process per directory. */
  directory: string
  /** Value of an HTTP Authorization header, asked for anew before every call and sent to `url`'s origin only. */
  authorization: (() => Promise<string | null>) | null
  allowFileProtocol: boolean
  /** Plain http, and even then only to this machine. */
  allowHttp: boolean
  /** Wall clock for one Git command. */
  fetchTimeoutMs: number
  /** The operator's DRAVEN_GIT_SSH_COMMAND. Left out or null: `ssh` that knows its hosts and asks nobody. */
  sshCommand?: string | null
  log: Logger
}

export type Mirror = ConfigSource & { close(): Promise<void> }

/** Of a SHA-1 name. One of another length could only be a ref's. */
const ID_LENGTH = 40

/** Loose objects that small fetches may leave before the next start packs them; Git's own automatic limit. */
const LOOSE_OBJECTS_LIMIT = 6_700

/**
 * A bare mirror of the config branch, read without ever checking it out.
 * Opening does not contact the remote; a first `fetch` fills an empty mirror.
 * @throws ConfigFault for an address, branch or directory that a person must correct
 */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const remoteUrl = parseRemoteUrl(options.url, { file: options.allowFileProtocol, loopbackHttp: options.allowHttp })
  if (!isSafeBranchName(options.branch)) {
    throw new ConfigFault(
      `${JSON.stringify(options.branch)} is not a branch name that is read.`,
      'Use letters, digits and . _ / + - only.',
    )
  }
  const gitDir = resolve(options.directory)
  const repository = openRepository({
    gitDir,
    protocols: [remoteUrl.protocol],
    sshCommand: options.sshCommand ?? null,
    timeoutMs: options.fetchTimeoutMs,
    damagedFix: MIRROR_FIX,
    idLength: ID_LENGTH,
  })
  const { git } = repository
  await prepareMirrorDirectory(gitDir, options.url, git)
  if ((await git.looseObjects()) > LOOSE_OBJECTS_LIMIT) await git.repack()

  const remote = () => withAuthorization(remoteUrl, options.authorization)
  // Fetches write refs; two at once would meet at each other's locks.
  const oneAtATime = pLimit(1)

  let head: string | null = null

  async function fetch(): Promise<CommitSha> {
    const ref = `refs/heads/${options.branch}`
    const mirrored = privateRef('heads', options.branch)
    const there = await git.remoteRef(await remote(), ref)
    if (there === null) throw missingBranch(options.url, options.branch)
    if (there.length !== ID_LENGTH)
      throw new RefusedFault(`${options.url} stores SHA-256 objects; only SHA-1 remotes are mirrored.`)
    if (there === head) return commitSha(head)
    const before = await git.readRef(mirrored)
    if (there === before) {
      head = before
      return commitSha(before)
    }
    await git.fetchRef(await remote(), ref, mirrored)
    const after = await git.readRef(mirrored)
    if (after === null) throw new ConfigFault(`The mirror in ${gitDir} does not keep what it fetched.`, MIRROR_FIX)
    head = after
    options.log.info('config repository fetched', { branch: options.branch, before, after })
    return commitSha(after)
  }

  async function fetchPull(headRef: string, expected: CommitSha): Promise<boolean> {
    if (!isSafeRefName(headRef)) throw new RefusedFault(`The ref name ${JSON.stringify(headRef)} is not one that is ever read.`)
    const kept = privateRef('pulls', headRef)
    if ((await git.remoteRef(await remote(), headRef)) !== expected) return false
    if ((await git.readRef(kept)) !== expected) await git.fetchRef(await remote(), headRef, kept)
    // The ref may have moved between the look and the fetch, and a ref may hold something that is no commit.
    return (await git.readRef(kept)) === expected && (await git.isCommit(expected))
  }

  async function fetchCommit(commit: CommitSha): Promise<boolean> {
    if (commit.length !== ID_LENGTH) return false
    try {
      // A mirror that has lost its own branch is damaged, and a person is told so.
      if (head === null || !(await git.isCommit(commitSha(head))) || (await git.isCommit(commit))) return false
      return await git.fetchCommit(await remote(), commit, privateRef('commits', commit))
    } catch (error) {
      // Out of reach is not gone: who must know the difference, decides nothing on it.
      if (error instanceof TransientFault) throw error
      return false
    }
  }

  /**
   * A commit that was accepted by another process, or before this mirror was made, and has left the branch since (history was
   * rewritten): hosts keep it for a while, and give it to whoever names it.
   */
  async function snapshot(commit: CommitSha): Promise<Snapshot> {
    try {
      return await repository.snapshot(commit)
    } catch (error) {
      const given = await oneAtATime(() => fetchCommit(commit))
      // What is wrong with our own repository is said as it was.
      if (!given) throw error
      return repository.snapshot(commit)
    }
  }

  return {
    fetch: () => oneAtATime(fetch),
    snapshot,
    readBlobs: repository.readBlobs,
    history: { ...repository.history, fetchPull: (headRef, expected) => oneAtATime(() => fetchPull(headRef, expected)) },
    close: repository.close,
  }
}

function missingBranch(url: string, branch: string): RefusedFault {
  return new RefusedFault(
    `${url} has no branch ${branch}, or is empty. Push the branch, or correct its name in the settings.`,
    404,
  )
}

async function withAuthorization({ text, origin }: RemoteUrl, authorization: MirrorOptions['authorization']): Promise<GitRemote> {
  const value = origin === null || authorization === null ? null : await authorization()
  const header: AuthorizationHeader | null = origin === null || value === null ? null : { origin, value }
  if (value !== null && /[\r\n\0]/.test(value)) {
    throw new ConfigFault('The credential of the config repository contains a line break.', 'Store it again without one.')
  }
  return { url: text, authorization: header }
}
