import { HOUR_MS, type Instant, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { requestFile } from '../scenarios/config-files.ts'
import type { Choices } from './choices.ts'
import { type CiState, type Forge, headOf, type SimPull } from './forge.ts'
import { isLive, type Pipelines, type SimRun } from './pipelines.ts'
import type { Commit, Remote } from './remote.ts'
import { APP_REPOS, type Rules, wholeMinute } from './rules.ts'
import type { World } from './world.ts'

/** What people and systems outside do in a history, by the same list of choices as everything else. */
export interface Story {
  /** Lets one thing happen now; 0 lets nothing happen. */
  event(): void
  /** A whole request, from its branch to its merge. */
  request(): void
}

export interface StoryOptions {
  world: World
  choices: Choices
  remote: Remote
  forge: Forge
  pipelines: Pipelines
  /** Sends a webhook that says "look at X". */
  nudge: (nudge: Nudge) => void
  stopController: () => void
}

const APPROVERS = ['bob', 'carol', 'dave', 'erin', 'frank'] as const
const ANYBODY = ['bob', 'carol', 'dave', 'erin', 'frank', 'alice', 'olga', 'mallory', 'robot[bot]'] as const
const TARGETS = ['shop/stage', 'shop/demo', 'shop/prod', 'blog/prod'] as const
const BRANCHES = ['branch develop', 'branch main'] as const
const TAGS = ['tag v1.0.0', 'tag v1.1.0'] as const
const CI_STATES: readonly CiState[] = ['success', 'pending', 'failed', 'none']
const DELAYS_MS = [70 * SECOND_MS, 3 * SECOND_MS, 0, 4 * MINUTE_MS]

export function createStory(options: StoryOptions): Story {
  const { world, choices, remote, forge, pipelines, nudge } = options
  let files = 0

  for (const repo of Object.values(APP_REPOS)) for (const ref of [...BRANCHES, ...TAGS]) moveRef(repo, ref, 'success')

  function one<T>(of: readonly T[], odds?: number): T {
    return of[choices.pick(of.length, odds)]!
  }

  function moveRef(repo: string, ref: string, ci: CiState): void {
    const sha = forge.newSha()
    forge.setRef(repo, ref, sha)
    forge.setCi(sha, ci)
    if (ci === 'pending')
      world.at(world.now() + 2 * MINUTE_MS, 'CI ends', () => setCi(repo, sha, one(['success', 'failed'] as const, 0.3)))
    nudge({ kind: 'repository', repoFullName: repo })
  }

  function setCi(repo: string, sha: ReturnType<Forge['newSha']>, state: CiState): void {
    forge.setCi(sha, state)
    nudge({ kind: 'repository', repoFullName: repo })
  }

  // ── pull requests ───────────────────────────────────────────────────────

  function told(pull: SimPull): void {
    forge.touch(pull)
    nudge({ kind: 'pull_request', number: pull.number })
  }

  function review(pull: SimPull, who: string, state: 'approved' | 'changes_requested' | 'commented'): void {
    const id = `${pull.number}-${pull.reviews.length + 1}`
    pull.reviews.push({ id, who, state, commit: headOf(pull).id, at: world.now(), dismissedAt: null })
    told(pull)
  }

  function merge(pull: SimPull): void {
    if (pull.state !== 'open' || pull.baseRefs.at(-1)!.name !== 'main') return
    forge.merge(pull, choices.pick(2, 0.3) === 1)
    told(pull)
    nudge({ kind: 'config' })
  }

  function push(pull: SimPull, change: Partial<Pick<Commit, 'requests' | 'rules'>>, author: string): void {
    if (pull.state !== 'open') return
    const before = headOf(pull)
    pull.heads.push({ at: world.now(), commit: remote.add({ ...before, ...change, parents: [before.id], author }) })
    told(pull)
  }

  function open(author: string, change: Partial<Pick<Commit, 'requests' | 'rules'>>): SimPull {
    const base = remote.head()
    const pull = forge.openPull(author, remote.add({ ...base, ...change, parents: [base.id], author }))
    told(pull)
    return pull
  }

  function commitDirectly(change: Partial<Pick<Commit, 'requests' | 'rules'>>, author: string): void {
    const head = remote.head()
    remote.move(world.now(), remote.add({ ...head, ...change, parents: [head.id], author }).id)
    nudge({ kind: 'config' })
  }

  function newRequest(): { path: string; text: string } {
    // Two in one environment is where queue and lock matter.
    const target = one(TARGETS, 0.5)
    const policy = remote.head().rules.policies[remote.head().rules.environments[target]?.policy ?? ''] ?? null
    const refs = policy?.refs === 'tag' ? TAGS : BRANCHES
    const [kind, name] = one(refs).split(' ')
    const type = one(['deploy', 'rollback', 'dry_run'] as const, 0.2)
    const ref = type === 'rollback' ? null : `${kind}: ${name}`
    return { path: `requests/${target}/r${++files}.yaml`, text: requestFile(ref, { type }) }
  }

  function withFile(path: string, text: string | null): ReadonlyMap<string, string> {
    const requests = new Map(remote.head().requests)
    if (text === null) requests.delete(path)
    else requests.set(path, text)
    return requests
  }

  function request(): void {
    const { path, text } = newRequest()
    const author = one(['alice', 'olga', 'erin', 'mallory', 'robot[bot]'], 0.2)
    const pull = open(author, { requests: withFile(path, text) })
    let at = world.now()
    const people = [...APPROVERS]
    for (let reviews = [2, 0, 1, 3][choices.pick(4, 0.4)]!; reviews > 0; reviews--) {
      at += one(DELAYS_MS, 0.3)
      const who = people.splice(choices.pick(people.length, 0.3), 1)[0]!
      const state = one(['approved', 'changes_requested', 'commented'] as const, 0.1)
      world.at(at, `${who} reviews ${pull.number}`, () => review(pull, who, state))
    }
    at += one(DELAYS_MS, 0.3)
    world.at(at, `merge of ${pull.number}`, () => merge(pull))
  }

  // ── rules ───────────────────────────────────────────────────────────────

  function changedRules(): Rules {
    const rules = remote.head().rules
    const key = one(TARGETS)
    const environment = rules.environments[key]!
    const policy = rules.policies[environment.policy]!
    const withPolicy = (change: Partial<typeof policy>): Rules => ({
      ...rules,
      policies: { ...rules.policies, [environment.policy]: { ...policy, ...change } },
    })
    const withEnvironment = (change: Partial<typeof environment>): Rules => ({
      ...rules,
      environments: { ...rules.environments, [key]: { ...environment, ...change } },
    })
    switch (choices.pick(9)) {
      case 0:
        return withPolicy({ approvals: policy.approvals === 0 ? 1 : 0 })
      case 1:
        return withPolicy({ window: !policy.window })
      case 2:
        return withPolicy({ ci: !policy.ci })
      case 3:
        return withEnvironment({ enabled: !environment.enabled })
      case 4:
        return withEnvironment({ promoteFrom: environment.promoteFrom === null && key === 'shop/demo' ? 'stage' : null })
      case 5:
        return { ...rules, approvers: rules.approvers.includes('bob') ? ['carol', 'dave'] : ['bob', 'carol', 'dave'] }
      case 6:
        return { ...rules, operators: rules.operators.includes('alice') ? ['olga'] : ['alice', 'olga'] }
      case 7:
        return { ...rules, approvers: [...rules.approvers, 'mallory'], operators: [...rules.operators, 'mallory'] }
      default:
        return { ...rules, active: rules.active.includes('shop') ? ['blog'] : ['shop', 'blog'] }
    }
  }

  function changeRules(): void {
    const author = one(['erin', 'mallory', 'alice'])
    const pull = open(author, { rules: changedRules() })
    const approved = choices.pick(3) !== 2
    if (approved)
      world.at(world.now() + one(DELAYS_MS), 'review of rules', () =>
        review(pull, one(['frank', 'erin', 'bob'], 0.3), 'approved'),
      )
    world.at(world.now() + 5 * MINUTE_MS, 'merge of rules', () => merge(pull))
  }

  function stopOrGo(): void {
    const rules = remote.head().rules
    const name = `s${++files}`
    if (choices.pick(2, 0.4) === 1) {
      commitDirectly({ rules: { ...rules, holds: {}, freezes: {} } }, 'alice')
      return
    }
    const now = wholeMinute(world.now())
    const hold = choices.pick(2) === 0
    const next: Rules = hold
      ? { ...rules, holds: { ...rules.holds, [name]: { environment: one(['stage', 'demo', 'prod']) } } }
      : { ...rules, freezes: { ...rules.freezes, [name]: { from: now, to: now + one([10 * MINUTE_MS, 3 * HOUR_MS]) } } }
    commitDirectly({ rules: next }, 'alice')
  }

  function breakOrMend(): void {
    const rules = remote.head().rules
    const path = one(['access.yaml', 'policies/prod.yaml', 'holds/broken.yaml', 'draven.yaml'])
    const before = remote.head()
    commitDirectly({ rules: { ...rules, broken: rules.broken === null ? path : null } }, 'erin')
    if (choices.pick(2) === 0)
      world.at(world.now() + 5 * MINUTE_MS, 'the file is mended', () => commitDirectly({ rules: before.rules }, 'erin'))
  }

  function rewind(): void {
    const main = remote.head()
    const back = remote.commit(main.parents[0] ?? main.id)!
    const evil = remote.add({ ...back, parents: [back.id], author: 'mallory' })
    remote.move(world.now(), evil.id)
    nudge({ kind: 'config' })
    if (choices.pick(2, 0.3) === 0) {
      world.at(world.now() + 4 * MINUTE_MS, 'the old history is put back', () => {
        remote.move(world.now(), main.id)
        nudge({ kind: 'config' })
      })
    }
  }

  // ── runs ────────────────────────────────────────────────────────────────

  function meddleWithRun(): void {
    const runs = pipelines.runs
    const run = runs[runs.length - 1 - choices.pick(Math.max(1, runs.length))]
    if (run === undefined) return
    if (isLive(run, world.now())) {
      if (choices.pick(2) === 0) pipelines.cancel(run)
      else run.vanishedAt = world.now()
    } else if (run.vanishedAt === null) rerun(run)
    nudge({ kind: 'run', externalId: run.id })
  }

  function rerun(run: SimRun): void {
    run.attempt++
    run.byHand = true
    run.beginsAt = world.now()
    run.endsAt = world.now() + 3 * MINUTE_MS
  }

  function onSomePull(act: (pull: SimPull) => void): void {
    const pull = forge.pulls[forge.pulls.length - 1 - choices.pick(Math.max(1, forge.pulls.length))]
    if (pull !== undefined) act(pull)
  }

  function onSomeRequest(act: (path: string) => void): void {
    const paths = [...remote.head().requests.keys()]
    const path = paths[paths.length - 1 - choices.pick(Math.max(1, paths.length))]
    if (path !== undefined) act(path)
  }

  const EVENTS: readonly (() => void)[] = [
    () => {},
    request,
    request,
    request,
    () => moveRef(one(Object.values(APP_REPOS)), one([...TAGS, ...BRANCHES]), one(CI_STATES)),
    () => {
      const repo = one(Object.values(APP_REPOS))
      const ref = one([...TAGS, ...BRANCHES])
      const sha = forge.refAt(repo, ref, world.now())
      if (sha !== null) setCi(repo, sha, one(CI_STATES))
    },
    () => onSomePull((pull) => review(pull, one(ANYBODY), one(['approved', 'changes_requested', 'commented'] as const))),
    () =>
      onSomePull((pull) => {
        const given = pull.reviews.find((each) => each.state === 'approved' && each.dismissedAt === null)
        if (given === undefined) return
        given.dismissedAt = world.now()
        told(pull)
      }),
    () =>
      onSomePull((pull) => {
        const path = [...headOf(pull).requests.keys()].find((each) => !pull.base.requests.has(each))
        if (path === undefined) return
        const { text } = newRequest()
        push(pull, { requests: new Map([...headOf(pull).requests, [path, text]]) }, one(['alice', 'bob', 'mallory']))
      }),
    () =>
      onSomePull((pull) => {
        if (pull.state !== 'open') return
        pull.baseRefs.push({ at: world.now(), name: pull.baseRefs.at(-1)!.name === 'main' ? 'evil' : 'main' })
        told(pull)
      }),
    () => onSomePull(merge),
    () => onSomeRequest((path) => commitDirectly({ requests: withFile(path, null) }, 'alice')),
    () => onSomeRequest((path) => commitDirectly({ requests: withFile(path, newRequest().text) }, 'mallory')),
    () => {
      const { path, text } = newRequest()
      commitDirectly({ requests: withFile(path, choices.pick(3) === 2 ? 'kind: [' : text) }, 'mallory')
    },
    changeRules,
    () => commitDirectly({ rules: changedRules() }, 'mallory'),
    stopOrGo,
    breakOrMend,
    rewind,
    meddleWithRun,
    options.stopController,
    () => {
      world.outageUntil = world.now() + one([2 * MINUTE_MS, 20 * MINUTE_MS, 50 * MINUTE_MS])
    },
  ]

  return { request, event: () => EVENTS[choices.pick(EVENTS.length, 0.9)]!() }
}

const PAUSES_MS = [20 * SECOND_MS, 2 * MINUTE_MS, SECOND_MS, 4 * MINUTE_MS] as const
const LONG_PAUSES_MS = [0, 20 * MINUTE_MS] as const

/** How long people wait between two things that they do. */
export function pauseBetween(choices: Choices): Instant {
  return PAUSES_MS[choices.pick(PAUSES_MS.length)]! + LONG_PAUSES_MS[choices.pick(LONG_PAUSES_MS.length, 0.05)]!
}
