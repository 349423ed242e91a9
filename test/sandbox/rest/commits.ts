import {
  type CommitFacts,
  commitsBetween,
  diffFiles,
  type FileChange,
  mergeBase,
  readCommit,
  resolveCommit,
  resolveRef,
} from '../git/repository.ts'
import { accountByEmail, nodeId, type Repository, type World } from '../world.ts'
import { type Answer, type Call, notFound, type Operation, ok, page, Refusal, textParam } from './call.ts'
import { repositoryApiUrl, repositoryWebUrl } from './urls.ts'
import { userBodyOrNull } from './users.ts'

/** `commit`, without its files (the product never asks one commit for them). */
export function commitBody(world: World, repository: Repository, commit: CommitFacts) {
  const url = repositoryApiUrl(world, repository, `/commits/${commit.sha}`)
  const gitUrl = (kind: string, sha: string) => repositoryApiUrl(world, repository, `/git/${kind}/${sha}`)
  return {
    url,
    sha: commit.sha,
    node_id: nodeId('Commit', commit.sha),
    html_url: repositoryWebUrl(world, repository, `/commit/${commit.sha}`),
    comments_url: `${url}/comments`,
    commit: {
      url: gitUrl('commits', commit.sha),
      author: commit.author,
      committer: commit.committer,
      message: commit.message,
      comment_count: 0,
      tree: { sha: commit.tree, url: gitUrl('trees', commit.tree) },
      verification: { verified: false, reason: 'unsigned', payload: null, signature: null, verified_at: null },
    },
    author: userBodyOrNull(world, accountByEmail(world, commit.author.email)),
    committer: userBodyOrNull(world, accountByEmail(world, commit.committer.email)),
    parents: commit.parents.map((sha) => ({
      sha,
      url: repositoryApiUrl(world, repository, `/commits/${sha}`),
      html_url: repositoryWebUrl(world, repository, `/commit/${sha}`),
    })),
  }
}

/** `simple-commit`, as runs and suites carry it. */
export function simpleCommitBody(commit: CommitFacts) {
  const { name, email } = commit.author
  return {
    id: commit.sha,
    tree_id: commit.tree,
    message: commit.message,
    timestamp: commit.committer.date,
    author: { name, email },
    committer: { name: commit.committer.name, email: commit.committer.email },
  }
}

/** `diff-entry`, without the patch text. */
export function fileBody(world: World, repository: Repository, change: FileChange, sha: string) {
  const path = change.path.split('/').map(encodeURIComponent).join('/')
  return {
    sha: change.blob,
    filename: change.path,
    status: change.status,
    additions: change.additions,
    deletions: change.deletions,
    changes: change.additions + change.deletions,
    blob_url: repositoryWebUrl(world, repository, `/blob/${sha}/${path}`),
    raw_url: repositoryWebUrl(world, repository, `/raw/${sha}/${path}`),
    contents_url: repositoryApiUrl(world, repository, `/contents/${path}?ref=${sha}`),
    ...(change.previousPath === null ? {} : { previous_filename: change.previousPath }),
  }
}

/** A commit by `heads/<branch>`, `tags/<tag>`, id or bare name (branches win); 422 when there is none, as GitHub says it. */
export async function commitAt(repository: Repository, ref: string): Promise<string> {
  const explicit = /^(?:refs\/)?(heads|tags)\/(.+)$/.exec(ref)
  const candidates = explicit
    ? [`refs/${explicit[1]}/${explicit[2]}`]
    : [...(/^[0-9a-f]{7,40}$/.test(ref) ? [ref] : []), `refs/heads/${ref}`, `refs/tags/${ref}`]
  for (const candidate of candidates) {
    const sha = await resolveCommit(repository.git, candidate)
    if (sha) return sha
  }
  throw new Refusal(422, `No commit found for SHA: ${ref}`)
}

async function getCommit(call: Call): Promise<Answer> {
  const { repository, world } = call
  const sha = await commitAt(repository, textParam(call, 'ref'))
  return ok(commitBody(world, repository, await readCommit(repository.git, sha)))
}

async function getRef(call: Call): Promise<Answer> {
  const { repository, world } = call
  const name = textParam(call, 'ref')
  const found = await resolveRef(repository.git, `refs/${name}`)
  if (!found) throw notFound()
  const kind = found.type === 'tag' ? 'tags' : 'commits'
  return ok({
    ref: `refs/${name}`,
    node_id: nodeId('Ref', `${repository.id}:${name}`),
    url: repositoryApiUrl(world, repository, `/git/refs/${name}`),
    object: { sha: found.sha, type: found.type, url: repositoryApiUrl(world, repository, `/git/${kind}/${found.sha}`) },
  })
}

async function getTag(call: Call): Promise<Answer> {
  const { repository, world } = call
  const sha = textParam(call, 'tag_sha')
  if (!/^[0-9a-f]{40}$/.test(sha)) throw notFound()
  const type = (await repository.git.run(['cat-file', '-t', sha], { accept: [1, 128] })).trim()
  if (type !== 'tag') throw notFound()
  const [head = '', ...message] = (await repository.git.run(['cat-file', 'tag', sha])).split('\n\n')
  const field = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(head)?.[1] ?? ''
  const [, name = '', email = '', seconds = '0'] = /^(.*) <(.*)> (\d+)/.exec(field('tagger')) ?? []
  return ok({
    node_id: nodeId('Tag', sha),
    tag: field('tag'),
    sha,
    url: repositoryApiUrl(world, repository, `/git/tags/${sha}`),
    message: message.join('\n\n').trimEnd(),
    tagger: { name, email, date: new Date(Number(seconds) * 1000).toISOString() },
    object: {
      sha: field('object'),
      type: field('type'),
      url: repositoryApiUrl(world, repository, `/git/${field('type')}s/${field('object')}`),
    },
  })
}

async function compare(call: Call): Promise<Answer> {
  const { repository, world } = call
  const [baseName = '', headName] = textParam(call, 'basehead').split('...')
  if (headName === undefined) throw notFound()
  const git = repository.git
  const base = await commitAt(repository, baseName).catch(() => Promise.reject(notFound()))
  const head = await commitAt(repository, headName).catch(() => Promise.reject(notFound()))
  const fork = await mergeBase(git, base, head)
  if (fork === null) throw new Refusal(404, `No common ancestor between ${baseName} and ${headName}.`)
  const ahead = await commitsBetween(git, base, head)
  const behind = await commitsBetween(git, head, base)
  const status = ahead.length > 0 ? (behind.length > 0 ? 'diverged' : 'ahead') : behind.length > 0 ? 'behind' : 'identical'
  const web = repositoryWebUrl(world, repository, `/compare/${baseName}...${headName}`)
  const { items, headers } = page(call, ahead)
  return {
    status: 200,
    headers,
    body: {
      url: repositoryApiUrl(world, repository, `/compare/${baseName}...${headName}`),
      html_url: web,
      permalink_url: repositoryWebUrl(world, repository, `/compare/${base}...${head}`),
      diff_url: `${web}.diff`,
      patch_url: `${web}.patch`,
      base_commit: commitBody(world, repository, await readCommit(git, base)),
      merge_base_commit: commitBody(world, repository, await readCommit(git, fork)),
      status,
      ahead_by: ahead.length,
      behind_by: behind.length,
      total_commits: ahead.length,
      commits: items.map((commit) => commitBody(world, repository, commit)),
      files: (await diffFiles(git, fork, head)).slice(0, 300).map((change) => fileBody(world, repository, change, head)),
    },
  }
}

export const COMMIT_OPERATIONS: readonly Operation[] = [
  { id: 'repos/get-commit', method: 'GET', path: '/repos/{owner}/{repo}/commits/{ref}', needs: 'read', handle: getCommit },
  { id: 'git/get-ref', method: 'GET', path: '/repos/{owner}/{repo}/git/ref/{ref}', needs: 'read', handle: getRef },
  { id: 'git/get-tag', method: 'GET', path: '/repos/{owner}/{repo}/git/tags/{tag_sha}', needs: 'read', handle: getTag },
  {
    id: 'repos/compare-commits-with-basehead',
    method: 'GET',
    path: '/repos/{owner}/{repo}/compare/{basehead}',
    needs: 'read',
    handle: compare,
  },
]
