import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { simpleGit } from 'simple-git'
import { CI_FILES } from './init-pipelines.ts'

/** What a checkout tells about a project before anybody wrote a line of configuration. */
export interface Checkout {
  directory: string
  /** URL of `origin`; null when there is none. */
  remoteUrl: string | null
  defaultBranch: string
  /** Text of each file that may define a pipeline, by path. */
  files: ReadonlyMap<string, string>
  /** Whoever commits here. */
  author: { name: string | null; email: string | null }
}

/** A definition of a pipeline is never this large; what is cannot be read here in good time either. */
const MAX_FILE_BYTES = 256 * 1024

/**
 * Reads a person's own checkout, at their own terminal: with their git settings, and unlike the config repository's mirror
 * without any guard against them. Null when it is no git checkout.
 */
export async function readCheckout(directory: string): Promise<Checkout | null> {
  const git = simpleGit({ baseDir: directory })
  const say = async (...args: string[]): Promise<string | null> => {
    const text = await git.raw(args).catch(() => '')
    return text.trim() === '' ? null : text.trim()
  }
  if ((await say('rev-parse', '--show-toplevel')) === null) return null
  const [remoteUrl, originHead, head, name, email] = await Promise.all([
    say('config', '--get', 'remote.origin.url'),
    say('symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD'),
    say('symbolic-ref', '--quiet', '--short', 'HEAD'),
    say('config', '--get', 'user.name'),
    say('config', '--get', 'user.email'),
  ])
  return {
    directory,
    remoteUrl,
    defaultBranch: originHead?.replace(/^origin\//, '') ?? head ?? 'main',
    files: await pipelineFiles(directory),
    author: { name, email },
  }
}

/** A repository at this place whose `origin` is this address; what is there already is kept. */
export async function beginRepository(directory: string, branch: string, remoteUrl: string | null): Promise<void> {
  const git = simpleGit({ baseDir: directory })
  const begun = await git.checkIsRepo('root' as never).catch(() => false)
  if (!begun) await git.raw(['init', '--quiet', `--initial-branch=${branch}`])
  const remotes = await git.getRemotes()
  if (remoteUrl !== null && !remotes.some(({ name }) => name === 'origin')) await git.addRemote('origin', remoteUrl)
}

async function pipelineFiles(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for (const path of CI_FILES.names) await take(path)
  for (const folder of CI_FILES.folders) {
    const names = await readdir(join(directory, folder)).catch(() => [])
    for (const name of names.sort()) if (/\.ya?ml$/.test(name)) await take(`${folder}/${name}`)
  }
  return files

  async function take(path: string): Promise<void> {
    const text = await readFile(join(directory, path), 'utf8').catch(() => null)
    if (text !== null && text.length <= MAX_FILE_BYTES) files.set(path, text)
  }
}
