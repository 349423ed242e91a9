import type { Environment } from '../model/desired-state.ts'
import type { Permission } from '../model/roles.ts'
import type { GateName, GateResult } from '../policy/decision.ts'
import { GATE_WORDS } from '../status-page/words.ts'
import type { Forecast } from './offline.ts'
import type { RequestContent } from './request-file.ts'

/** One gate as the requester should know it before opening the pull request. */
export interface GateAhead {
  gate: GateName
  name: string
  wants: string
  /** What holds it at this moment; null when nothing does, or when only the forge can tell. */
  now: string | null
}

/** Gates that ask for something, in their order. What never asks anything here is left out. */
export function gatesAhead(
  { gates }: Forecast,
  environment: Environment,
  who: (permission: Permission) => readonly string[],
): readonly GateAhead[] {
  return gates.filter(asksForSomething(environment)).map((result) => ({
    gate: result.gate,
    name: GATE_WORDS[result.gate],
    wants: wants(result, environment, who),
    now:
      result.reason === null || result.reason.code === 'check_unavailable' || result.reason.code === 'rollback_no_target'
        ? null
        : result.reason.text,
  }))
}

function asksForSomething({ policy, promoteFrom, lockStrategy }: Environment): (result: GateResult) => boolean {
  const asks: Readonly<Record<GateName, boolean>> = {
    request: false,
    role: true,
    ref: true,
    order: promoteFrom !== null,
    ci: policy.requireCiSuccess,
    approval: policy.requireApproval,
    window: policy.window !== null,
    freeze: true,
    lock: lockStrategy === 'exclusive',
  }
  return ({ gate, saw }) => asks[gate] && saw !== 'dry run'
}

function wants({ gate, wanted }: GateResult, { key }: Environment, who: (permission: Permission) => readonly string[]): string {
  if (gate === 'role') return `somebody who may deploy to ${key}: ${listed(who('request'))}`
  if (gate === 'approval') return `${wanted} by: ${listed(who('approve'))} (never whoever asks for it or wrote the change)`
  return wanted
}

function listed(people: readonly string[]): string {
  return people.length === 0 ? 'nobody' : people.join(', ')
}

/** Shell-safe as they are: names in paths and refs hold letters, digits and `. _ / + -` only; a directory is quoted. */
export function gitCommands(dir: string, path: string, { type, ref }: RequestContent): readonly string[] {
  const [, project, environment, file] = path.split('/') as [string, string, string, string]
  const verb = { deploy: 'Deploy', rollback: 'Roll back', dry_run: 'Dry-run' }[type]
  const what =
    ref === null
      ? project
      : `${project} ${type === 'rollback' ? 'to ' : ''}${ref.type === 'sha' ? ref.name.slice(0, 12) : ref.name}`
  return [
    ...(dir === '.' ? [] : [`cd '${dir.replaceAll("'", "'\\''")}'`]),
    `git switch -c ${project}-${environment}-${file.replace(/\.yaml$/, '')}`,
    `git add ${path}`,
    `git commit -m "${verb} ${what} ${type === 'rollback' ? 'in' : 'to'} ${environment}"`,
    'git push -u origin HEAD',
    'gh pr create --fill   # on GitHub; elsewhere open it in the browser',
  ]
}
