import { simpleGit } from 'simple-git'
import { SECOND_MS } from '../clock.ts'
import { ConfigFault, messageOf, RefusedFault, TransientFault } from '../errors.ts'
import type { CommitSha } from '../model/names.ts'
import type { TreeEntry } from '../model/snapshot.ts'
import {
  type AuthorizationHeader,
  type GitSurroundings,
  gitEnvironment,
  gitSettings,
  WORKING_DIRECTORY,
} from './git-environment.ts'
import { isPrivateRef, isSafeRefName } from './ref-names.ts'
import { lastLines, remoteFault } from './remote-fault.ts'
import { parseTree } from './tree-listing.ts'

/**
 * The one place that builds arguments for Git. It takes object ids and exact full ref names only, so that nothing
 * a repository's users can name is ever resolved, matched by suffix, or read as an option.
 */
export interface Git {
  initBare(): Promise<void>
  /** True when the directory is a bare repository that Git can open. */
  isBareRepository(): Promise<boolean>
  /** Directories of this repository: its own and, for a linked work tree, the one it shares. */
  directories(): Promise<{ own: string; shared: string }>
  objectFormat(): Promise<'sha1' | 'sha256'>
  /** Full name of the branch HEAD stands on; null when it is detached. */
  headRef(): Promise<string | null>
  /** Id that this exact ref holds; null when there is none. */
  readRef(ref: string): Promise<string | null>
  isCommit(id: CommitSha): Promise<boolean>
  listTree(commit: CommitSha): Promise<TreeEntry[]>
  /** The entry of exactly this path; null when the commit or the path is not there. */
  entryAt(commit: CommitSha, path: string): Promise<TreeEntry | null>
  isAncestor(ancestor: CommitSha, descendant: CommitSha): Promise<boolean>
  commitsBetween(from: CommitSha, to: CommitSha, limit: number): Promise<string[]>
  lastAuthorEmail(commit: CommitSha, path: string): Promise<string | null>
  /** Committer time (ms) of the commit that brought the path's present content onto the first-parent line of `commit`. */
  broughtAt(commit: CommitSha, path: string): Promise<number | null>
  /** Id that the remote shows for this exact ref; null when it shows none. */
  remoteRef(remote: GitRemote, ref: string): Promise<string | null>
  /** Copies one remote ref, forced, to a private one. */
  fetchRef(remote: GitRemote, ref: string, into: string): Promise<void>
  /**
   * The same for a commit that no ref of the remote may hold any more; false: the remote does not have it, or gives it to nobody.
   * RefusedFault or TransientFault when it could not be asked.
   */
  fetchCommit(remote: GitRemote, commit: CommitSha, into: string): Promise<boolean>
  /** Packs what many small fetches left behind. */
  repack(): Promise<void>
  looseObjects(): Promise<number>
  /** Stops what runs and refuses what comes. */
  close(): void
}

export interface GitRemote {
  url: string
  authorization: AuthorizationHeader | null
}

export interface GitOptions extends GitSurroundings {
  /** What a person does when this repository cannot be read. */
  damagedFix: string
}

interface Outcome {
  /** Null when a signal ended it. */
  exitCode: number | null
  stdout: string
  stderr: string
}

/** A tree of 100,000 files prints about 12 MB. */
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
/** A killed Git is waited for this long; its transport helper may hold the pipes open a little longer. */
const KILL_GRACE_MS = 250

/** Opens nothing and starts nothing: commands run one process each, as they are asked for. */
export function openGit(options: GitOptions): Git {
  const closing = new AbortController()

  async function run(args: readonly string[], authorization: AuthorizationHeader | null = null): Promise<Outcome> {
    return runGit(options, args, authorization, closing.signal)
  }

  async function read(args: readonly string[]): Promise<string> {
    const outcome = await run(args)
    if (outcome.exitCode === 0) return outcome.stdout
    throw damaged(options, outcome)
  }

  return {
    async initBare() {
      await read(['init', '--bare', '--quiet', '--template=', '--object-format=sha1', '--initial-branch=draven'])
    },
    async isBareRepository() {
      const outcome = await run(['rev-parse', '--is-bare-repository'])
      return outcome.exitCode === 0 && outcome.stdout.trim() === 'true'
    },
    async directories() {
      const outcome = await run(['rev-parse', '--path-format=absolute', '--git-dir', '--git-common-dir'])
      const [own, shared] = outcome.stdout.split('\n')
      if (outcome.exitCode !== 0 || !own || !shared) throw damaged(options, outcome)
      return { own, shared }
    },
    async objectFormat() {
      return (await read(['rev-parse', '--show-object-format'])).trim() === 'sha256' ? 'sha256' : 'sha1'
    },
    async headRef() {
      const outcome = await run(['symbolic-ref', '--quiet', 'HEAD'])
      return outcome.exitCode === 0 ? outcome.stdout.trim() : null
    },
    async readRef(ref) {
      const outcome = await run(['show-ref', '--verify', '--hash', '--end-of-options', isPrivateRef(ref) ? ref : exactRef(ref)])
      return outcome.exitCode === 0 ? outcome.stdout.trim() : null
    },
    async isCommit(id) {
      const outcome = await run(['rev-parse', '--quiet', '--verify', '--end-of-options', `${id}^{commit}`])
      return outcome.exitCode === 0 && outcome.stdout.trim() === id
    },
    async listTree(commit) {
      const outcome = await run(['ls-tree', '-r', '-z', '-l', '--full-tree', '--end-of-options', commit])
      const entries = outcome.exitCode === 0 ? parseTree(outcome.stdout) : null
      if (entries) return entries
      throw damaged(options, outcome)
    },
    async entryAt(commit, path) {
      if (!isPlainPath(path)) return null
      const outcome = await run(['ls-tree', '-z', '-l', '--full-tree', '--', commit, path])
      const entries = outcome.exitCode === 0 ? parseTree(outcome.stdout) : null
      if (entries) return entries.find((entry) => entry.path === path) ?? null
      if (/not a (valid|tree)/i.test(outcome.stderr)) return null
      throw damaged(options, outcome)
    },
    async isAncestor(ancestor, descendant) {
      const outcome = await run(['merge-base', '--is-ancestor', '--end-of-options', ancestor, descendant])
      if (outcome.exitCode === 0 || outcome.exitCode === 1) return outcome.exitCode === 0
      if (/not a valid (commit|object) name/i.test(outcome.stderr)) return false
      throw damaged(options, outcome)
    },
    async commitsBetween(from, to, limit) {
      const stdout = await read(['rev-list', `--max-count=${Math.trunc(limit)}`, '--end-of-options', to, `^${from}`, '--'])
      return stdout.split('\n').filter((line) => line !== '')
    },
    async lastAuthorEmail(commit, path) {
      if (!isPlainPath(path)) return null
      // rev-list and not log: log reads settings that start programs.
      const args = ['rev-list', '--max-count=1', '--no-commit-header', '--format=%ae', '--end-of-options', commit, '--', path]
      const outcome = await run(args)
      return outcome.exitCode === 0 ? outcome.stdout.trim().toLowerCase() || null : null
    },
    async broughtAt(commit, path) {
      if (!isPlainPath(path)) return null
      const flags = ['--max-count=1', '--first-parent', '--no-commit-header', '--format=%ct', '--end-of-options']
      const outcome = await run(['rev-list', ...flags, commit, '--', path])
      const seconds = outcome.exitCode === 0 ? outcome.stdout.trim() : ''
      return /^\d{1,11}$/.test(seconds) ? Number(seconds) * SECOND_MS : null
    },
    async remoteRef({ url, authorization }, ref) {
      const outcome = await run(['ls-remote', '--quiet', '--refs', '--end-of-options', url, exactRef(ref)], authorization)
      if (outcome.exitCode !== 0) throw remoteFault(url, outcome.stderr)
      return exactMatch(outcome.stdout, ref)
    },
    async fetchRef({ url, authorization }, ref, into) {
      const refspec = `+${exactRef(ref)}:${into}`
      const outcome = await run(['fetch', ...FETCH_FLAGS, '--end-of-options', url, refspec], authorization)
      if (outcome.exitCode !== 0) throw remoteFault(url, outcome.stderr)
    },
    async fetchCommit({ url, authorization }, commit, into) {
      const outcome = await run(['fetch', ...FETCH_FLAGS, '--end-of-options', url, `+${commit}:${into}`], authorization)
      if (outcome.exitCode === 0) return true
      if (NOT_GIVEN.test(outcome.stderr)) return false
      throw remoteFault(url, outcome.stderr)
    },
    async repack() {
      await read(['repack', '-a', '-d', '-q'])
    },
    async looseObjects() {
      return Number(/^\d+/.exec(await read(['count-objects']))?.[0] ?? 0)
    },
    close: () => closing.abort(),
  }
}

const FETCH_FLAGS = [
  '--no-tags',
  '--prune',
  '--no-recurse-submodules',
  '--no-auto-maintenance',
  '--no-write-fetch-head',
  '--no-show-forced-updates',
] as const

/** git-upload-pack(1) on a commit that is asked for by its id: gone, or behind `uploadpack.allowReachableSHA1InWant`. */
const NOT_GIVEN = /not our ref|request for unadvertised object/i

/** `ls-remote` matches by suffix: asking for `refs/heads/main` also lists `refs/heads/x/refs/heads/main`. */
function exactMatch(listing: string, ref: string): string | null {
  for (const line of listing.split('\n')) {
    const [id, name] = line.split('\t')
    if (name === ref && id) return id
  }
  return null
}

function exactRef(ref: string): string {
  if (!isSafeRefName(ref)) throw new RefusedFault(`The ref name ${JSON.stringify(ref)} is not one that is ever read.`)
  return ref
}

/** Relative, below the root, and free of the forms that Git would read as "all of this folder". */
function isPlainPath(path: string): boolean {
  return path !== '' && !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

function damaged(options: GitOptions, outcome: Outcome): ConfigFault {
  return new ConfigFault(`The repository in ${options.gitDir} cannot be read: ${lastLines(outcome.stderr)}`, options.damagedFix)
}

/** Categories of simple-git's guard that our own fixed settings touch. No caller's text reaches any of them. */
const OUR_SETTINGS = {
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeHooksPath: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
} as const

/** Runs one command to its end. Exit codes are values; a timeout, an overflow or a missing `git` is a fault. */
async function runGit(
  options: GitOptions,
  args: readonly string[],
  authorization: AuthorizationHeader | null,
  closed: AbortSignal,
): Promise<Outcome> {
  if (closed.aborted) throw new TransientFault('The config repository was closed.')
  const environment = gitEnvironment(options, authorization)
  const outcome: Outcome = { exitCode: 0, stdout: '', stderr: '' }
  const stop = stopper(options.timeoutMs, closed)
  const git = simpleGit({
    baseDir: WORKING_DIRECTORY,
    config: [...gitSettings(options)],
    allowEnvironment: Object.keys(environment),
    unsafe: { ...OUR_SETTINGS, allowUnsafeTemplateDir: args[0] === 'init' },
    abort: stop.signal,
    // Its default takes the output as complete 50 ms after the exit: a busy machine would see half a tree.
    completion: { onClose: true, onExit: false },
    // Never an error here: what an exit code means is for the caller of each command to say.
    errors(_error, result) {
      outcome.exitCode = result.exitCode
      outcome.stderr = scrub(Buffer.concat(result.stdErr).toString('utf8'), authorization)
      return undefined
    },
  })
  git.outputHandler((_command, stdout) => {
    let bytes = 0
    stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > OUTPUT_LIMIT_BYTES) stop.now(new RefusedFault(`git ${args[0]} printed more than ${OUTPUT_LIMIT_BYTES} bytes.`))
    })
  })
  try {
    outcome.stdout = await Promise.race([git.env(environment).raw([...args]), stop.stopped])
  } catch (error) {
    throw stop.reason() ?? new Error(scrub(messageOf(error), authorization))
  } finally {
    stop.done()
  }
  const cutShort = stop.reason()
  if (cutShort) throw cutShort
  if (outcome.exitCode === null) throw new TransientFault(`git ${args[0]} was ended by a signal.`)
  if (outcome.exitCode < 0)
    throw new ConfigFault('The program git could not be started.', 'Install Git 2.39.4 or newer and put it on PATH.')
  return outcome
}

/** One switch for the three ways a command ends early: deadline, too much output, close. */
function stopper(timeoutMs: number, closed: AbortSignal) {
  const controller = new AbortController()
  let reason: Error | null = null
  let giveUp: (error: Error) => void = () => {}
  let grace: NodeJS.Timeout | undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    giveUp = reject
  })
  stopped.catch(() => {})

  function now(why: Error): void {
    if (reason) return
    reason = why
    controller.abort()
    grace = setTimeout(() => giveUp(why), KILL_GRACE_MS)
  }
  const onClose = () => now(new TransientFault('The config repository was closed.'))
  const deadline = setTimeout(() => now(new TransientFault(`git gave no answer within ${timeoutMs} ms.`)), timeoutMs)
  closed.addEventListener('abort', onClose)
  return {
    signal: controller.signal,
    stopped,
    now,
    reason: () => reason,
    done() {
      clearTimeout(deadline)
      clearTimeout(grace)
      closed.removeEventListener('abort', onClose)
    },
  }
}

/** Takes the credential out of what Git printed, whole and without its scheme word. */
function scrub(text: string, authorization: AuthorizationHeader | null): string {
  if (authorization === null) return text
  const secret = authorization.value.split(' ').at(-1) ?? ''
  return [authorization.value, secret]
    .filter((part) => part !== '')
    .reduce((rest, part) => rest.replaceAll(part, '[removed]'), text)
}
