import { SECOND_MS, toIso } from '../clock.ts'
import type { DesiredState, Project } from '../model/desired-state.ts'
import type { CommitSha } from '../model/names.ts'
import { may } from '../model/roles.ts'
import { shaLabel } from '../policy/wording.ts'
import type { AccessReport } from '../providers/access.ts'
import type { LocalSettings } from '../providers/provider.ts'
import type { Settings } from '../settings.ts'
import { type Check, fail, ok, warn } from './doctor-check.ts'
import { counted, minuteText } from './output.ts'

export function configCheck({ config }: Settings, commit: CommitSha, desired: DesiredState): Check {
  const where = config.kind === 'directory' ? config.directory : config.repoFullName
  const seen = `${where} at ${shaLabel(commit)} (${config.branch}), ${counted(desired.projects.size, 'project')}`
  const errors = desired.findings.filter(({ severity }) => severity === 'error').length
  if (errors === 0) return ok('config', seen)
  return warn('config', `${seen}, ${counted(errors, 'error')}`, 'Run draven validate in the repository, and mend what it tells.')
}

/**
 * Approvals are given where the config repository is, by accounts there: environments whose policy nobody could ever satisfy.
 * Of a plain directory nobody can review anything.
 */
export function approverCheck({ config }: Pick<Settings, 'config'>, desired: DesiredState): Check | null {
  const asking = [...desired.environments.values()].filter(({ policy }) => policy.requireApproval)
  if (asking.length === 0) return null
  if (config.kind === 'directory') {
    const detail = `${counted(asking.length, 'environment')} must be approved, and nobody can review in a directory`
    return warn(
      'approvers',
      detail,
      'Put the config repository on a forge, or let these environments take requests without approval.',
    )
  }
  const { provider } = config
  const short = asking.flatMap(({ key, project, name, policy }) => {
    const able = [...desired.people.values()].filter(
      ({ id, accounts }) => accounts.has(provider) && may(desired, id, 'approve', { project, environment: name }),
    )
    return able.length < policy.approvalsRequired ? [`${key} needs ${policy.approvalsRequired} and has ${able.length}`] : []
  })
  if (short.length === 0) return ok('approvers', `enough people with an account at ${provider} for every environment`)
  const detail = `too few who may approve have an account at ${provider}: ${short.join(', ')}`
  return warn('approvers', detail, `Add accounts.${provider} to the people in access.yaml, or give more people the role.`)
}

/** Below this share of the hour's calls the controller will soon be told to wait. */
const LOW_SHARE = 0.1

export function accessChecks(name: string, report: AccessReport): readonly Check[] {
  const { repository, auth, missing, rateLimit, notes } = report
  const who = `${repository} by ${auth === 'none' ? 'nobody' : auth === 'app' ? 'an app' : 'a token'}`
  const checks: Check[] = []
  if (auth === 'none') checks.push(warn(name, `${who}: no credential`, 'Set DRAVEN_GITHUB_TOKEN_REF or an app.'))
  else if (missing.length > 0) {
    checks.push(fail(name, `${who}; missing: ${missing.join(', ')}`, 'Grant these rights to the token or the app.'))
  } else checks.push(ok(name, `${who}${rateLimit === null ? '' : `; ${rateLimit.remaining} of ${rateLimit.limit} calls left`}`))
  for (const note of notes)
    checks.push(warn(name, note, 'Nothing to do if this is meant; see the guide of the provider for the least rights.'))
  if (rateLimit !== null && rateLimit.remaining < rateLimit.limit * LOW_SHARE) {
    const reset = minuteText(toIso(rateLimit.resetAt))
    checks.push(
      warn(
        name,
        `only ${rateLimit.remaining} calls are left until ${reset}`,
        'Find out who else uses this credential; an app of its own has its own limit.',
      ),
    )
  }
  return checks
}

/** The host's `Date` has whole seconds and the answer travels; an app's tokens are refused from a minute on. */
const SKEW_WARN_MS = 10 * SECOND_MS
const SKEW_FAIL_MS = 60 * SECOND_MS

export function* clockCheck(reports: readonly AccessReport[]): Generator<Check> {
  const skews = reports.flatMap(({ clockSkewMs }) => clockSkewMs ?? [])
  if (skews.length === 0) return
  const worst = skews.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a))
  const seconds = Math.round(Math.abs(worst) / SECOND_MS)
  const detail = `${counted(seconds, 'second')} ${worst < 0 ? 'ahead of' : 'behind'} the forge`
  const fix = 'Let this machine take its time from the network (NTP).'
  if (Math.abs(worst) >= SKEW_FAIL_MS) yield fail('clock', detail, fix)
  else if (Math.abs(worst) >= SKEW_WARN_MS) yield warn('clock', detail, fix)
  else yield ok('clock', seconds < 2 ? 'agrees with the forge' : detail)
}

/** Are the commands, and the repository where no forge holds the code, that a project names there on this machine? */
export function localCheck(
  name: string,
  { integration }: Project,
  { commands, repositories }: Pick<LocalSettings, 'commands' | 'repositories'>,
): Check {
  const selectors = [...new Set([...integration.pipelines.values()].map(({ selector }) => selector))]
  const unknown = selectors.filter((selector) => !Object.hasOwn(commands, selector))
  if (unknown.length > 0) {
    const detail = `this machine has no command ${unknown.join(', ')}`
    return fail(name, detail, 'Write them under `commands:` in the file that DRAVEN_LOCAL_PIPELINES names.')
  }
  if (integration.code === null && !Object.hasOwn(repositories, integration.repoFullName)) {
    const detail = `this machine has no repository ${integration.repoFullName}`
    return fail(name, detail, 'Write its path under `repositories:` there, or say under `code:` which forge has it.')
  }
  return ok(name, selectors.length === 0 ? 'the repository is on this machine' : `commands ${selectors.join(', ')}`)
}
