import { emit } from './hooks.ts'
import type { Repository, Status, World } from './world.ts'

/** Adds a commit status; an older one of the same context stays, but no longer counts. */
export function postStatus(world: World, repository: Repository, wanted: Omit<Status, 'id' | 'createdAt'>): Status {
  const status = { ...wanted, id: world.nextId(), createdAt: world.clock.now() }
  repository.statuses.push(status)
  const { id, sha, context, state, description, targetUrl } = status
  const payload = { id, sha, context, state, description, target_url: targetUrl }
  emit(world, repository, { name: 'status', payload, sender: wanted.creator })
  return status
}
