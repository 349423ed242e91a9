import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HOUR_MS, SECOND_MS } from '../../controller/clock.ts'
import type { ReasonCode } from '../../controller/model/reason.ts'
import { ACCESS, CONFIG_REPO, PROD_POLICY, requestFile } from './config-files.ts'
import { forgetfulFetch } from './forgetful-fetch.ts'
import { changeRules, onMain, POLL_MS, type Proposal, poll, proposal, reviewsOf, unheard, withdraw } from './proposal.ts'
import { openScene, type Scene } from './scene.ts'

/** Pull requests whose reviews no longer know their commit. */
const forgotten = new Set<number>()

/** More people than the plain repository has, each with one peculiarity. */
const MORE_PEOPLE = `  gina: { name: Gina Marsh, accounts: { github: gina } }
  hank: { name: Hank Ode, accounts: { github: hank } }
  ivy: { name: Ivy Quist, accounts: { github: ivy } }
  olga: { name: Olga Perl, accounts: { github: olga } }
  robot: { name: A robot, accounts: { github: review-robot } }
`
const MORE_BINDINGS = `  - { role: approver, people: [gina] }
  - { role: approver, people: [ivy, robot] }
  - { role: approver, people: [hank], environments: [demo] }
  - { role: operator, people: [olga] }
`
const ACCESS_WITH_MORE = ACCESS.replace('groups:\n', `${MORE_PEOPLE}groups:\n`) + MORE_BINDINGS
const ACCESS_WITHOUT_GINA = ACCESS_WITH_MORE.replace('  - { role: approver, people: [gina] }\n', '')

let scene: Scene
beforeAll(async () => {
  scene = await openScene({
    pollMs: POLL_MS,
    config: { 'access.yaml': ACCESS_WITH_MORE, 'policies/prod.yaml': `${PROD_POLICY}approval_valid_hours: 24\n` },
    seams: { fetch: forgetfulFetch(forgotten) },
  })
  for (const login of ['gina', 'hank', 'ivy', 'olga', 'carol-at-home']) scene.forge.user(login)
  scene.forge.user('review-robot', { type: 'Bot' })
})
afterAll(async () => {
  scene.forge.assertClean()
  await scene.close()
})

interface Scenario {
  name: string
  /** Opens the pull request; by alice from a branch of the repository unless told. */
  open?: (request: Proposal) => Promise<unknown>
  /** What people do between the opened pull request and its merge. */
  people: (request: Proposal) => Promise<unknown>
  method?: 'squash' | 'rebase'
  /** `starts`, or the reason with which it waits. */
  verdict: 'starts' | ReasonCode
  reviews: string[]
}

/** Prod asks for two approvals. */
const SCENARIOS: Scenario[] = [
  // how many
  { name: 'nobody approved', people: async () => {}, verdict: 'approval_missing', reviews: [] },
  {
    name: 'one of two people approved',
    people: (request) => request.approve('bob'),
    verdict: 'approval_missing',
    reviews: ['bob counted'],
  },
  {
    name: 'two of two people approved',
    people: (request) => request.approve('bob', 'carol'),
    verdict: 'starts',
    reviews: ['bob counted', 'carol counted'],
  },
  {
    name: 'one person approved twice',
    people: (request) => request.approve('bob', 'bob'),
    verdict: 'approval_missing',
    reviews: ['bob later_review', 'bob counted'],
  },
  {
    name: 'one person approved from two accounts, of which access.yaml knows one',
    people: (request) => request.approve('carol', 'carol-at-home'),
    verdict: 'approval_missing',
    reviews: ['carol counted', 'carol-at-home unknown_person'],
  },
  {
    name: 'an admin approved beside an approver',
    people: (request) => request.approve('bob', 'erin'),
    verdict: 'starts',
    reviews: ['bob counted', 'erin counted'],
  },
  // changes of mind
  {
    name: 'an approver asked for changes after approving',
    async people(request) {
      await request.approve('bob', 'carol')
      await request.review('bob', 'CHANGES_REQUESTED')
    },
    verdict: 'approval_missing',
    reviews: ['bob later_review', 'carol counted', 'bob changes_requested'],
  },
  {
    name: 'an approver approved after asking for changes',
    async people(request) {
      await request.review('bob', 'CHANGES_REQUESTED')
      await request.approve('bob', 'carol')
    },
    verdict: 'starts',
    reviews: ['bob later_review', 'bob counted', 'carol counted'],
  },
  {
    name: 'a third approver asks for changes beside two approvals',
    async people(request) {
      await request.approve('bob', 'carol')
      await request.review('dave', 'CHANGES_REQUESTED')
    },
    verdict: 'approval_missing',
    reviews: ['bob counted', 'carol counted', 'dave changes_requested'],
  },
  {
    name: 'a stranger asks for changes beside two approvals',
    async people(request) {
      await request.review('mallory', 'CHANGES_REQUESTED')
      await request.approve('bob', 'carol')
    },
    verdict: 'starts',
    reviews: ['mallory unknown_person', 'bob counted', 'carol counted'],
  },
  {
    name: 'an approver commented after approving',
    async people(request) {
      await request.approve('bob')
      await request.review('bob', 'COMMENTED')
      await request.approve('carol')
    },
    verdict: 'starts',
    reviews: ['bob counted', 'bob not_a_stance', 'carol counted'],
  },
  {
    name: 'an approval was dismissed',
    async people(request) {
      const review = await request.review('bob', 'APPROVED')
      await request.approve('carol')
      await request.dismiss(review)
    },
    verdict: 'approval_missing',
    reviews: ['bob dismissed', 'carol counted'],
  },
  {
    name: 'a dismissed objection does not bring the approval before it back',
    async people(request) {
      await request.approve('bob', 'carol')
      await request.dismiss(await request.review('bob', 'CHANGES_REQUESTED'))
    },
    verdict: 'approval_missing',
    reviews: ['bob later_review', 'carol counted', 'bob dismissed'],
  },
  // what was approved
  {
    name: 'the request was changed after an approval',
    async people(request) {
      await request.approve('bob')
      await request.push({ [request.path]: requestFile('tag: v1.4.2', { reason: 'Something else' }) })
      await request.approve('carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob stale_subject', 'carol counted'],
  },
  {
    name: 'another file was pushed after an approval',
    async people(request) {
      await request.approve('bob')
      await request.push(notes(request))
      await request.approve('carol')
    },
    verdict: 'starts',
    reviews: ['bob counted', 'carol counted'],
  },
  {
    name: 'the branch was rebased after an approval and brings the same request',
    async people(request) {
      await request.approve('bob')
      await onMain(scene, () =>
        scene.forge.commit(CONFIG_REPO, 'main', { 'BEFORE.md': `before ${request.branch}\n` }, { as: 'erin' }),
      )
      const rebased = await scene.forge.commit(
        CONFIG_REPO,
        `${request.branch}-rebased`,
        { [request.path]: requestFile('tag: v1.4.2') },
        { as: 'alice' },
      )
      await scene.forge.forcePush(CONFIG_REPO, request.branch, rebased, { as: 'alice' })
      await scene.shown(request.pull)
      await request.approve('carol')
    },
    verdict: 'starts',
    reviews: ['bob counted', 'carol counted'],
  },
  {
    name: 'the commit that was approved is nowhere to be found',
    async people(request) {
      await request.review('bob', 'APPROVED', 'f'.repeat(40))
      await request.approve('carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob stale_subject', 'carol counted'],
  },
  {
    name: 'GitHub no longer tells which commit was approved',
    async people(request) {
      forgotten.add(request.pull)
      await request.approve('bob', 'carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob stale_subject', 'carol stale_subject'],
  },
  // who had a part in it
  {
    name: 'the author approves from a second account',
    async people(request) {
      await expect(request.approve('alice')).rejects.toThrow('your own pull request')
      await request.approve('alice-at-home', 'bob')
    },
    verdict: 'approval_missing',
    reviews: ['alice-at-home unknown_person', 'bob counted'],
  },
  {
    name: 'an approver pushed to the branch under the name of the author',
    async people(request) {
      await request.push(notes(request), { as: 'bob', author: 'alice', committer: 'alice' })
      await request.approve('bob', 'carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob pusher', 'carol counted'],
  },
  {
    name: 'an approver wrote a commit that the author pushed',
    async people(request) {
      await request.push(notes(request), { as: 'alice', author: 'bob', committer: 'alice' })
      await request.approve('bob', 'carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob committer', 'carol counted'],
  },
  {
    name: 'an approver committed what the author wrote',
    async people(request) {
      await request.push(notes(request), { as: 'alice', author: 'alice', committer: 'bob' })
      await request.approve('bob', 'carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob committer', 'carol counted'],
  },
  {
    name: 'an approver is named as a co-author',
    async people(request) {
      const bob = { name: 'Bob Lind', email: 'bob@users.noreply.github.com' }
      await request.push(notes(request), { coAuthors: [bob] })
      await request.approve('bob', 'carol')
    },
    verdict: 'approval_missing',
    reviews: ['bob co_author', 'carol counted'],
  },
  // who may
  {
    name: 'a bot approves, even one that access.yaml calls an approver',
    people: (request) => request.approve('review-robot', 'bob'),
    verdict: 'approval_missing',
    reviews: ['review-robot bot', 'bob counted'],
  },
  {
    name: 'somebody approves who is not in access.yaml',
    people: (request) => request.approve('mallory', 'bob'),
    verdict: 'approval_missing',
    reviews: ['mallory unknown_person', 'bob counted'],
  },
  {
    name: 'an approver of another environment approves',
    people: (request) => request.approve('hank', 'bob'),
    verdict: 'approval_missing',
    reviews: ['hank not_in_role', 'bob counted'],
  },
  {
    name: 'an operator who is no approver approves',
    people: (request) => request.approve('olga', 'bob'),
    verdict: 'approval_missing',
    reviews: ['olga not_in_role', 'bob counted'],
  },
  {
    name: 'the account of an approver was deleted',
    async people(request) {
      await request.approve('ivy', 'bob')
      scene.forge.deleteUser('ivy')
    },
    verdict: 'approval_missing',
    reviews: ['unknown account_gone', 'bob counted'],
  },
  // how it was merged
  ...(['squash', 'rebase'] as const).map(
    (method): Scenario => ({
      name: `the merge method was ${method}`,
      async people(request) {
        await request.push(notes(request))
        await request.approve('bob', 'carol')
      },
      method,
      verdict: 'starts',
      reviews: ['bob counted', 'carol counted'],
    }),
  ),
  {
    name: 'an operator asks from a fork',
    async open(request) {
      const fork = await scene.forge.fork(CONFIG_REPO, 'alice')
      await scene.forge.commit(fork, request.branch, { [request.path]: requestFile('tag: v1.4.2') }, { as: 'alice' })
      request.pull = await scene.forge.openPull(CONFIG_REPO, { head: `alice:${request.branch}`, author: 'alice' })
      await scene.shown(request.pull)
    },
    people: (request) => request.approve('bob', 'carol'),
    verdict: 'starts',
    reviews: ['bob counted', 'carol counted'],
  },
]

/** Played a few at a time, because each has a request of its own; more open pull requests make every merge dearer. */
const AT_ONCE = 1

describe('which reviews count for a prod request, when', () => {
  const plays = SCENARIOS.map((scenario) => ({ scenario, request: null as Proposal | null, trouble: null as unknown }))

  beforeAll(async () => {
    const limit = pLimit(AT_ONCE)
    await limit.map(plays, async (play, index) => {
      const request = proposal(scene, `case-${index + 1}`)
      play.request = request
      await playOut(play.scenario, request).catch((error: unknown) => {
        play.trouble = error
      })
    })
    for (const { request, scenario } of plays) if (scenario.verdict === 'starts') await scene.ended(request!.path)
    await poll(scene)
  }, 120_000)
  afterAll(() => withdraw(...plays.flatMap(({ request, scenario }) => (scenario.verdict === 'starts' ? [] : [request!]))))

  it.each(plays.map((play) => ({ name: play.scenario.name, verdict: play.scenario.verdict, play })))(
    '$name: $verdict',
    async ({ play, verdict }) => {
      expect(play.trouble).toBeNull()
      const job = verdict === 'starts' ? await play.request!.starts() : await play.request!.waits(verdict)
      expect(reviewsOf(job)).toEqual(play.scenario.reviews)
    },
  )
})

async function playOut({ open, people, method }: Scenario, request: Proposal): Promise<void> {
  await (open ? open(request) : request.open())
  await people(request)
  await request.merge(method)
}

/** A file beside the request that no two pull requests share. */
function notes(request: Proposal): Record<string, string> {
  return { [`notes/${request.branch}.md`]: 'Why\n' }
}

describe('which reviews count for a prod request', () => {
  it('counts an approval that comes after the merge', async () => {
    const request = proposal(scene, 'after-merge')
    await request.open()
    await request.approve('bob')
    await request.merge()
    await request.keepsWaiting('approval_missing')
    await request.approve('carol')
    expect(reviewsOf(await request.starts())).toEqual(['bob counted', 'carol counted'])
  })

  it('counts no approval that was given before the controller saw the pull request', async () => {
    const request = proposal(scene, 'unseen')
    await request.write()
    await unheard(scene, async () => {
      request.pull = await scene.forge.openPull(CONFIG_REPO, { head: request.branch, author: 'alice' })
      await request.approve('bob')
      scene.clock.advance(2 * SECOND_MS)
    })
    await poll(scene)
    await scene.shown(request.pull)
    await request.approve('carol')
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob before_pin', 'carol counted'])
    await withdraw(request)
  })

  it('counts nothing of a pull request that was opened, approved and merged between two looks', async () => {
    const request = proposal(scene, 'overlooked')
    await request.write()
    await unheard(scene, async () => {
      request.pull = await scene.forge.openPull(CONFIG_REPO, { head: request.branch, author: 'alice' })
      await request.approve('bob', 'carol')
      await request.merge()
      scene.clock.advance(2 * SECOND_MS)
    })
    await poll(scene)
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(['bob before_pin', 'carol before_pin'])
    await request.approve('bob', 'carol')
    await request.starts()
  })

  it('counts no approval of somebody who lost the role afterwards', async () => {
    const request = proposal(scene, 'ex-approver')
    await request.open()
    await request.approve('gina', 'bob')
    await changeRules(scene, 'gina-leaves', { 'access.yaml': ACCESS_WITHOUT_GINA }, 'erin')
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['gina not_in_role', 'bob counted'])
    await withdraw(request)
  })

  it('finds an approval on the second page of reviews', async () => {
    const request = proposal(scene, 'second-page')
    await request.open()
    await unheard(scene, async () => {
      for (let count = 0; count < 101; count++) await request.review('mallory', 'COMMENTED')
    })
    await request.approve('bob', 'carol')
    await request.merge()
    const job = await request.starts()
    expect(reviewsOf(job).slice(-2)).toEqual(['bob counted', 'carol counted'])
  })

  it('counts one review for both requests of a pull request', async () => {
    const request = proposal(scene, 'both-one')
    const other = proposal(scene, 'both-two')
    await request.open()
    await request.push({ [other.path]: requestFile('tag: v1.4.2', { reason: 'The second one' }) })
    await request.approve('bob', 'carol')
    await request.merge()
    for (const each of [request, other]) expect(reviewsOf(await each.starts())).toEqual(['bob counted', 'carol counted'])
  })

  it('counts no review for a request that joined the pull request afterwards', async () => {
    const request = proposal(scene, 'early')
    const late = proposal(scene, 'late')
    await request.open()
    await request.approve('bob', 'carol')
    await request.push({ [late.path]: requestFile('tag: v1.4.2') })
    await request.merge()
    expect(reviewsOf(await request.starts())).toEqual(['bob counted', 'carol counted'])
    expect(reviewsOf(await late.keepsWaiting('approval_missing'))).toEqual(['bob stale_subject', 'carol stale_subject'])
    await withdraw(late)
  })

  it('refuses the request of an outsider from a fork, whoever approved it', async () => {
    const request = proposal(scene, 'outsider')
    const fork = await scene.forge.fork(CONFIG_REPO, 'mallory')
    await scene.forge.commit(fork, request.branch, { [request.path]: requestFile('tag: v1.4.2') }, { as: 'mallory' })
    request.pull = await scene.forge.openPull(CONFIG_REPO, { head: `mallory:${request.branch}`, author: 'mallory' })
    await scene.shown(request.pull)
    await request.approve('bob', 'carol')
    await request.merge()
    expect((await request.refused('requester_unknown')).requester).toBe('github:mallory')
  })

  it('drops an approval when it has grown too old, and counts a new one of the same person', async () => {
    const request = proposal(scene, 'expired')
    await request.open()
    await request.approve('bob')
    await request.merge()
    await request.waits('approval_missing')
    scene.clock.advance(25 * HOUR_MS)
    await request.approve('carol')
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob expired', 'carol counted'])
    await request.approve('bob')
    expect(reviewsOf(await request.starts())).toEqual(['bob later_review', 'carol counted', 'bob counted'])
  })
})
