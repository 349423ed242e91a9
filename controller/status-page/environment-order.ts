import type { DesiredState } from '../model/desired-state.ts'

/** The usual road to production, for environments that no promotion rule puts in order. */
const USUAL_ROAD = ['dev', 'development', 'test', 'qa', 'stage', 'staging', 'demo', 'preprod', 'prod', 'production']

/** Environment names in the order in which a change travels: along `promote_from`, then the usual road, then by name. */
export function byPromotion(names: readonly string[], desired: DesiredState | null): string[] {
  const depth = new Map(names.map((name) => [name, 0]))
  for (const environment of desired?.environments.values() ?? []) {
    depth.set(environment.name, Math.max(depth.get(environment.name) ?? 0, stepsBefore(environment.key, desired!)))
  }
  const road = (name: string) => (USUAL_ROAD.indexOf(name) + 1 || USUAL_ROAD.length + 1) - 1
  return [...names].sort((a, b) => depth.get(a)! - depth.get(b)! || road(a) - road(b) || (a < b ? -1 : 1))
}

/** How many environments come before this one in its project. A circle in the config ends the walk. */
function stepsBefore(start: string, desired: DesiredState): number {
  const environments: ReadonlyMap<string, { project: string; promoteFrom: string | null }> = desired.environments
  const seen = new Set<string>()
  for (let key: string | null = start; key !== null && !seen.has(key); ) {
    seen.add(key)
    const here = environments.get(key)
    key = here?.promoteFrom ? `${here.project}/${here.promoteFrom}` : null
  }
  return seen.size - 1
}
