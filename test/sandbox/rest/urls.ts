import type { Repository, World } from '../world.ts'

/** Address of something in the REST API. */
export function apiUrl(world: World, path: string): string {
  return `${world.origin}/api/v3${path}`
}

/** Address of something as people open it. */
export function webUrl(world: World, path: string): string {
  return `${world.origin}${path}`
}

export function repositoryApiUrl(world: World, repository: Repository, path = ''): string {
  return apiUrl(world, `/repos/${repository.fullName}${path}`)
}

export function repositoryWebUrl(world: World, repository: Repository, path = ''): string {
  return webUrl(world, `/${repository.fullName}${path}`)
}

/** GitHub writes seconds, never milliseconds. */
export function timestamp(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`
}

export function timestampOrNull(instant: number | null): string | null {
  return instant === null ? null : timestamp(instant)
}
