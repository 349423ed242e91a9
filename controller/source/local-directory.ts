import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { watch as watchFiles } from 'chokidar'
import { ConfigFault, messageOf, RefusedFault } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type CommitSha, commitSha } from '../model/names.ts'
import type { ConfigSource } from '../reconcile/ports.ts'
import type { GitOptions } from './git.ts'
import { openGit } from './git.ts'
import { isSafeBranchName } from './ref-names.ts'
import { openRepository } from './repository.ts'

export interface LocalDirectoryOptions {
  directory: string
  /** Null: whatever branch HEAD stands on, looked up at every fetch. */
  branch: string | null
  log: Logger
}

export type LocalDirectory = ConfigSource & {
  /** Calls back soon after a ref moved. Only a nudge: events get lost, so the caller polls as well. Gives the way to stop. */
  watch(onChange: () => void): () => Promise<void>
  close(): Promise<void>
}

/** One commit touches several files; a burst of them is one nudge. */
const DEBOUNCE_MS = 100
const TIMEOUT_MS = 60_000

/**
 * A Git repository on this disk, read from its commits and never from its work tree: what counts is what is committed.
 * The repository's own settings can start nothing, and Git may open no connection on its behalf.
 * @throws ConfigFault when there is no repository in the directory, or the branch name is not one that is read
 */
export async function openLocalDirectory(options: LocalDirectoryOptions): Promise<LocalDirectory> {
  const { branch, log } = options
  if (branch !== null && !isSafeBranchName(branch)) {
    throw new ConfigFault(
      `${JSON.stringify(branch)} is not a branch name that is read.`,
      'Use letters, digits and . _ / + - only.',
    )
  }
  const location = locate(options.directory)
  const { own, shared } = await openGit(location).directories()
  const idLength = (await openGit(location).objectFormat()) === 'sha256' ? 64 : 40
  const repository = openRepository({ ...location, idLength })
  const { git } = repository

  async function headCommit(): Promise<CommitSha | null> {
    const ref = branch === null ? await git.headRef() : `refs/heads/${branch}`
    if (ref === null)
      throw new RefusedFault(`HEAD of ${options.directory} stands on no branch. Check a branch out, or name one in the settings.`)
    const id = await git.readRef(ref)
    return id === null ? null : commitSha(id)
  }

  return {
    async fetch() {
      const commit = await headCommit()
      if (commit) return commit
      throw new RefusedFault(
        `${options.directory} has no commit on ${branch ?? 'its current branch'}. Commit something, or set DRAVEN_CONFIG_BRANCH.`,
        404,
      )
    },
    snapshot: repository.snapshot,
    readBlobs: repository.readBlobs,
    history: {
      ...repository.history,
      async fetchPull(headRef, expected) {
        return expected.length === idLength && (await git.readRef(headRef)) === expected && (await git.isCommit(expected))
      },
    },
    watch: (onChange) => watchRefs([join(own, 'HEAD'), join(shared, 'refs'), join(shared, 'packed-refs')], onChange, log),
    close: repository.close,
  }
}

function locate(directory: string): GitOptions {
  const root = resolve(directory)
  const inside = join(root, '.git')
  if (!existsSync(inside) && !existsSync(join(root, 'HEAD'))) {
    throw new ConfigFault(
      `There is no Git repository in ${directory}.`,
      'Run git init there and commit, or name another directory.',
    )
  }
  return {
    // A linked work tree has a file here; Git follows it by itself.
    gitDir: existsSync(inside) ? inside : root,
    protocols: [],
    sshCommand: null,
    timeoutMs: TIMEOUT_MS,
    damagedFix: `Run git fsck in ${directory}.`,
  }
}

function watchRefs(paths: readonly string[], onChange: () => void, log: Logger): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const watcher = watchFiles([...paths], {
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (path) => path.endsWith('.lock'),
  })
  watcher.on('all', () => {
    clearTimeout(timer)
    timer = setTimeout(onChange, DEBOUNCE_MS)
  })
  watcher.on('error', (error) => log.warn('watching the config repository failed; polling goes on', { error: messageOf(error) }))
  return async () => {
    clearTimeout(timer)
    await watcher.close()
  }
}
