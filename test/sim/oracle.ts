import type { Instant } from '../../controller/clock.ts'
import { SECOND_MS } from '../../controller/clock.ts'
import type { Job } from '../../controller/jobs/job.ts'
import type { ConfigState } from '../../controller/jobs/state-store.ts'
import type { Shadow, Truth } from './checks.ts'
import { changedFiles, headOf, type SimPull, type SimReview, sawContent } from './forge.ts'
import { type Commit, textAt } from './remote.ts'
import { APP_REPOS, type Rules, ruleFiles, windowIsOpen } from './rules.ts'

/*
 * What may start, told a second time from the world's own history, in other words than the controller's. It knows when each
 * thing was so; the controller may rest on what was so a short while ago, so a condition is met when it was met at some moment
 * of that while.
 */

/** Facts of the forge may be this old: the controller's 30 seconds, the whole second that hosts cut off, and what a clock may be put back unseen. */
const FACT_AGE_MS = 36 * SECOND_MS
/** The config branch is looked at before the facts, and may be as old again. */
export const CONFIG_AGE_MS = 62 * SECOND_MS

/** Why this start is wrong; null when it is right. `clock`: what the controller's own shows, which is all it can know of windows. */
export function whyNotStart(truth: Truth, shadow: Shadow, job: Job, clock: Instant): string | null {
  const { remote, forge } = truth
  const now = truth.now()
  const config = shadow.config!
  const head = remote.commit(config.head)!
  const rules = remote.commit(config.rulesCommit)!.rules
  const text = head.requests.get(job.requestPath)
  if (text === undefined) return 'its request is not in the accepted commit'
  const left = remote.moves.findLast(
    (move, index) => index > 0 && remote.moves[index - 1]!.head === config.head && move.head !== config.head,
  )
  // A dry run starts by the last good commit also while the repository is frozen.
  if (
    left !== undefined &&
    !(job.type === 'dry_run' && config.frozen !== null) &&
    remote.head().id !== config.head &&
    left.at < now - CONFIG_AGE_MS
  )
    return 'it rests on a commit that was left long ago'
  const request = parsed(text)
  if (request === null) return 'its request cannot be read'
  if (request.type !== job.type) return `it runs as ${job.type}, asked for as ${request.type}`
  const environment = rules.environments[job.key]
  const policy = environment === undefined ? undefined : rules.policies[environment.policy]
  if (environment === undefined || policy === undefined) return 'its environment or policy is not there'
  if (!environment.enabled) return 'its environment is disabled'
  if (!rules.active.includes(job.project)) return 'its project is not active'

  const pull = forge.pulls.find((each) => brought(truth, each, head, job.requestPath, text))
  if (pull === undefined) return 'no merged pull request brought its request'
  if (!mayRequest(rules, pull.author)) return `${pull.author} may not ask for it`

  const sha = job.pin?.sha
  if (sha === undefined) return 'nothing is pinned'
  const moments = momentsOf(truth, pull, now)
  if (request.ref === null) {
    if (!succeeded(shadow, job.key, sha)) return 'a rollback to what never succeeded here'
  } else {
    const kind = request.ref.split(' ')[0]!
    if (request.type !== 'rollback' && kind !== policy.refs) return `a ${kind} where only a ${policy.refs} may go`
    const repo = APP_REPOS[job.project]!
    if (!moments.some((at) => forge.refAt(repo, request.ref!, at) === sha)) return `${request.ref} does not point at ${sha}`
  }
  if (job.type === 'dry_run') return null

  if (config.frozen !== null) return 'the config repository is frozen'
  const held = guardedDifference(remote.commit(config.rulesCommit)!, head)
  if (held !== null) return `${held} was changed, and that is not in force`
  if (request.skips.length > 0 && !(policy.force && rules.admins.includes(pull.author))) return `${pull.author} may not force it`
  const asked = (gate: string) => !request.skips.includes(gate)
  if (asked('ci') && policy.ci && !moments.some((at) => forge.ciAt(sha, at) === 'success')) return `CI of ${sha} is not green`
  if (asked('window') && policy.window && !windowIsOpen(clock)) return 'its window is closed'
  const freeze = Object.entries(rules.freezes).find(([, { from, to }]) => from <= clock && clock < to)
  if (asked('freeze') && freeze !== undefined) return `freeze ${freeze[0]} is on`
  const hold = Object.entries(rules.holds).find(([, held]) => held.environment === job.environment)
  if (asked('freeze') && hold !== undefined) return `hold ${hold[0]} is on`
  const matters = ['access.yaml', 'draven.yaml', 'holds/broken.yaml', `policies/${environment.policy}.yaml`]
  if (rules.broken !== null && matters.includes(rules.broken)) return `${rules.broken} is unreadable`
  if (
    asked('order') &&
    environment.promoteFrom !== null &&
    request.type === 'deploy' &&
    !succeeded(shadow, `${job.project}/${environment.promoteFrom}`, sha)
  ) {
    return `${sha} did not succeed in ${environment.promoteFrom}`
  }
  if (policy.approvals === 0) return null
  const approved = moments.some(
    (at) => approvers(truth, shadow, { pull, head, rules, job, ref: request.ref, sha, at }) >= policy.approvals,
  )
  return approved ? null : `fewer than ${policy.approvals} approvals count`
}

/** Why a change of rules may not be in force; null when it may. */
export function whyRulesNotInForce({ remote, forge, now }: Truth, before: ConfigState, after: ConfigState): string | null {
  const old = remote.commit(before.rulesCommit)!
  const next = remote.commit(after.rulesCommit)!
  const paths = new Set([...ruleFiles(old.rules).keys(), ...ruleFiles(next.rules).keys()])
  for (const path of paths) {
    const [was, is] = [textAt(old, path), textAt(next, path)]
    if (was === is || (was === undefined && /^(freezes|holds)\//.test(path))) continue
    const approved = forge.pulls.some((pull) => {
      if (pull.mergeCommit === null || !remote.isAncestor(pull.mergeCommit, after.head)) return false
      if (!changedFiles(pull).some((file) => file.path === path)) return false
      return [now(), now() - FACT_AGE_MS].some((at) =>
        stances(pull, at).some(
          (review) =>
            review.state === 'approved' &&
            old.rules.admins.includes(review.who) &&
            !tookPart(pull, review.who) &&
            sawContent(remote, review, path, next) &&
            (is !== undefined || review.commit === headOf(pull).id),
        ),
      )
    })
    if (!approved) return `${path} is in force without an admin's approval`
  }
  return null
}

/** A path that differs between two commits and needs an admin to differ; null: there is none. */
function guardedDifference(old: Commit, next: Commit): string | null {
  if (old.rules === next.rules) return null
  const [was, is] = [ruleFiles(old.rules), ruleFiles(next.rules)]
  const added = (path: string) => !was.has(path) && /^(freezes|holds)\//.test(path)
  return [...new Set([...was.keys(), ...is.keys()])].find((path) => was.get(path) !== is.get(path) && !added(path)) ?? null
}

interface Subject {
  pull: SimPull
  head: Commit
  rules: Rules
  job: Job
  ref: string | null
  sha: string
  at: Instant
}

/** How many people's approvals count at a moment; none while somebody who may approve asks for changes. */
function approvers(truth: Truth, shadow: Shadow, { pull, head, rules, job, ref, sha, at }: Subject): number {
  const may = (who: string) => rules.approvers.includes(who) || rules.admins.includes(who)
  const last = stances(pull, at).filter((review) => may(review.who))
  if (last.some((review) => review.state === 'changes_requested')) return -1
  return last.filter((review) => {
    if (review.state !== 'approved' || tookPart(pull, review.who)) return false
    if (!sawContent(truth.remote, review, job.requestPath, head)) return false
    // What the ref pointed at when it was approved, or before, is what may run; never what it was moved to afterwards.
    if (ref !== null && !hadPointed(truth, APP_REPOS[job.project]!, ref, sha, review.at)) return false
    return sameRulesThen(truth, shadow, rules, job.key, review.at)
  }).length
}

/** The last stance of each person at a moment. */
function stances(pull: SimPull, at: Instant): (SimReview & { state: 'approved' | 'changes_requested' | 'dismissed' })[] {
  const last = new Map<string, SimReview>()
  for (const review of pull.reviews) if (review.at <= at && review.state !== 'commented') last.set(review.who, review)
  return [...last.values()].map((review) => ({
    ...review,
    state: review.dismissedAt !== null && review.dismissedAt <= at ? 'dismissed' : review.state,
  })) as ReturnType<typeof stances>
}

function tookPart(pull: SimPull, who: string): boolean {
  return pull.author === who || pull.heads.some(({ commit }) => commit.author === who)
}

function mayRequest(rules: Rules, who: string): boolean {
  return rules.operators.includes(who) || rules.admins.includes(who)
}

function hadPointed({ forge }: Truth, repo: string, ref: string, sha: string, by: Instant): boolean {
  return (forge.refs.get(`${repo} ${ref}`) ?? []).some((entry) => entry.value === sha && entry.at <= by)
}

/** Policy and environment are part of what is approved. */
function sameRulesThen({ remote }: Truth, { rulesInForce }: Shadow, rules: Rules, key: string, at: Instant): boolean {
  const then = remote.commit((rulesInForce.findLast((entry) => entry.at <= at) ?? rulesInForce[0]!).commit)!.rules
  const subject = (of: Rules) => JSON.stringify([of.environments[key], of.policies[of.environments[key]?.policy ?? '']])
  return subject(then) === subject(rules)
}

/** Did this pull request put this content there, as far as the accepted commit knows? */
export function brought({ remote }: Truth, pull: SimPull, head: Commit, path: string, text: string): boolean {
  if (pull.mergeCommit === null || pull.baseRefs.at(-1)!.name !== 'main') return false
  if (!remote.isAncestor(pull.mergeCommit, head.id)) return false
  return changedFiles(pull).some((file) => file.path === path) && remote.commit(pull.mergeCommit)!.requests.get(path) === text
}

function succeeded(shadow: Shadow, key: string, sha: string): boolean {
  return [...shadow.jobs.values()].some(
    (job) => job.key === key && job.status === 'success' && job.type !== 'dry_run' && job.pin?.sha === sha,
  )
}

/** Now, the oldest moment that still counts, and every moment between at which something changed. */
function momentsOf({ forge }: Truth, pull: SimPull, now: Instant): Instant[] {
  const oldest = now - FACT_AGE_MS
  const changes = [
    ...pull.reviews.flatMap((review) => [review.at, review.dismissedAt ?? 0]),
    ...[...forge.refs.values(), ...forge.ci.values()].flatMap((timeline) => timeline.map((entry) => entry.at)),
  ]
  return [oldest, now, ...changes.filter((at) => at > oldest && at < now)]
}

export function parsed(text: string): { type: string; ref: string | null; skips: readonly string[] } | null {
  const type = /^type: (deploy|rollback|dry_run)$/m.exec(text)?.[1]
  if (type === undefined) return null
  const ref = /^ref: \{ (branch|tag): (\S+) \}$/m.exec(text)
  const skips = /^force: \{ skip: \[(.*?)\]/m.exec(text)?.[1]?.split(', ') ?? []
  return { type, skips, ref: ref === null ? null : `${ref[1]} ${ref[2]}` }
}
