import { mergeCommit, WEB_FLOW } from '../git/merge.ts'
import { isAncestor, mergeBase, resolveCommit, updateRef } from '../git/repository.ts'
import { emit } from '../hooks.ts'
import { refMoved } from '../refs.ts'
import { type Deployment, type DeploymentStatus, nodeId, type Repository, type World } from '../world.ts'
import { type Answer, bodyText, type Call, notFound, numberParam, type Operation, Refusal, requiredText } from './call.ts'
import { commitAt } from './commits.ts'
import { combinedState, statusesOn } from './statuses.ts'
import { repositoryApiUrl, timestamp } from './urls.ts'
import { userBodyOrNull } from './users.ts'

/** `deployment`. */
function deploymentBody(world: World, repository: Repository, deployment: Deployment) {
  const url = repositoryApiUrl(world, repository, `/deployments/${deployment.id}`)
  return {
    url,
    id: deployment.id,
    node_id: nodeId('Deployment', deployment.id),
    sha: deployment.sha,
    ref: deployment.ref,
    task: deployment.task,
    payload: deployment.payload,
    original_environment: deployment.environment,
    environment: deployment.environment,
    description: deployment.description,
    creator: userBodyOrNull(world, deployment.creator),
    created_at: timestamp(deployment.createdAt),
    updated_at: timestamp(deployment.statuses.at(-1)?.createdAt ?? deployment.createdAt),
    statuses_url: `${url}/statuses`,
    repository_url: repositoryApiUrl(world, repository),
    transient_environment: deployment.transient,
    production_environment: deployment.production,
  }
}

function statusBody(world: World, repository: Repository, deployment: Deployment, status: DeploymentStatus) {
  const deploymentUrl = repositoryApiUrl(world, repository, `/deployments/${deployment.id}`)
  return {
    url: `${deploymentUrl}/statuses/${status.id}`,
    id: status.id,
    node_id: nodeId('DeploymentStatus', status.id),
    state: status.state,
    creator: userBodyOrNull(world, status.creator),
    description: status.description,
    environment: status.environment,
    target_url: status.logUrl,
    log_url: status.logUrl,
    environment_url: status.environmentUrl,
    created_at: timestamp(status.createdAt),
    updated_at: timestamp(status.createdAt),
    deployment_url: deploymentUrl,
    repository_url: repositoryApiUrl(world, repository),
  }
}

/** With its two traps: unless told otherwise it merges the default branch first (202) and wants every status green (409). */
async function create(call: Call): Promise<Answer> {
  const { repository, world, token } = call
  const ref = requiredText(call, 'ref')
  const sha = await commitAt(repository, ref)
  if (call.body['auto_merge'] !== false) {
    const merged = await mergeDefaultBranch(call, ref)
    if (merged) return { status: 202, body: { message: `Auto-merged ${repository.defaultBranch} into ${ref} on deployment.` } }
  }
  assertContexts(repository, sha, call.body['required_contexts'])
  const deployment: Deployment = {
    id: world.nextId(),
    sha,
    ref,
    task: bodyText(call, 'task', 'deploy'),
    payload: (call.body['payload'] as Deployment['payload'] | undefined) ?? {},
    environment: bodyText(call, 'environment', 'production'),
    description: bodyText(call, 'description', null),
    creator: token.account,
    transient: call.body['transient_environment'] === true,
    production: call.body['production_environment'] === true,
    createdAt: world.clock.now(),
    statuses: [],
  }
  repository.deployments.push(deployment)
  const body = deploymentBody(world, repository, deployment)
  emit(world, repository, { name: 'deployment', action: 'created', payload: { deployment: body }, sender: token.account })
  return { status: 201, body }
}

async function mergeDefaultBranch(call: Call, ref: string): Promise<boolean> {
  const { repository, world, token } = call
  const git = repository.git
  const head = await resolveCommit(git, `refs/heads/${repository.defaultBranch}`)
  const base = await resolveCommit(git, `refs/heads/${ref}`)
  if (!head || !base || (await isAncestor(git, head, base))) return false
  const fork = (await mergeBase(git, base, head)) ?? base
  const message = `Merge ${repository.defaultBranch} into ${ref}`
  const merged = await mergeCommit(git, { base, head, mergeBase: fork, author: WEB_FLOW, message, at: world.clock.now() })
  if (merged === null) throw new Refusal(409, `Conflict merging ${repository.defaultBranch} into ${ref}.`)
  await updateRef(git, `refs/heads/${ref}`, merged)
  await refMoved(world, repository, { ref: `refs/heads/${ref}`, before: base, after: merged, actor: token.account })
  return true
}

function assertContexts(repository: Repository, sha: string, wanted: unknown): void {
  const statuses = statusesOn(repository, sha)
  const names = Array.isArray(wanted) ? wanted : null
  const needed = names === null ? statuses : statuses.filter((status) => names.includes(status.context))
  const missing = names !== null && needed.length < names.length
  if (missing || (needed.length > 0 && combinedState(needed) !== 'success')) {
    throw new Refusal(409, 'Conflict: Commit status checks failed for the ref.')
  }
}

function createStatus(call: Call): Answer {
  const { repository, world, token } = call
  const id = numberParam(call, 'deployment_id')
  const deployment = repository.deployments.find((each) => each.id === id)
  if (!deployment) throw notFound()
  const status: DeploymentStatus = {
    id: world.nextId(),
    state: requiredText(call, 'state') as DeploymentStatus['state'],
    creator: token.account,
    description: bodyText(call, 'description', ''),
    environment: bodyText(call, 'environment', deployment.environment),
    environmentUrl: bodyText(call, 'environment_url', ''),
    logUrl: bodyText(call, 'log_url', bodyText(call, 'target_url', '')),
    createdAt: world.clock.now(),
  }
  deployment.statuses.push(status)
  if (status.state === 'success' && call.body['auto_inactive'] !== false) retireOthers(call, deployment)
  const body = statusBody(world, repository, deployment, status)
  const payload = { deployment_status: body, deployment: deploymentBody(world, repository, deployment) }
  emit(world, repository, { name: 'deployment_status', action: 'created', payload, sender: token.account })
  return { status: 201, headers: { location: body.url }, body }
}

/** A success retires the earlier successes of the same lasting, non-production environment. */
function retireOthers(call: Call, current: Deployment): void {
  for (const other of call.repository.deployments) {
    const last = other.statuses.at(-1)
    const sameKind = other.environment === current.environment && !other.transient && !other.production
    if (other === current || !sameKind || last?.state !== 'success') continue
    other.statuses.push({ ...last, id: call.world.nextId(), state: 'inactive', createdAt: call.world.clock.now() })
  }
}

const DEPLOYMENTS = '/repos/{owner}/{repo}/deployments'

export const DEPLOYMENT_OPERATIONS: readonly Operation[] = [
  { id: 'repos/create-deployment', method: 'POST', path: DEPLOYMENTS, needs: 'write', handle: create },
  {
    id: 'repos/create-deployment-status',
    method: 'POST',
    path: `${DEPLOYMENTS}/{deployment_id}/statuses`,
    needs: 'write',
    handle: createStatus,
  },
]
