import { postStatus } from '../checks.ts'
import { type CommitStatus, nodeId, type Repository, type StatusState, type World } from '../world.ts'
import { type Answer, bodyText, type Call, type Operation, page, Refusal, requiredText, textParam } from './call.ts'
import { commitAt } from './commits.ts'
import { minimalRepositoryBody } from './repositories.ts'
import { repositoryApiUrl, timestamp } from './urls.ts'
import { userBody, userBodyOrNull } from './users.ts'

function simpleStatusBody(world: World, repository: Repository, status: CommitStatus) {
  return {
    url: repositoryApiUrl(world, repository, `/statuses/${status.sha}`),
    avatar_url: userBody(world, status.creator).avatar_url,
    id: status.id,
    node_id: nodeId('Status', status.id),
    state: status.state,
    description: status.description,
    target_url: status.targetUrl,
    context: status.context,
    created_at: timestamp(status.createdAt),
    updated_at: timestamp(status.createdAt),
  }
}

/** The newest status of each context on one commit; contexts do not mind capitals. */
export function statusesOn(repository: Repository, sha: string): CommitStatus[] {
  const onCommit = repository.statuses.filter((status) => status.sha === sha)
  return [...new Map(onCommit.map((status) => [status.context.toLowerCase(), status])).values()]
}

/** As GitHub sums up: `pending` also where there is no status at all. */
export function combinedState(statuses: readonly CommitStatus[]): 'failure' | 'pending' | 'success' {
  if (statuses.some((status) => status.state === 'failure' || status.state === 'error')) return 'failure'
  return statuses.length === 0 || statuses.some((status) => status.state === 'pending') ? 'pending' : 'success'
}

async function combined(call: Call): Promise<Answer> {
  const { repository, world } = call
  const sha = await commitAt(repository, textParam(call, 'ref'))
  const statuses = statusesOn(repository, sha)
  const { items, headers } = page(call, statuses)
  const url = repositoryApiUrl(world, repository, `/commits/${sha}`)
  return {
    status: 200,
    headers,
    body: {
      state: combinedState(statuses),
      statuses: items.map((status) => simpleStatusBody(world, repository, status)),
      sha,
      total_count: statuses.length,
      repository: minimalRepositoryBody(world, repository),
      commit_url: url,
      url: `${url}/status`,
    },
  }
}

async function create(call: Call): Promise<Answer> {
  const { repository, world, token } = call
  const description = bodyText(call, 'description', null)
  if (description !== null && description.length > 140)
    throw new Refusal(422, 'Validation Failed: description is too long (maximum is 140 characters)')
  const status = postStatus(world, repository, {
    sha: await commitAt(repository, textParam(call, 'sha')),
    context: bodyText(call, 'context', 'default'),
    state: requiredText(call, 'state') as StatusState,
    description,
    targetUrl: bodyText(call, 'target_url', null),
    creator: token.account,
  })
  const body = { ...simpleStatusBody(world, repository, status), creator: userBodyOrNull(world, status.creator) }
  return { status: 201, headers: { location: body.url }, body }
}

export const STATUS_OPERATIONS: readonly Operation[] = [
  {
    id: 'repos/get-combined-status-for-ref',
    method: 'GET',
    path: '/repos/{owner}/{repo}/commits/{ref}/status',
    needs: 'read',
    handle: combined,
  },
  {
    id: 'repos/create-commit-status',
    method: 'POST',
    path: '/repos/{owner}/{repo}/statuses/{sha}',
    needs: 'write',
    handle: create,
  },
]
