import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type CommitSha, commitSha } from '../controller/model/names.ts'

/** Real repositories in temporary folders. Authors and dates are fixed, so the same steps give the same commit ids. */
export interface GitFixture {
  directory: string
  /** `file://` address of `directory`. */
  url: string
  /** Runs git in the repository and gives what it printed, trimmed. */
  git(...args: readonly string[]): string
  /** Writes files (null removes one), commits them on the current branch, and gives the commit. */
  commit(files: Readonly<Record<string, string | null>>, options?: CommitOptions): CommitSha
  /** Makes the branch at the current commit when it is new, and switches to it. */
  switchTo(branch: string): void
  /** Merges a branch into the current one with a merge commit. */
  merge(branch: string): CommitSha
  tag(name: string, at?: CommitSha): void
  push(remote: string, ...refspecs: readonly string[]): void
  head(): CommitSha
  /** Feeds `git fast-import`: the quick way to large histories and odd trees. */
  fastImport(stream: string | Iterable<string | Uint8Array>): Promise<void>
  remove(): void
}

export interface CommitOptions {
  message?: string
  author?: string
}

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
}
const FIRST_COMMIT_SECONDS = 1_764_000_000

export function temporaryDirectory(name = 'draven'): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `${name}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) }
}

/** A new repository on branch `main`, without a commit. */
export function gitRepository(options: { bare?: boolean } = {}): GitFixture {
  const { path: directory, remove } = temporaryDirectory('draven-git')
  let seconds = FIRST_COMMIT_SECONDS

  function environment(author?: string): NodeJS.ProcessEnv {
    const date = `${seconds} +0000`
    const written = author === undefined ? {} : { GIT_AUTHOR_EMAIL: author }
    return { ...process.env, ...IDENTITY, ...written, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date }
  }
  function run(args: readonly string[], author?: string): string {
    const output = execFileSync('git', args, {
      cwd: directory,
      env: environment(author),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 1024 * 1024,
    })
    return output.trim()
  }
  const git = (...args: readonly string[]) => run(args)
  const head = () => commitSha(git('rev-parse', 'HEAD'))

  git('init', '--quiet', '--initial-branch=main', ...(options.bare ? ['--bare'] : []))

  return {
    directory,
    url: `file://${directory}`,
    git,
    head,
    commit(files, { message = 'Change files', author } = {}) {
      seconds += 60
      for (const [path, text] of Object.entries(files)) {
        const file = join(directory, path)
        if (text === null) rmSync(file)
        else {
          mkdirSync(dirname(file), { recursive: true })
          writeFileSync(file, text)
        }
      }
      git('add', '--all')
      run(['commit', '--quiet', '--allow-empty', '--message', message], author)
      return head()
    },
    switchTo(branch) {
      const exists = git('for-each-ref', '--format=%(refname)', `refs/heads/${branch}`) !== ''
      git('switch', '--quiet', ...(exists ? [] : ['--create']), branch)
    },
    merge(branch) {
      seconds += 60
      git('merge', '--quiet', '--no-ff', '--message', `Merge ${branch}`, branch)
      return head()
    },
    tag: (name, at) => void git('tag', name, at ?? 'HEAD'),
    push: (remote, ...refspecs) => void git('push', '--quiet', remote, ...refspecs),
    async fastImport(stream) {
      const child = spawn('git', ['fast-import', '--quiet', '--force'], { cwd: directory, stdio: ['pipe', 'ignore', 'inherit'] })
      const closed = once(child, 'close')
      for (const part of typeof stream === 'string' ? [stream] : stream) {
        if (!child.stdin.write(part)) await once(child.stdin, 'drain')
      }
      child.stdin.end()
      const [code] = await closed
      if (code !== 0) throw new Error(`git fast-import ended with ${code}`)
    },
    remove,
  }
}
