import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS } from '../../controller/clock.ts'
import { CONFIG_REPO_ID, document } from '../scenarios/config-files.ts'

/**
 * The rules of a config repository as plain data, and the files that say so. The controller reads the files; the oracle judges
 * by the data, with code of its own, so that a mistake in reading or judging shows as a difference.
 */
export interface Rules {
  operators: readonly string[]
  approvers: readonly string[]
  admins: readonly string[]
  policies: Readonly<Record<string, PolicyRules>>
  /** By `project/environment`. */
  environments: Readonly<Record<string, EnvironmentRules>>
  /** Project names that are active. */
  active: readonly string[]
  freezes: Readonly<Record<string, { from: Instant; to: Instant }>>
  holds: Readonly<Record<string, { environment: string }>>
  /** Do pipelines ask before they act? */
  asksBack: boolean
  /** A rules file that cannot be read. */
  broken: string | null
}

export interface PolicyRules {
  refs: 'branch' | 'tag'
  approvals: number
  ci: boolean
  window: boolean
  force: boolean
}

export interface EnvironmentRules {
  policy: string
  enabled: boolean
  exclusive: boolean
  maxRunMinutes: number
  promoteFrom: string | null
}

export const PROJECTS = ['shop', 'blog'] as const
export const APP_REPOS: Readonly<Record<string, string>> = { shop: 'acme/shop', blog: 'acme/blog' }
const PEOPLE = ['alice', 'olga', 'bob', 'carol', 'dave', 'erin', 'frank', 'mallory'] as const

export const FIRST_RULES: Rules = {
  operators: ['alice', 'olga'],
  approvers: ['bob', 'carol', 'dave'],
  admins: ['erin', 'frank'],
  policies: {
    stage: { refs: 'branch', approvals: 0, ci: true, window: false, force: true },
    demo: { refs: 'branch', approvals: 1, ci: true, window: false, force: false },
    prod: { refs: 'tag', approvals: 2, ci: true, window: true, force: true },
  },
  environments: {
    'shop/stage': { policy: 'stage', enabled: true, exclusive: true, maxRunMinutes: 5, promoteFrom: null },
    'shop/demo': { policy: 'demo', enabled: true, exclusive: true, maxRunMinutes: 5, promoteFrom: null },
    'shop/prod': { policy: 'prod', enabled: true, exclusive: true, maxRunMinutes: 5, promoteFrom: null },
    'blog/prod': { policy: 'demo', enabled: true, exclusive: true, maxRunMinutes: 5, promoteFrom: null },
  },
  active: ['shop', 'blog'],
  freezes: {},
  holds: {},
  asksBack: false,
  broken: null,
}

/** The same, and pipelines ask before they act. */
export const ASKING_RULES: Rules = { ...FIRST_RULES, asksBack: true }

const made = new WeakMap<Rules, ReadonlyMap<string, string>>()

/** Every file but the requests. Memoized: histories share their first rules, and most of what follows them. */
export function ruleFiles(rules: Rules): ReadonlyMap<string, string> {
  const known = made.get(rules)
  if (known !== undefined) return known
  const files = new Map<string, string>()
  files.set('draven.yaml', document('ConfigRepository', `id: ${CONFIG_REPO_ID}\ntitle: ACME deploys\n`))
  files.set('access.yaml', accessFile(rules))
  for (const [name, policy] of Object.entries(rules.policies)) files.set(`policies/${name}.yaml`, policyFile(policy))
  for (const project of PROJECTS) {
    const names = Object.keys(rules.environments).flatMap((key) => (key.startsWith(`${project}/`) ? [key.split('/')[1]!] : []))
    files.set(`projects/${project}/project.yaml`, projectFile(rules, project, names))
    for (const name of names) {
      files.set(`projects/${project}/environments/${name}.yaml`, environmentFile(rules.environments[`${project}/${name}`]!))
    }
  }
  for (const [name, freeze] of Object.entries(rules.freezes)) files.set(`freezes/${name}.yaml`, freezeFile(freeze))
  for (const [name, hold] of Object.entries(rules.holds)) files.set(`holds/${name}.yaml`, holdFile(hold))
  if (rules.broken !== null) files.set(rules.broken, 'kind: [\n')
  made.set(rules, files)
  return files
}

function accessFile({ operators, approvers, admins }: Rules): string {
  const people = PEOPLE.map(
    (name) => `  ${name}: { name: ${name}, accounts: { github: ${name} }, emails: [${name}@work.example] }`,
  )
  const binding = (role: string, members: readonly string[]) =>
    members.length === 0 ? '' : `  - { role: ${role}, people: [${members.join(', ')}] }\n`
  const bindings = `${binding('operator', operators)}${binding('approver', approvers)}${binding('admin', admins)}`
  return document('Access', `people:\n${people.join('\n')}\nbindings:\n${bindings}`)
}

function policyFile({ refs, approvals, ci, window, force }: PolicyRules): string {
  const allowed = refs === 'branch' ? 'allowed_branches: [main, develop, "release/.*"]' : "allowed_tags: ['v\\d+\\.\\d+\\.\\d+']"
  const needed = approvals === 0 ? 'require_approval: false' : `require_approval: true\napprovals_required: ${approvals}`
  const hours = window
    ? 'restrict_deploy_window:\n  tz: Europe/Rome\n  days: [Mon, Tue, Wed, Thu, Fri]\n  from: "09:00"\n  to: "19:00"\n'
    : ''
  return document(
    'Policy',
    `allowed_ref_types: [${refs}]\n${allowed}\n${needed}\nrequire_ci_success: ${ci}\nallow_rollback: true\nallow_force_deploy: ${force}\n${hours}`,
  )
}

function projectFile(rules: Rules, project: string, environments: readonly string[]): string {
  const pipelines = environments.map((name) => `    ${name}: deploy.yml`).join('\n')
  const asks = rules.asksBack ? '  callbacks: true\n' : ''
  return document(
    'Project',
    `description: ${project}\nactive: ${rules.active.includes(project)}\nowner: team-${project}\nintegration:\n  provider: github\n` +
      `  repo_full_name: ${APP_REPOS[project]}\n  default_branch: main\n  pipelines:\n${pipelines}\n${asks}ci:\n  required_checks: [build]\n`,
  )
}

function environmentFile({ policy, enabled, exclusive, maxRunMinutes, promoteFrom }: EnvironmentRules): string {
  const promote = promoteFrom === null ? '' : `promote_from: ${promoteFrom}\n`
  return document(
    'Environment',
    `policy: ${policy}\nenabled: ${enabled}\nlock_strategy: ${exclusive ? 'exclusive' : 'none'}\nmax_run_minutes: ${maxRunMinutes}\n${promote}`,
  )
}

function freezeFile({ from, to }: { from: Instant; to: Instant }): string {
  const minute = (at: Instant) => new Date(at).toISOString().slice(0, 16).replace('T', ' ')
  return document('Freeze', `reason: simulated\nfrom: ${minute(from)}\nto: ${minute(to)}\ntz: Atlantic/Reykjavik\n`)
}

function holdFile({ environment }: { environment: string }): string {
  return document('Hold', `reason: simulated\nenvironments: [${environment}]\n`)
}

/** Is the one window of these rules open? Told by hand from UTC: Rome is two hours ahead between the last Sundays of March and October, else one. */
export function windowIsOpen(at: Instant): boolean {
  const year = new Date(at).getUTCFullYear()
  const summer = at >= lastSunday(year, 2) && at < lastSunday(year, 9)
  const local = new Date(at + (summer ? 2 : 1) * HOUR_MS)
  const minutes = local.getUTCHours() * 60 + local.getUTCMinutes()
  const weekday = local.getUTCDay()
  return weekday >= 1 && weekday <= 5 && minutes >= 9 * 60 && minutes < 19 * 60
}

/** 01:00 UTC of the last Sunday of a month (from 0). */
function lastSunday(year: number, month: number): Instant {
  const end = Date.UTC(year, month + 1, 0, 1)
  return end - new Date(end).getUTCDay() * DAY_MS
}

/** The minute that a freeze file can name. */
export function wholeMinute(at: Instant): Instant {
  return at - (at % MINUTE_MS)
}
