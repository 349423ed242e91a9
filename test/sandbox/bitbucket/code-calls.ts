import { commitsBetween, diffFiles, mergeBase, readCommit, resolveCommit, resolveRef } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import { created, found, listed, ok, textOf } from './answers.ts'
import type { Answer, Call } from './api.ts'
import { commitBody, diffstatBody, hookBody, repositoryBody, statusBody, userBody } from './bodies.ts'
import { postStatus } from './pipelines.ts'
import { STATUS_STATES, type StatusState } from './world.ts'

export function getRepository({ world, repository }: Call): Answer {
  return ok(repositoryBody(world, repository))
}

async function commitAt({ repository, params }: Call): Promise<string> {
  const asked = params['commit'] ?? ''
  return found(/^[0-9a-f]{7,40}$/.test(asked) ? await resolveCommit(repository.git, asked) : null, 'Commit')
}

export async function getCommit(call: Call): Promise<Answer> {
  return ok(commitBody(await readCommit(call.repository.git, await commitAt(call)), call.world.users))
}

export async function listCommits({ world, repository, query }: Call): Promise<Answer> {
  const include = found(await resolveCommit(repository.git, query.get('include') ?? ''), 'Commit')
  const exclude = found(await resolveCommit(repository.git, query.get('exclude') ?? ''), 'Commit')
  const commits = await commitsBetween(repository.git, exclude, include)
  return listed(commits.map((commit) => commitBody(commit, world.users)).reverse())
}

export async function listStatuses(call: Call): Promise<Answer> {
  return listed((call.repository.statuses.get(await commitAt(call)) ?? []).map(statusBody))
}

export async function makeStatus(call: Call): Promise<Answer> {
  const { world, repository, body } = call
  const sha = await commitAt(call)
  const key = textOf(body['key'])
  if (key === '' || key.length > 40) throw new Refusal(400, 'key: a status has a key of at most 40 characters')
  if (!(STATUS_STATES as readonly unknown[]).includes(body['state'])) throw new Refusal(400, 'state: unknown')
  if (textOf(body['url']) === '') throw new Refusal(400, 'url: this field is required')
  const { name, description, url, refname } = body
  const status = { key, refname: textOf(refname) || null, name: textOf(name), description: textOf(description), url: textOf(url) }
  return created(statusBody(postStatus(world, repository, sha, { ...status, state: body['state'] as StatusState })))
}

const reportKey = ({ params }: Call) => `${params['commit']} ${params['reportId']}`

export async function putReport(call: Call): Promise<Answer> {
  await commitAt(call)
  const known = call.repository.reports.get(reportKey(call))
  const body = { ...call.body, type: 'report', external_id: call.params['reportId'] }
  call.repository.reports.set(reportKey(call), { body, annotations: known?.annotations ?? new Map() })
  return ok(body)
}

export async function listReports(call: Call): Promise<Answer> {
  const sha = await commitAt(call)
  return listed([...call.repository.reports].filter(([key]) => key.startsWith(`${sha} `)).map(([, { body }]) => body))
}

export function deleteReport(call: Call): Answer {
  call.repository.reports.delete(reportKey(call))
  return { status: 204 }
}

export function annotate(call: Call): Answer {
  const { annotations } = found(call.repository.reports.get(reportKey(call)), 'Report')
  const sent = call.body as unknown as Record<string, unknown>[]
  for (const annotation of sent) annotations.set(textOf(annotation['external_id']), annotation)
  return ok(sent)
}

export async function getBranch({ world, repository, params }: Call): Promise<Answer> {
  const name = params['name'] ?? ''
  const sha = found(await resolveCommit(repository.git, `refs/heads/${name}`), 'Branch')
  return ok({ type: 'branch', name, target: commitBody(await readCommit(repository.git, sha), world.users) })
}

/** The target of an annotated tag is the commit all the same. */
export async function getTag({ world, repository, params }: Call): Promise<Answer> {
  const name = params['name'] ?? ''
  const ref = found(await resolveRef(repository.git, `refs/tags/${name}`), 'Tag')
  const sha = await resolveCommit(repository.git, ref.sha)
  const target = sha === null ? null : commitBody(await readCommit(repository.git, sha), world.users)
  return ok({ type: 'tag', name, ...(target === null ? {} : { target }) })
}

export async function getMergeBase({ world, repository, params }: Call): Promise<Answer> {
  const [one = '', other = ''] = (params['revspec'] ?? '').split('..')
  const base = found(await mergeBase(repository.git, one, other), 'Merge base')
  return ok(commitBody(await readCommit(repository.git, base), world.users))
}

/** `from..to`, as the redirect of a pull request spells it. */
export async function diffstat({ repository, params }: Call): Promise<Answer> {
  const [from = '', to = ''] = (params['spec'] ?? '').split('..')
  return listed((await diffFiles(repository.git, from, to)).map(diffstatBody))
}

export function listHooks({ repository }: Call): Answer {
  return listed(repository.hooks.map(hookBody))
}

/** The account that the token stands for; that of an access token is not for everybody to see. */
export function getUser({ user }: Call): Answer {
  if (user.type !== 'user') throw new Refusal(403, 'This API is only for users.')
  return ok(userBody(user))
}

/** Everybody with a permission anywhere in the workspace; only for its members. */
export function permissions({ world, user, params }: Call): Answer {
  const prefix = `${params['workspace']?.toLowerCase()}/`
  const own = [...world.repositories.entries()].filter(([name]) => name.startsWith(prefix))
  const members = new Set(own.flatMap(([, { members }]) => [...members.keys()]))
  if (!members.has(user) || user.type !== 'user')
    throw new Refusal(403, 'Your credentials lack one or more required privilege scopes.')
  return listed([...members].map((member) => ({ type: 'workspace_membership', permission: 'member', user: userBody(member) })))
}
