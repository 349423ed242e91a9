import { execFile } from 'node:child_process'
import { ConfigFault, RefusedFault, TransientFault } from '../../errors.ts'
import type { RefHost } from '../../jobs/evidence.ts'
import { type CommitSha, commitSha, isCommitSha } from '../../model/names.ts'
import type { ResolvedRef } from '../../policy/facts.ts'

export interface LocalRefsOptions {
  /** A repository on this machine, from the controller's configuration. */
  repository: string
  defaultBranch: string
}

/** What Git itself allows and more narrow: no option, no range, no climbing. */
const REF_NAME = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/
const GIT_TIMEOUT_MS = 20_000

/** Refs of a repository on this machine. It has no CI: a policy that asks for CI keeps waiting, which is the honest answer. */
export function localRefs({ repository, defaultBranch }: LocalRefsOptions): RefHost {
  return {
    async resolveRef(ref): Promise<ResolvedRef> {
      if (ref.type === 'sha') return bareCommit(repository, ref.name, defaultBranch)
      const sha = await exactRef(repository, `refs/${ref.type === 'branch' ? 'heads' : 'tags'}/${ref.name}`)
      return sha === null ? { found: false } : { found: true, sha, reachable: true }
    },
    ciEvidence: async (sha) => ({ sha, results: [], ignored: [] }),
  }
}

async function bareCommit(repository: string, name: string, defaultBranch: string): Promise<ResolvedRef> {
  if (!isCommitSha(name)) return { found: false }
  const commit = await peeled(repository, name)
  // A tag object's id is not a commit's id, though Git would peel it.
  if (commit !== name) return { found: false }
  const head = await exactRef(repository, `refs/heads/${defaultBranch}`)
  if (head === null) throw new RefusedFault(`The default branch ${defaultBranch} of the local repository is not there.`)
  const { code } = await git(repository, ['merge-base', '--is-ancestor', commit, head], [0, 1])
  return { found: true, sha: commit, reachable: code === 0 }
}

/** Never `rev-parse` of a name: `refs/tags/x` there may mean the branch `refs/heads/refs/tags/x`. */
async function exactRef(repository: string, fullName: string): Promise<CommitSha | null> {
  if (!REF_NAME.test(fullName)) return null
  const { code, stdout } = await git(repository, ['show-ref', '--verify', '--', fullName], [0, 1, 128])
  if (code === 128 && !(await isRepository(repository)))
    throw new ConfigFault('A configured local repository is not a Git repository.', 'Correct its path.')
  const [id = '', name = ''] = stdout.trimEnd().split(' ')
  return code === 0 && name === fullName && isCommitSha(id) ? peeled(repository, id) : null
}

async function isRepository(repository: string): Promise<boolean> {
  return (await git(repository, ['rev-parse', '--git-dir'], [0, 128])).code === 0
}

async function peeled(repository: string, id: CommitSha): Promise<CommitSha | null> {
  const { code, stdout } = await git(
    repository,
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `${id}^{commit}`],
    [0, 1, 128],
  )
  return code === 0 ? commitSha(stdout.trim()) : null
}

/** A fixed environment: no configuration, hook, prompt or replaced object of anybody has a say. */
const GIT_ENV = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
}

function git(
  repository: string,
  args: readonly string[],
  expected: readonly number[],
): Promise<{ code: number; stdout: string }> {
  const safe = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', `safe.directory=${repository}`]
  return new Promise((resolve, reject) => {
    execFile('git', ['-C', repository, ...safe, ...args], { env: GIT_ENV, timeout: GIT_TIMEOUT_MS }, (error, stdout) => {
      const code = error === null ? 0 : error.code
      if (typeof code === 'number' && expected.includes(code)) resolve({ code, stdout })
      else reject(new TransientFault(`git ${args[0]} failed in a local repository (${code ?? 'stopped'})`))
    })
  })
}
