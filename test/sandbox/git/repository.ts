import { Buffer } from 'node:buffer'
import { appendFile, mkdir } from 'node:fs/promises'
import type { Instant } from '../../../controller/clock.ts'
import type { GitPrograms } from './programs.ts'

export const ZERO_SHA = '0'.repeat(40)

export interface Person {
  name: string
  email: string
}

/** New content of a path; null removes it. A plain string is an ordinary file. */
export type FileContent = string | { mode: '100644' | '100755' | '120000'; content: string } | null
export type Files = Readonly<Record<string, FileContent>>

export interface CommitFacts {
  sha: string
  tree: string
  parents: readonly string[]
  author: Person & { date: string }
  committer: Person & { date: string }
  message: string
}

export interface FileChange {
  path: string
  previousPath: string | null
  status: 'added' | 'removed' | 'modified' | 'renamed' | 'changed'
  blob: string | null
  additions: number
  deletions: number
}

export interface NewCommit {
  parents: readonly string[]
  author: Person
  committer: Person
  message: string
  at: Instant
}

/** A bare repository, worked on by git's own plumbing only. */
export interface GitRepository {
  path: string
  run(args: readonly string[], options?: RunOptions): Promise<string>
}

interface RunOptions {
  input?: string
  env?: Record<string, string>
  /** Exit codes that are an answer, not a failure. */
  accept?: readonly number[]
}

/** Keeps the developer's own git settings and identity out of the sandbox. */
export const GIT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
  TZ: 'UTC',
}

const CONFIG = `[receive]
	hideRefs = refs/pull
	advertisePushOptions = false
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[http]
	receivepack = true
[gc]
	auto = 0
`

export async function createBareRepository(programs: GitPrograms, path: string, defaultBranch: string): Promise<GitRepository> {
  await mkdir(path, { recursive: true })
  const git: GitRepository = { path, run: (args, options) => runGit(programs, path, args, options) }
  await git.run(['init', '--quiet', '--bare', '--template=', `--initial-branch=${defaultBranch}`])
  await appendFile(`${path}/config`, CONFIG)
  return git
}

async function runGit(programs: GitPrograms, cwd: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const env = { ...GIT_ENVIRONMENT, GIT_DIR: cwd, ...options.env }
  const { code, out, err } = await programs.run({ args, cwd, env, input: Buffer.from(options.input ?? '') })
  if (code === 0 || options.accept?.includes(code ?? -1)) return Buffer.from(out).toString('utf8')
  throw new Error(`git ${args[0]} ended with ${code}: ${Buffer.from(err).toString('utf8').trim()}`)
}

/** All refs with the objects they name (tag objects unpeeled). */
export async function listRefs(git: GitRepository): Promise<Map<string, string>> {
  const text = await git.run(['for-each-ref', '--format=%(objectname) %(refname)'])
  return new Map(lines(text).map((line) => [line.slice(41), line.slice(0, 40)]))
}

/** The commit behind a revision (annotated tags peeled); null when there is none. */
export async function resolveCommit(git: GitRepository, revision: string): Promise<string | null> {
  // A commit that was there once stays: nothing is ever pruned, and asking is a process each time.
  const isId = /^[0-9a-f]{40}$/.test(revision)
  const known = KNOWN_COMMITS.get(git) ?? new Set()
  KNOWN_COMMITS.set(git, known)
  if (isId && known.has(revision)) return revision
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]
  const text = (await git.run(args, { accept: [1, 128] })).trim()
  if (!/^[0-9a-f]{40}$/.test(text)) return null
  if (isId && text === revision) known.add(text)
  return text
}

const KNOWN_COMMITS = new WeakMap<GitRepository, Set<string>>()

/** The object a full ref name holds, and its type. */
export async function resolveRef(git: GitRepository, ref: string): Promise<{ sha: string; type: string } | null> {
  const text = (await git.run(['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)', ref])).split('\n')
  const line = text.find((each) => each.endsWith(` ${ref}`))
  const [sha, type] = line?.split(' ') ?? []
  return sha && type ? { sha, type } : null
}

const COMMIT_FORMAT = ['%H', '%T', '%P', '%an', '%ae', '%aI', '%cn', '%ce', '%cI', '%B'].join('%x1f')

/** Commits named by `git log` arguments, newest first. */
export async function readCommits(git: GitRepository, args: readonly string[]): Promise<CommitFacts[]> {
  const text = await git.run(['log', '-z', `--format=${COMMIT_FORMAT}`, ...args])
  return text
    .split('\0')
    .filter((record) => record !== '')
    .map(parseCommit)
}

function parseCommit(record: string): CommitFacts {
  const fields = record.split('\x1f')
  const field = (index: number) => fields[index] ?? ''
  return {
    sha: field(0),
    tree: field(1),
    parents: field(2).split(' ').filter(Boolean),
    author: { name: field(3), email: field(4), date: utc(field(5)) },
    committer: { name: field(6), email: field(7), date: utc(field(8)) },
    message: field(9).trimEnd(),
  }
}

/** One commit by its full id. */
export function readCommit(git: GitRepository, sha: string): Promise<CommitFacts> {
  return remembered(git, `commit ${sha}`, () => readCommitAnew(git, sha))
}

/** The commits in (from, to], oldest first; both by their full ids. */
export function commitsBetween(git: GitRepository, from: string, to: string): Promise<CommitFacts[]> {
  return remembered(git, `between ${from} ${to}`, () => readCommits(git, ['--reverse', '--topo-order', `${from}..${to}`]))
}

async function readCommitAnew(git: GitRepository, sha: string): Promise<CommitFacts> {
  const [commit] = await readCommits(git, ['-1', sha])
  if (!commit) throw new Error(`no commit ${sha}`)
  return commit
}

export async function mergeBase(git: GitRepository, one: string, other: string): Promise<string | null> {
  return (await git.run(['merge-base', one, other], { accept: [1] })).trim() || null
}

export async function isAncestor(git: GitRepository, ancestor: string, descendant: string): Promise<boolean> {
  return (await mergeBase(git, ancestor, descendant)) === ancestor
}

/** Text of a file at a commit; null when it is not there. */
export function readFileAt(git: GitRepository, commit: string, path: string): Promise<string | null> {
  const isId = /^[0-9a-f]{40}$/.test(commit)
  return isId ? remembered(git, `file ${commit} ${path}`, () => readAnew(git, commit, path)) : readAnew(git, commit, path)
}

async function readAnew(git: GitRepository, commit: string, path: string): Promise<string | null> {
  const listed = await git.run(['ls-tree', '-z', commit, '--', path])
  const blob = /^\d+ blob ([0-9a-f]+)\t/.exec(listed)?.[1]
  return blob ? git.run(['cat-file', 'blob', blob]) : null
}

/** Changes between two commits (full ids), renames found as GitHub finds them. */
export function diffFiles(git: GitRepository, from: string, to: string): Promise<FileChange[]> {
  return remembered(git, `diff ${from} ${to}`, () => diffAnew(git, from, to))
}

const memories = new WeakMap<GitRepository, Map<string, unknown>>()

/** What commits say never changes, and a process costs milliseconds: each such question is put to git once. */
async function remembered<T>(git: GitRepository, question: string, ask: () => Promise<T>): Promise<T> {
  const memory = memories.get(git) ?? new Map<string, unknown>()
  memories.set(git, memory)
  if (memory.has(question)) return memory.get(question) as T
  const answer = await ask()
  memory.set(question, answer)
  return answer
}

async function diffAnew(git: GitRepository, from: string, to: string): Promise<FileChange[]> {
  const fields = (await git.run(['diff', '--raw', '--numstat', '-z', '-M', '--no-abbrev', from, to])).split('\0')
  const changes: FileChange[] = []
  let at = 0
  for (; fields[at]?.startsWith(':'); ) {
    const [, , , blob = '', letter = ''] = fields[at]!.split(' ')
    const renamed = letter.startsWith('R')
    changes.push({
      path: fields[at + (renamed ? 2 : 1)] ?? '',
      previousPath: renamed ? (fields[at + 1] ?? '') : null,
      status: CHANGE_NAMES[letter.charAt(0)] ?? 'changed',
      blob: blob === ZERO_SHA ? null : blob,
      additions: 0,
      deletions: 0,
    })
    at += renamed ? 3 : 2
  }
  for (const change of changes) {
    const [added = '', deleted = ''] = (fields[at] ?? '').split('\t')
    change.additions = Number.parseInt(added, 10) || 0
    change.deletions = Number.parseInt(deleted, 10) || 0
    // A rename's counts are followed by the two names as fields of their own.
    at += change.previousPath === null ? 1 : 3
  }
  return changes
}

const CHANGE_NAMES: Readonly<Record<string, FileChange['status']>> = { A: 'added', D: 'removed', M: 'modified', R: 'renamed' }

/** Writes one commit with changed files in a single `git fast-import` and leaves it unreferenced. */
export async function writeCommit(git: GitRepository, commit: NewCommit, files: Files): Promise<string> {
  const scratch = `refs/sandbox/commit-${process.hrtime.bigint()}`
  const [parent, ...others] = commit.parents
  const stream = [
    `commit ${scratch}`,
    'mark :1',
    `author ${signature(commit.author, commit.at)}`,
    `committer ${signature(commit.committer, commit.at)}`,
    data(commit.message),
    ...(parent ? [`from ${parent}`] : []),
    ...others.map((other) => `merge ${other}`),
    ...Object.entries(files).map(([path, content]) => fileCommand(path, content)),
    '',
    'get-mark :1',
    '',
  ].join('\n')
  const sha = (await git.run(['fast-import', '--quiet', '--date-format=raw', '--cat-blob-fd=1'], { input: stream })).trim()
  await git.run(['update-ref', '-d', scratch])
  return sha
}

function fileCommand(path: string, content: FileContent): string {
  const quoted = JSON.stringify(path)
  if (content === null) return `D ${quoted}`
  const file = typeof content === 'string' ? { mode: '100644', content } : content
  return `M ${file.mode} inline ${quoted}\n${data(file.content)}`
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}`
}

export async function commitTree(git: GitRepository, tree: string, commit: NewCommit): Promise<string> {
  const date = `${Math.floor(commit.at / 1000)} +0000`
  const env = {
    GIT_AUTHOR_NAME: commit.author.name,
    GIT_AUTHOR_EMAIL: commit.author.email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: commit.committer.name,
    GIT_COMMITTER_EMAIL: commit.committer.email,
    GIT_COMMITTER_DATE: date,
  }
  const args = ['commit-tree', tree, ...commit.parents.flatMap((parent) => ['-p', parent]), '-F', '-']
  return (await git.run(args, { env, input: commit.message })).trim()
}

export async function writeTag(
  git: GitRepository,
  tag: { name: string; target: string; message: string; tagger: Person; at: Instant },
): Promise<string> {
  const input = `object ${tag.target}\ntype commit\ntag ${tag.name}\ntagger ${signature(tag.tagger, tag.at)}\n\n${tag.message}\n`
  return (await git.run(['mktag'], { input })).trim()
}

/** Points a ref at an object, whatever it held before; null deletes it. */
export async function updateRef(git: GitRepository, ref: string, sha: string | null): Promise<void> {
  await git.run(sha === null ? ['update-ref', '-d', ref] : ['update-ref', ref, sha])
}

function signature(person: Person, at: Instant): string {
  return `${person.name} <${person.email}> ${Math.floor(at / 1000)} +0000`
}

function utc(isoDate: string): string {
  return new Date(isoDate).toISOString().replace('.000Z', 'Z')
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}
