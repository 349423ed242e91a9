import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { CommitSha } from '../../controller/model/names.ts'
import { type CiState, changedFiles, type SimPull } from './forge.ts'
import { isLive, type SimRun } from './pipelines.ts'
import { APP_REPOS } from './rules.ts'
import type { Change, StoryOptions } from './story.ts'

/** What people do in a history that nobody would do on a good day. */
export interface Mischief {
  /** Takes away what a start that is just being made rests on. */
  undermine(): void
  /** What a request asks for changes while its pull request cannot be read. */
  moveInTheDark(): void
  /** The config branch was just looked at and cannot be read any more, when a run ends and whoever waits for it may start. */
  hideBranch(): void
  /** A run shows late, and nobody can look for it any more when it does. */
  overlookRun(): void
  /** A run is withdrawn after the records of it were lost, while nobody can say whether it is there. */
  forgetAndWithdraw(): void
  /** Cancels, deletes or starts again a run at its provider. */
  meddleWithRun(): void
  /** Starts a pipeline by hand with the variables of a run that is there, its JOB_ID among them. */
  copyRun(): void
  /** Makes a rules file unreadable, or readable again. */
  breakOrMend(): void
  /** Takes a commit back from the config branch. */
  rewind(): void
}

interface MischiefOptions extends StoryOptions {
  acts: {
    setCi(repo: string, sha: CommitSha, state: CiState): void
    moveRef(repo: string, ref: string, ci: CiState): void
    dismiss(pull: SimPull): void
    review(pull: SimPull, who: string, state: 'approved' | 'changes_requested' | 'commented'): void
    commitDirectly(change: Change, author: string): void
  }
}

export function createMischief({
  world,
  choices,
  remote,
  forge,
  pipelines,
  nudge,
  setClockBack,
  loseDatabase,
  acts,
}: MischiefOptions): Mischief {
  function breakOrMend(): void {
    const { rules } = remote.head()
    const path = ['access.yaml', 'policies/prod.yaml', 'holds/broken.yaml', 'draven.yaml'][choices.pick(4)]!
    acts.commitDirectly({ rules: { ...rules, broken: rules.broken === null ? path : null } }, 'erin')
    if (choices.pick(2) === 1) return
    world.at(world.now() + 2 * MINUTE_MS, 'the file is mended', () => acts.commitDirectly({ rules }, 'erin'))
  }

  function rewind(): void {
    const main = remote.head()
    const back = remote.commit(main.parents[0] ?? main.id)!
    const evil = remote.add({ ...back, parents: [back.id], author: 'mallory' })
    remote.move(world.now(), evil.id)
    nudge({ kind: 'config' })
    if (choices.pick(2) === 1) remote.hides = true
    if (choices.pick(2, 0.3) === 1) return
    world.at(world.now() + 2 * MINUTE_MS, 'the old history is put back', () => {
      remote.move(world.now(), main.id)
      nudge({ kind: 'config' })
    })
  }

  function someRun(): SimRun | undefined {
    const { runs } = pipelines
    return runs[runs.length - 1 - choices.pick(Math.max(1, runs.length), 0.3)]
  }

  function copyRun(): void {
    const run = someRun()
    if (run === undefined || run.vanishedAt !== null) return
    pipelines.copy(run)
  }

  function meddleWithRun(): void {
    const run = someRun()
    if (run === undefined) return
    if (isLive(run, world.now())) {
      if (choices.pick(2) === 0) pipelines.cancel(run)
      else run.vanishedAt = world.now()
    } else if (run.vanishedAt === null) {
      pipelines.again(run)
      return
    }
    nudge({ kind: 'run', externalId: run.id })
  }

  /** One of the last requests, with what it asks for and how it came. */
  function someRequest() {
    const { requests } = remote.head()
    const path = [...requests.keys()].at(-1 - choices.pick(2, 0.2))
    if (path === undefined) return null
    const repo = APP_REPOS[path.split('/')[1]!]!
    const asked = /^ref: \{ (branch|tag): (\S+) \}$/m.exec(requests.get(path)!)
    const ref = asked === null ? 'branch develop' : `${asked[1]} ${asked[2]}`
    const pull = forge.pulls.find((each) => each.state === 'merged' && changedFiles(each).some((file) => file.path === path))
    return { path, repo, ref, pull }
  }

  function moveInTheDark(): void {
    const request = someRequest()
    if (request?.pull === undefined) return
    // Somebody's remark makes what is remembered of it too old to go by.
    acts.review(request.pull, 'frank', 'commented')
    world.pullsDarkUntil = world.now() + [20 * SECOND_MS, 2 * MINUTE_MS][choices.pick(2)]!
    acts.moveRef(request.repo, request.ref, (['success', 'pending'] as const)[choices.pick(2)]!)
  }

  /** With the next run, if one comes soon. */
  function onceSomethingRuns(act: (run: SimRun) => void, patience = 12): void {
    const run = pipelines.runs.findLast((each) => isLive(each, world.now()))
    if (run !== undefined) act(run)
    else if (patience > 0) world.at(world.now() + 10 * SECOND_MS, 'nothing runs yet', () => onceSomethingRuns(act, patience - 1))
  }

  function hideBranch(): void {
    onceSomethingRuns((run) => {
      nudge({ kind: 'config' })
      world.at(world.now() + 3 * SECOND_MS, 'the config branch cannot be read', () => {
        world.branchDarkUntil = world.now() + MINUTE_MS
        nudge({ kind: 'config' })
        if (isLive(run, world.now())) pipelines.fails(run)
      })
    })
  }

  function overlookRun(): void {
    pipelines.nextDawdles(() =>
      world.at(world.now() + 45 * SECOND_MS, 'nobody can look for runs', () => {
        world.runsDarkUntil = world.now() + 5 * MINUTE_MS
      }),
    )
  }

  function forgetAndWithdraw(): void {
    onceSomethingRuns(() => {
      const request = someRequest()
      if (request === null) return
      world.runsDarkUntil = world.now() + MINUTE_MS
      loseDatabase()
      const at = world.now() + [3 * SECOND_MS, 20 * SECOND_MS][choices.pick(2)]!
      world.at(at, 'what runs is withdrawn', () => withdraw(request.path))
    })
  }

  function withdraw(path: string): void {
    const requests = new Map(remote.head().requests)
    requests.delete(path)
    acts.commitDirectly({ requests }, 'alice')
  }

  function undermine(): void {
    const request = someRequest()
    if (request === null) return
    const { path, repo, ref, pull } = request
    const sha = forge.refAt(repo, ref, world.now())
    const way = choices.pick(6)
    // What was read shortly before looks as young as ever by a clock that is set back meanwhile.
    if (way === 5) setClockBack()
    if ((way === 0 || way === 5) && sha !== null) acts.setCi(repo, sha, 'failed')
    if (way === 1) acts.moveRef(repo, ref, 'success')
    if (way === 2 && pull !== undefined) acts.dismiss(pull)
    if (way === 3) withdraw(path)
    if (way === 4 && pull !== undefined) acts.review(pull, 'carol', 'changes_requested')
  }

  return { undermine, moveInTheDark, forgetAndWithdraw, hideBranch, overlookRun, meddleWithRun, copyRun, breakOrMend, rewind }
}
