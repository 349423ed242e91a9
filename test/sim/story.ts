import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { MAX_REFUSALS } from '../../controller/notify/outbox.ts'
import { requestFile } from '../scenarios/config-files.ts'
import type { Choices } from './choices.ts'
import { type CiState, type Forge, headOf, type SimPull } from './forge.ts'
import { createMischief } from './mischief.ts'
import type { Pipelines } from './pipelines.ts'
import type { Commit, Remote } from './remote.ts'
import { changedRules, stoppedOrGone } from './rule-changes.ts'
import { APP_REPOS, type Rules, wholeMinute } from './rules.ts'
import type { EventName, Target, Theme } from './themes.ts'
import type { World } from './world.ts'

/** What people and systems outside do in a history, by the same list of choices as everything else. */
export interface Story {
  /** Lets one thing happen now; 0 lets nothing happen. */
  event(): void
  /** A whole request, from its branch to its merge. */
  request(): void
  /** Takes away what a start that is just being made rests on. */
  undermine(): void
}

export interface StoryOptions {
  world: World
  theme: Theme
  choices: Choices
  remote: Remote
  forge: Forge
  pipelines: Pipelines
  /** Sends a webhook that says "look at X". */
  nudge: (nudge: Nudge) => void
  crash: () => void
  stop: () => void
  replaceMachine: () => void
  setClock: () => void
  setClockBack: () => void
  loseDatabase: () => void
}

export type Change = Partial<Pick<Commit, 'requests' | 'rules'>>

const APPROVERS = ['bob', 'carol', 'dave', 'erin', 'frank'] as const
const ANYBODY = ['bob', 'carol', 'dave', 'erin', 'frank', 'alice', 'olga', 'mallory', 'robot[bot]'] as const
const BRANCHES = ['branch develop', 'branch main'] as const
const TAGS = ['tag v1.0.0', 'tag v1.1.0'] as const
const CI_STATES: readonly CiState[] = ['success', 'pending', 'failed', 'none']
const STANCES = ['approved', 'changes_requested', 'commented'] as const
/** Longer than a look at the pull request takes: what is approved before that was not on show yet. */
const DELAYS_MS = [12 * SECOND_MS, 3 * SECOND_MS, 0, 4 * MINUTE_MS]
/** Longer than a refused message is tried again. */
const MUTED_MS = MAX_REFUSALS * 10 * MINUTE_MS + HOUR_MS / 2
/** So long before a freeze somebody asks for a deploy that would just make it. */
const LAST_CALL_MS = 42 * SECOND_MS
const FORCES = ['ci', 'freeze, window', 'order, ci, window, freeze'] as const

export function createStory(options: StoryOptions): Story {
  const { world, theme, choices, remote, forge, pipelines, nudge } = options
  let files = 0

  for (const repo of Object.values(APP_REPOS)) for (const ref of [...BRANCHES, ...TAGS]) setRef(repo, ref, 'success')

  function one<T>(of: readonly T[], odds?: number): T {
    return of[choices.pick(of.length, odds)]!
  }

  function setRef(repo: string, ref: string, ci: CiState): ReturnType<Forge['newSha']> {
    const sha = forge.newSha()
    forge.setRef(repo, ref, sha)
    forge.setCi(sha, ci)
    return sha
  }

  function moveRef(repo: string, ref: string, ci: CiState): void {
    const sha = setRef(repo, ref, ci)
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

  function review(pull: SimPull, who: string, state: (typeof STANCES)[number], page = headOf(pull)): void {
    const id = `${pull.number}-${pull.reviews.length + 1}`
    pull.reviews.push({ id, who, state, commit: page.id, at: world.now(), dismissedAt: null })
    told(pull)
  }

  function dismiss(pull: SimPull): void {
    const given = pull.reviews.findLast((each) => each.state === 'approved' && each.dismissedAt === null)
    if (given === undefined) return
    given.dismissedAt = world.now()
    told(pull)
  }

  function merge(pull: SimPull): void {
    if (pull.state !== 'open' || pull.baseRefs.at(-1)!.name !== 'main') return
    forge.merge(pull, choices.pick(2, 0.3) === 1 ? 'squash' : 'merge')
    told(pull)
    nudge({ kind: 'config' })
  }

  function push(pull: SimPull, change: Change, author: string): void {
    if (pull.state !== 'open') return
    const before = headOf(pull)
    pull.heads.push({ at: world.now(), commit: remote.add({ ...before, ...change, parents: [before.id], author }) })
    told(pull)
  }

  function retarget(pull: SimPull): void {
    if (pull.state !== 'open') return
    pull.baseRefs.push({ at: world.now(), name: pull.baseRefs.at(-1)!.name === 'main' ? 'evil' : 'main' })
    told(pull)
  }

  /** Merged into another branch, which somebody then pushes onto the config branch as it is. */
  function mergeElsewhere(): void {
    const { path, text } = newRequest()
    const pull = forge.pulls.findLast((each) => each.state === 'open') ?? open('alice', { requests: withFile(path, text) })
    if (pull.baseRefs.at(-1)!.name === 'main') retarget(pull)
    const merged = forge.merge(pull, 'elsewhere')
    told(pull)
    world.at(world.now() + one([0, 20 * SECOND_MS]), 'the other branch is pushed', () => {
      if (remote.head().id !== merged.parents[0]) return
      remote.move(world.now(), merged.id)
      nudge({ kind: 'config' })
    })
  }

  function open(author: string, change: Change): SimPull {
    const base = remote.head()
    const pull = forge.openPull(author, remote.add({ ...base, ...change, parents: [base.id], author }))
    told(pull)
    return pull
  }

  function commitDirectly(change: Change, author: string): void {
    const head = remote.head()
    remote.move(world.now(), remote.add({ ...head, ...change, parents: [head.id], author }).id)
    nudge({ kind: 'config' })
  }

  function newRequest(forced = false, wanted: Target | null = null): { path: string; text: string } {
    // Two in one environment is where queue and lock matter.
    const target = wanted ?? one(theme.targets, 0.5)
    const policy = remote.head().rules.policies[remote.head().rules.environments[target]?.policy ?? ''] ?? null
    const refs = policy?.refs === 'tag' ? TAGS : BRANCHES
    const [kind, name] = one(refs, 0.3).split(' ')
    const type = one(['deploy', 'rollback', 'dry_run'] as const, 0.15)
    const ref = type === 'rollback' ? null : `${kind}: ${name}`
    const more = forced ? `force: { skip: [${one(FORCES)}], reason: simulated }\n` : ''
    return { path: `requests/${target}/r${++files}.yaml`, text: requestFile(ref, { type, more }) }
  }

  function withFile(path: string, text: string | null): ReadonlyMap<string, string> {
    const requests = new Map(remote.head().requests)
    if (text === null) requests.delete(path)
    else requests.set(path, text)
    return requests
  }

  function request(target: Target | null = null): void {
    const forced = choices.pick(2, 0.1) === 1
    const { path, text } = newRequest(forced, target)
    const author = forced
      ? one(['erin', 'frank', 'alice'] as const, 0.3)
      : one(['alice', 'erin', 'olga', 'mallory', 'erin', 'robot[bot]'] as const, 0.15)
    const pull = open(author, { requests: withFile(path, text) })
    let at = world.now()
    // Some try to approve what they ask for themselves.
    const people = choices.pick(2, 0.15) === 1 ? [author, ...APPROVERS] : APPROVERS.filter((who) => who !== author)
    for (let reviews = [2, 0, 1, 3][choices.pick(4, 0.3)]!; reviews > 0; reviews--) {
      at += one(DELAYS_MS, 0.2)
      const who = people.splice(choices.pick(people.length, 0.3), 1)[0]!
      const state = one(STANCES, 0.1)
      world.at(at, `${who} reviews ${pull.number}`, () => review(pull, who, state))
    }
    at += one(DELAYS_MS, 0.3)
    world.at(at, `merge of ${pull.number}`, () => merge(pull))
    // Who sees that an approval does not count gives it once more.
    if (choices.pick(3) !== 2) world.at(at + 70 * SECOND_MS, `${pull.number} is approved again`, () => approveAgain(pull))
  }

  function approveAgain(pull: SimPull): void {
    const given = new Set(
      pull.reviews.filter((each) => each.state === 'approved' && each.dismissedAt === null).map(({ who }) => who),
    )
    const started = pipelines.runs.some((run) => run.createdAt >= pull.createdAt)
    if (!started) for (const who of given) review(pull, who, 'approved')
  }

  // ── rules ───────────────────────────────────────────────────────────────

  function changeRules(): void {
    const author = one(['erin', 'mallory', 'alice'])
    const pull = open(author, { rules: changedRules(remote.head().rules, choices, theme.targets) })
    const approved = choices.pick(3) !== 2
    if (approved)
      world.at(world.now() + one(DELAYS_MS), 'review of rules', () =>
        review(pull, one(['frank', 'erin', 'bob'], 0.3), 'approved'),
      )
    world.at(world.now() + one([20 * SECOND_MS, 5 * MINUTE_MS], 0.3), 'merge of rules', () => merge(pull))
  }

  // ── runs and requests ───────────────────────────────────────────────────

  function onSomePull(act: (pull: SimPull) => void): void {
    const pull = forge.pulls[forge.pulls.length - 1 - choices.pick(Math.max(1, forge.pulls.length), 0.5)]
    if (pull !== undefined) act(pull)
  }

  function onSomeRequest(act: (path: string) => void): void {
    const paths = [...remote.head().requests.keys()]
    const path = paths[paths.length - 1 - choices.pick(Math.max(1, paths.length), 0.5)]
    if (path !== undefined) act(path)
  }

  function pushMore(pull: SimPull): void {
    const path = [...headOf(pull).requests.keys()].find((each) => !pull.base.requests.has(each))
    if (path === undefined) return
    const { text } = newRequest()
    push(pull, { requests: new Map([...headOf(pull).requests, [path, text]]) }, one(['alice', 'bob', 'mallory']))
  }

  /** A request is edited while its reviewers have its first content before them. */
  function reviewOldPage(): void {
    const { path, text } = newRequest()
    const pull = open('alice', { requests: withFile(path, text) })
    const first = headOf(pull)
    // One that says the same in other bytes is another request all the same.
    const edited = choices.pick(2) === 0 ? `${text}# as discussed\n` : newRequest().text
    let at = world.now() + one(DELAYS_MS)
    world.at(at, `${pull.number} is edited`, () =>
      push(pull, { requests: new Map([...first.requests, [path, edited]]) }, 'alice'),
    )
    at += one(DELAYS_MS)
    for (const who of ['bob', 'carol'])
      world.at(at, `${who} reviews what ${pull.number} was`, () => review(pull, who, 'approved', first))
    world.at(at + one(DELAYS_MS), `merge of ${pull.number}`, () => merge(pull))
  }

  /** Its one approval is taken back before it is merged, or it never had any and is forced. */
  function mergeUnapproved(): void {
    const forced = choices.pick(2, 0.3) === 1
    const { path, text } = newRequest(forced)
    const pull = open('erin', { requests: withFile(path, text) })
    const at = world.now() + one([12 * SECOND_MS, 3 * SECOND_MS, 70 * SECOND_MS])
    if (!forced) {
      for (const who of ['bob', 'carol']) world.at(at, `${who} reviews ${pull.number}`, () => review(pull, who, 'approved'))
      world.at(at + one(DELAYS_MS), `approvals of ${pull.number} are dismissed`, () => {
        while (pull.reviews.some((each) => each.state === 'approved' && each.dismissedAt === null)) dismiss(pull)
      })
    }
    world.at(at + one([20 * SECOND_MS, 5 * MINUTE_MS]), `merge of ${pull.number}`, () => merge(pull))
  }

  function pushRequest(): void {
    const { path, text } = newRequest()
    commitDirectly({ requests: withFile(path, choices.pick(3) === 2 ? 'kind: [' : text) }, 'mallory')
  }

  function changeCi(): void {
    const repo = one(Object.values(APP_REPOS), 0.2)
    const sha = forge.refAt(repo, one([...BRANCHES, ...TAGS], 0.5), world.now())
    if (sha !== null) setCi(repo, sha, one(CI_STATES))
  }

  const mischief = createMischief({ ...options, acts: { setCi, moveRef, dismiss, review, commitDirectly } })

  const HAPPEN: Readonly<Record<EventName, () => void>> = {
    request: () => request(),
    'move a ref': () => moveRef(one(Object.values(APP_REPOS), 0.2), one([...BRANCHES, ...TAGS], 0.5), one(CI_STATES)),
    'change CI': changeCi,
    review: () => onSomePull((pull) => review(pull, one(ANYBODY), one(STANCES, 0.3))),
    'review an old page': reviewOldPage,
    dismiss: () => onSomePull(dismiss),
    push: () => onSomePull(pushMore),
    retarget: () => onSomePull(retarget),
    'merge elsewhere': mergeElsewhere,
    merge: () => onSomePull(merge),
    'delete a request': () => onSomeRequest((path) => commitDirectly({ requests: withFile(path, null) }, 'alice')),
    'edit a request': () => onSomeRequest((path) => commitDirectly({ requests: withFile(path, newRequest().text) }, 'mallory')),
    'push a request': pushRequest,
    'change rules': changeRules,
    'push rules': () => commitDirectly({ rules: changedRules(remote.head().rules, choices, theme.targets) }, 'mallory'),
    'stop or go': () => commitDirectly({ rules: stopped() }, 'alice'),
    'freeze soon': freezeSoon,
    'break or mend': mischief.breakOrMend,
    rewind: mischief.rewind,
    'meddle with a run': mischief.meddleWithRun,
    crash: options.crash,
    outage: () => {
      world.outageUntil = world.now() + one([2 * MINUTE_MS, 20 * MINUTE_MS], 0.3)
    },
    undermine: mischief.undermine,
    'move a ref in the dark': mischief.moveInTheDark,
    'merge unapproved': mergeUnapproved,
    'forget and withdraw': mischief.forgetAndWithdraw,
    'hide the branch': mischief.hideBranch,
    'overlook a run': mischief.overlookRun,
    'set a clock': options.setClock,
    'lose the database': options.loseDatabase,
    'stop a controller': options.stop,
    'replace a machine': options.replaceMachine,
    'copy a run': mischief.copyRun,
    'refuse our messages': () => {
      world.mutedUntil = world.now() + MUTED_MS
    },
  }

  function stopped(): Rules {
    return stoppedOrGone(remote.head().rules, choices, `s${++files}`, world.now(), one([4 * MINUTE_MS, 3 * HOUR_MS]))
  }

  /** A freeze that is on record before it begins, and a request that may just make it. */
  function freezeSoon(): void {
    const { rules } = remote.head()
    const from = wholeMinute(world.now() + LAST_CALL_MS) + MINUTE_MS
    commitDirectly(
      { rules: { ...rules, freezes: { ...rules.freezes, [`s${++files}`]: { from, to: from + 2 * MINUTE_MS } } } },
      'alice',
    )
    world.lastCallAt = from
    world.at(from - LAST_CALL_MS, 'a last request', () => request('shop/stage'))
  }

  function event(): void {
    const drawn = choices.pick(theme.events.length + 1, 0.95)
    if (drawn > 0) HAPPEN[theme.events[drawn - 1]!]()
  }

  return { request: () => request(), undermine: mischief.undermine, event }
}
