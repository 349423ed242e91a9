import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ReviewHost } from '../../controller/approvals/evidence.ts'
import { tallyReviews } from '../../controller/approvals/tally-reviews.ts'
import { DAY_MS, SECOND_MS } from '../../controller/clock.ts'
import { type BlobId, type CommitSha, personId } from '../../controller/model/names.ts'
import { tallyInput } from '../approvals/fixtures.ts'
import { ALICE, BOB, binding, CAROL, DAVE, desiredState, ERIN, person } from '../policy/fixtures.ts'
import { type GitRepository, resolveCommit } from '../sandbox/git/repository.ts'
import { DEVELOPER } from '../sandbox/gitlab/world.ts'
import { bitbucketLogin, onBitbucket } from './bitbucket/code-host.ts'
import { CLOSED_TAKES_NONE, onGitea } from './gitea/code-host.ts'
import { CONFIG, openScene } from './github/forge-scene.ts'
import { openGitlabScene } from './gitlab/gitlab-scene.ts'

type Files = Readonly<Record<string, string | null>>
interface Push {
  as: string
  author?: string | { name: string; email: string }
  committer?: string | { name: string; email: string }
  message?: string
  merging?: readonly string[]
}

/** A code host and its people. What a host forbids its people to do is simply not done there. */
export interface CodeHost {
  provider: string
  reviews: ReviewHost
  now(): number
  advance(ms: number): void
  git: GitRepository
  commit(branch: string, files: Files, push: Push): Promise<string>
  forcePush(branch: string, sha: string, by: string): Promise<void>
  openPull(branch: string, base: string): Promise<number>
  approve(pull: number, who: string): Promise<void>
  takeBack(pull: number, who: string): Promise<void>
  requestChanges(pull: number, who: string): Promise<void>
  comment(pull: number, who: string): Promise<void>
  merge(pull: number, by: string, method: 'merge' | 'squash'): Promise<void>
  /** The host's private e-mail address of an account. */
  privateEmail(login: string): string
  check(): Promise<void>
  close(): Promise<void>
}

const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'mallory']

async function onGithub(): Promise<CodeHost> {
  const scene = await openScene()
  const { forge } = scene
  for (const login of [...PEOPLE, 'helper[bot]']) {
    forge.user(login, { email: `${login}@acme.test` })
    forge.addCollaborator(CONFIG, login, 'write')
  }
  const given = new Map<string, number>()
  async function review(pull: number, by: string, state: 'APPROVED' | 'CHANGES_REQUESTED' | 'COMMENTED') {
    given.set(`${pull} ${by}`, await forge.review(CONFIG, pull, { by: by === 'helper' ? 'helper[bot]' : by, state }))
  }
  return {
    provider: 'github',
    reviews: scene.connect('token').configHost!.reviews,
    now: () => scene.clock.now(),
    advance: (ms) => scene.clock.advance(ms),
    git: forge.git(CONFIG),
    commit: (branch, files, push) => forge.commit(CONFIG, branch, files, push),
    forcePush: (branch, sha, as) => forge.forcePush(CONFIG, branch, sha, { as }),
    openPull: (branch, base) => forge.openPull(CONFIG, { head: branch, base, author: 'alice' }),
    // GitHub refuses an approval by the author.
    approve: async (pull, who) => (who === 'alice' ? undefined : review(pull, who, 'APPROVED')),
    takeBack: (pull, who) => forge.dismissReview(CONFIG, pull, given.get(`${pull} ${who}`) ?? 0, { by: 'erin' }),
    requestChanges: (pull, who) => review(pull, who, 'CHANGES_REQUESTED'),
    comment: (pull, who) => review(pull, who, 'COMMENTED'),
    merge: async (pull, by, method) => void (await forge.merge(CONFIG, pull, { by, method })),
    privateEmail: (login) => `${forge.user(login).id}+${login}@users.noreply.github.com`,
    check: scene.check,
    close: scene.close,
  }
}

async function onGitlab(): Promise<CodeHost> {
  const scene = await openGitlabScene()
  const { forge } = scene
  for (const username of PEOPLE) forge.user(username, { email: `${username}@acme.test` })
  forge.user('helper', { bot: true })
  for (const username of [...PEOPLE, 'helper']) forge.addMember(CONFIG, username, DEVELOPER)
  return {
    provider: 'gitlab',
    reviews: scene.connect().configHost!.reviews,
    now: () => scene.clock.now(),
    advance: (ms) => scene.clock.advance(ms),
    git: forge.project(CONFIG).git,
    commit: (branch, files, push) => forge.commit(CONFIG, branch, files, push),
    forcePush: (branch, sha, as) => forge.forcePush(CONFIG, branch, sha, { as }),
    openPull: (branch, base) => forge.openPull(CONFIG, { head: branch, base, author: 'alice' }),
    approve: async (pull, who) => forge.approve(CONFIG, pull, who),
    takeBack: async (pull, who) => forge.unapprove(CONFIG, pull, who),
    requestChanges: async (pull, who) => forge.requestChanges(CONFIG, pull, who),
    comment: async (pull, who) => void forge.comment(CONFIG, pull, who, 'LGTM, approved'),
    merge: async (pull, by, method) => void (await forge.merge(CONFIG, pull, { by, method })),
    privateEmail: (login) => `${forge.user(login).id}-${login}@users.noreply.gitlab.com`,
    check: scene.check,
    close: scene.close,
  }
}

/** The words in which the table is written; every step is two seconds after the one before. */
interface Stage {
  approve(...who: string[]): Promise<void>
  takeBack(who: string): Promise<void>
  requestChanges(who: string): Promise<void>
  comment(who: string): Promise<void>
  /** Another commit on the branch: of the request file, or of anything beside it. */
  changeRequest(content: string, push?: Partial<Push>): Promise<string>
  changeOther(push?: Partial<Push>): Promise<string>
  forcePush(sha: string, by?: string): Promise<void>
  merge(by: string, method?: 'merge' | 'squash'): Promise<void>
  /** Policy, ref or environment changed what would run: reviews count from now on. */
  pinAnew(): void
  wait(ms: number): void
  requestedBy(who: 'bob'): void
  privateEmail(login: string): string
  head(): Promise<string>
}

type Row = readonly [what: string, approvers: readonly string[], steps: (on: Stage) => Promise<unknown>, base?: string]

const as = (name: string) => ({ name, email: `${name}@acme.test` })

/** Whose approvals count for the request of alice as it would run now. */
const TABLE: readonly Row[] = [
  ['nobody said anything', [], async () => {}],
  ['one approved', ['bob'], (on) => on.approve('bob')],
  ['two approved', ['bob', 'carol'], (on) => on.approve('bob', 'carol')],
  ['the author approved', [], (on) => on.approve('alice')],
  ['somebody approved whom access.yaml does not know', [], (on) => on.approve('mallory')],
  ['a bot approved', [], (on) => on.approve('helper')],
  ['somebody approved who has no role for that', [], (on) => on.approve('dave')],
  ['an admin approved', ['erin'], (on) => on.approve('erin')],
  ['one only commented', [], (on) => on.comment('bob')],
  ['one commented after approving', ['bob'], async (on) => [await on.approve('bob'), await on.comment('bob')]],
  ['one approved after commenting', ['bob'], async (on) => [await on.comment('bob'), await on.approve('bob')]],
  ['an approval was taken back', [], async (on) => [await on.approve('bob'), await on.takeBack('bob')]],
  ['one of two was taken back', ['carol'], async (on) => [await on.approve('bob', 'carol'), await on.takeBack('bob')]],
  [
    'one was taken back and given again',
    ['bob'],
    async (on) => [await on.approve('bob'), await on.takeBack('bob'), await on.approve('bob')],
  ],
  ['one asked for changes after approving', [], async (on) => [await on.approve('bob'), await on.requestChanges('bob')]],
  ['one approved after asking for changes', ['bob'], async (on) => [await on.requestChanges('bob'), await on.approve('bob')]],
  ['another asked for changes', ['carol'], async (on) => [await on.approve('carol'), await on.requestChanges('bob')]],
  ['the request changed after the approval', [], async (on) => [await on.approve('bob'), await on.changeRequest('other')]],
  ['the request changed before the approval', ['bob'], async (on) => [await on.changeRequest('other'), await on.approve('bob')]],
  [
    'the request changed and changed back',
    ['bob'],
    async (on) => [await on.approve('bob'), await on.changeRequest('other'), await on.changeRequest('request')],
  ],
  ['something beside the request changed', ['bob'], async (on) => [await on.approve('bob'), await on.changeOther()]],
  [
    'approved anew after a change',
    ['bob'],
    async (on) => [await on.approve('bob'), await on.changeRequest('other'), await on.takeBack('bob'), await on.approve('bob')],
  ],
  [
    'the branch was forced to another request after the approval',
    [],
    async (on) => {
      const approved = await on.head()
      const evil = await on.changeRequest('evil')
      await on.forcePush(approved)
      await on.approve('bob')
      await on.forcePush(evil)
    },
  ],
  [
    'the branch was forced back to what had been approved',
    ['bob'],
    async (on) => {
      const approved = await on.head()
      await on.approve('bob')
      await on.changeRequest('evil')
      await on.forcePush(approved)
    },
  ],
  ['the approver pushed', [], async (on) => [await on.changeOther({ as: 'bob', author: 'alice' }), await on.approve('bob')]],
  [
    'the approver pushed after approving',
    [],
    async (on) => [await on.approve('bob'), await on.changeOther({ as: 'bob', author: 'alice' })],
  ],
  [
    'the approver forced the branch to where it was',
    ['carol'],
    async (on) => {
      const head = await on.head()
      const other = await on.changeOther()
      await on.forcePush(head, 'bob')
      await on.forcePush(other)
      await on.approve('bob', 'carol')
    },
  ],
  [
    'the approver wrote a commit that another pushed',
    [],
    async (on) => [await on.changeOther({ as: 'alice', author: 'bob' }), await on.approve('bob')],
  ],
  [
    'the approver committed what another wrote and pushed',
    [],
    async (on) => [await on.changeOther({ as: 'alice', author: 'alice', committer: 'bob' }), await on.approve('bob')],
  ],
  [
    'the approver is named as co-author',
    ['carol'],
    async (on) => [
      await on.changeOther({ message: 'x\n\nCo-authored-by: Bob <bob@acme.test>' }),
      await on.approve('bob', 'carol'),
    ],
  ],
  [
    "the approver wrote a commit under the host's private address",
    [],
    async (on) => {
      const hidden = { name: 'B', email: on.privateEmail('bob') }
      await on.changeOther({ author: hidden, committer: as('alice') })
      await on.approve('bob')
    },
  ],
  [
    "the approver is named as co-author under the host's private address",
    ['carol'],
    async (on) => [
      await on.changeOther({ message: `x\n\nCo-authored-by: B <${on.privateEmail('bob')}>` }),
      await on.approve('bob', 'carol'),
    ],
  ],
  [
    'the approver wrote a commit under an address in access.yaml that the host does not know',
    [],
    async (on) => [
      await on.changeOther({ author: { name: 'B', email: 'bob@home.test' }, committer: as('alice') }),
      await on.approve('bob'),
    ],
  ],
  ['the approver asked for it', ['carol'], async (on) => [on.requestedBy('bob'), await on.approve('bob', 'carol')]],
  ['what would run changed after the approval', [], async (on) => [await on.approve('bob'), on.pinAnew()]],
  ['the approval is older than approvals may be', [], async (on) => [await on.approve('bob'), on.wait(8 * DAY_MS)]],
  ['the request was merged after the approval', ['bob'], async (on) => [await on.approve('bob'), await on.merge('erin')]],
  ['it was squashed after the approval', ['bob'], async (on) => [await on.approve('bob'), await on.merge('erin', 'squash')]],
  ['the approval came after the merge', ['bob'], async (on) => [await on.merge('erin'), await on.approve('bob')]],
  ['the approver merged it', ['bob'], async (on) => [await on.approve('bob'), await on.merge('bob')]],
  ['it wants to go into another branch', [], (on) => on.approve('bob'), 'elsewhere'],
]

const people = new Map(
  [ALICE, BOB, CAROL, DAVE, ERIN].map((id) => [
    id,
    person(id, {
      accounts: new Map([
        ...['github', 'gitlab', 'gitea', 'forgejo'].map((provider) => [provider, { login: id as string, id: null }] as const),
        ['bitbucket', { login: bitbucketLogin(id), id: null }],
      ]),
      emails: id === BOB ? ['bob@acme.test', 'bob@home.test'] : [`${id}@acme.test`],
    }),
  ]),
)
const bindings = [binding('operator', [ALICE]), binding('approver', [BOB, CAROL]), binding('admin', [ERIN])]
const STEP_MS = 2 * SECOND_MS

/** With the rows whose last step a host refuses, and why: there nobody's approval counts. */
const HOSTS: readonly (readonly [string, () => Promise<CodeHost>, cannot?: ReadonlyMap<string, string>])[] = [
  ['GitHub', onGithub],
  ['GitLab without approval rules', onGitlab],
  ["Bitbucket (which has no private addresses: the account's own stands in)", onBitbucket],
  ['Gitea', () => onGitea('gitea'), CLOSED_TAKES_NONE],
  ['Forgejo', () => onGitea('forgejo'), CLOSED_TAKES_NONE],
]

for (const [name, open, cannot] of HOSTS) {
  describe(`whose approval counts on ${name}, when`, () => {
    let host: CodeHost
    let tests = 0
    beforeAll(async () => {
      host = await open()
      await host.commit('elsewhere', { other: 'x' }, { as: 'alice' })
    }, 60_000)
    beforeEach(() => {
      tests++
    })
    afterEach(() => host.check())
    afterAll(() => host.close())

    const rows = TABLE.map(([what, wanted, steps, base = 'main']) => {
      const why = cannot?.get(what)
      const approvers = why === undefined ? wanted : []
      return { name: `${what}: ${approvers.join(' and ') || 'nobody'}${why ? ` (${why})` : ''}`, approvers, steps, base }
    })
    for (const { name, approvers, steps, base } of rows) {
      it(name, async () => {
        const [branch, path] = [`request-${tests}`, `requests/shop/prod/${tests}.yaml`]
        await host.commit(branch, { [path]: 'request' }, { as: 'alice' })
        host.advance(STEP_MS)
        const pull = await host.openPull(branch, base)
        host.advance(STEP_MS)
        let since = host.now()
        let requester = ALICE
        const each = async (who: readonly string[], act: (login: string) => Promise<void>) => {
          for (const login of who) {
            host.advance(STEP_MS)
            await act(login)
          }
          host.advance(STEP_MS)
        }
        const pushed = async (files: Files, push: Partial<Push>) => {
          host.advance(STEP_MS)
          const sha = await host.commit(branch, files, { as: 'alice', ...push })
          host.advance(STEP_MS)
          return sha
        }
        let others = 0
        await steps({
          approve: (...who) => each(who, (login) => host.approve(pull, login)),
          takeBack: (who) => each([who], (login) => host.takeBack(pull, login)),
          requestChanges: (who) => each([who], (login) => host.requestChanges(pull, login)),
          comment: (who) => each([who], (login) => host.comment(pull, login)),
          changeRequest: (content, push = {}) => pushed({ [path]: content }, push),
          changeOther: (push = {}) => pushed({ [`beside-${tests}-${++others}`]: 'x' }, push),
          forcePush: (sha, by = 'alice') => each([by], (login) => host.forcePush(branch, sha, login)),
          merge: (by, method = 'merge') => each([by], (login) => host.merge(pull, login, method)),
          pinAnew() {
            since = host.now()
          },
          wait: host.advance,
          requestedBy(who) {
            requester = personId(who)
          },
          privateEmail: host.privateEmail,
          head: async () => (await resolveCommit(host.git, `refs/heads/${branch}`)) ?? '',
        })
        const facts = await host.reviews.pullRequest(pull)
        const blobOf = async (commit: CommitSha) => (await host.git.run(['rev-parse', `${commit}:${path}`])).trim() as BlobId
        const blobAt = new Map<CommitSha, BlobId | null>()
        for (const { commit } of facts.reviews) if (commit !== null) blobAt.set(commit, await blobOf(commit))
        const tally = tallyReviews({
          ...tallyInput([]),
          desired: desiredState({ people, bindings }),
          provider: host.provider,
          facts,
          content: { blobAt },
          requestBlob: await blobOf(facts.headSha),
          requester,
          pin: { ...tallyInput([]).pin, since },
          validMs: 7 * DAY_MS,
          now: host.now(),
        })
        expect(tally.approvers).toEqual(approvers)
      })
    }
  })
}
