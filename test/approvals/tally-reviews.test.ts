import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Review, ReviewState } from '../../controller/approvals/evidence.ts'
import { DISMISSALS, type DismissalCode, type Tally } from '../../controller/approvals/tally.ts'
import { tallyReviews } from '../../controller/approvals/tally-reviews.ts'
import { DAY_MS, HOUR_MS } from '../../controller/clock.ts'
import { commitSha } from '../../controller/model/names.ts'
import { ALICE, BLOB, BOB, binding, CAROL, DAVE, desiredState, ERIN, NOW, OTHER_BLOB, person } from '../policy/fixtures.ts'
import { account, HEAD, later, PINNED_AT, prCommit, review, tallyInput } from './fixtures.ts'

type Options = Parameters<typeof tallyInput>[1]
type Row = [
  outcome: string,
  approvers: readonly string[],
  whys: readonly (DismissalCode | null)[],
  reviews: readonly Review[],
  options?: Options,
]

/** Reads: these people's approvals count, and the reviews, by time, were dismissed for these reasons (null: counted). */
function tallied(rows: readonly Row[]) {
  it.each(rows)('%s', (_, approvers, whys, reviews, options) => {
    const tally = tallyReviews(tallyInput(reviews, options))
    expect(tally.approvers).toEqual(approvers)
    expect(tally.reviews.map(({ why }) => why)).toEqual(whys)
    expect(tally.reviews.map(({ counted }) => counted)).toEqual(whys.map((why) => why === null))
  })
}

const OLD = commitSha('0'.repeat(40))
const twoForges = desiredState({
  people: new Map(
    [ALICE, BOB].map((id) => [
      id,
      person(id, {
        accounts: new Map([
          ['github', { login: id, id: null }],
          ['gitlab', { login: `${id}-lab`, id: '77' }],
        ]),
      }),
    ]),
  ),
  bindings: [binding('approver', [ALICE, BOB])],
})
const loginsOnly = desiredState({
  people: new Map([[BOB, person(BOB, { accounts: new Map([['github', { login: 'bob', id: null }]]) })]]),
})
const sharedMailbox = desiredState({
  people: new Map([BOB, CAROL].map((id) => [id, person(id, { emails: ['team@acme.test'] })])),
})
const everybodyApproves = desiredState({ bindings: [binding('approver', [ALICE, BOB, CAROL, DAVE])] })

describe('the last stance of a person', () => {
  tallied([
    ['no reviews are no approvals', [], [], []],
    ['two approvals of two people count', ['bob', 'carol'], [null, null], [review('bob'), review('carol')]],
    ['a comment afterwards takes nothing back', ['bob'], [null, 'not_a_stance'], [review('bob'), later('bob', 'commented', 1)]],
    ['a draft afterwards takes nothing back', ['bob'], [null, 'not_a_stance'], [review('bob'), later('bob', 'pending', 1)]],
    ['a comment is no approval', [], ['not_a_stance'], [review('bob', { state: 'commented' })]],
    [
      'changes requested afterwards void the approval',
      [],
      ['later_review', 'changes_requested'],
      [review('bob'), later('bob', 'changes_requested', 1)],
    ],
    [
      'an approval afterwards settles changes requested',
      ['bob'],
      ['later_review', null],
      [review('bob', { state: 'changes_requested' }), later('bob', 'approved', 1)],
    ],
    ['a dismissed approval does not count', [], ['dismissed'], [review('bob', { state: 'dismissed' })]],
    [
      'dismissing changes requested does not revive the older approval',
      [],
      ['later_review', 'dismissed'],
      [review('bob'), later('bob', 'dismissed', 1)],
    ],
    [
      'an approval after a dismissal counts',
      ['bob'],
      ['dismissed', null].map((why) => (why === null ? null : 'later_review')),
      [review('bob', { state: 'dismissed' }), later('bob', 'approved', 1)],
    ],
    ['two approvals of one person count once', ['bob'], ['later_review', null], [review('bob'), later('bob', 'approved', 1)]],
    [
      'in the same second the place in the list decides',
      [],
      ['later_review', 'changes_requested'],
      [review('bob'), later('bob', 'changes_requested', 0)],
    ],
    [
      'the list may come in any order',
      [],
      ['later_review', 'changes_requested'],
      [later('bob', 'changes_requested', 1), review('bob')],
    ],
    [
      'a review without a time can only take away',
      [],
      ['later_review', 'changes_requested'],
      [later('bob', 'changes_requested', Number.NaN), review('bob')],
    ],
    ['an approval without a time does not count', [], ['before_pin'], [later('bob', 'approved', Number.NaN)]],
    [
      'two accounts of one person count once',
      ['bob'],
      ['later_review', null],
      [review('bob'), later('bob-lab', 'approved', 1, { reviewer: account('bob-lab', { provider: 'gitlab', id: '77' }) })],
      { desired: twoForges },
    ],
    [
      'changes requested by the second account void the approval of the first',
      [],
      ['later_review', 'changes_requested'],
      [
        review('bob'),
        later('bob-lab', 'changes_requested', 1, { reviewer: account('bob-lab', { provider: 'gitlab', id: '77' }) }),
      ],
      { desired: twoForges },
    ],
  ])
})

describe('who had a part in the change', () => {
  const by = (commit: Parameters<typeof prCommit>[0]): Options => ({ pull: { commits: [prCommit(commit)] } })
  tallied([
    ['the author may not approve', [], ['author'], [review('alice')], { desired: everybodyApproves }],
    [
      'the second account of the author may not',
      [],
      ['author'],
      [review('alice-lab', { reviewer: account('alice-lab', { provider: 'gitlab', id: '77' }) })],
      { desired: twoForges },
    ],
    [
      'an author with another login but the same id may not',
      [],
      ['author'],
      [review('bob')],
      { pull: { author: account('renamed', { id: account('bob').id }) } },
    ],
    [
      'nor when access.yaml gives only the login',
      [],
      ['author'],
      [review('bob')],
      { desired: loginsOnly, pull: { author: account('renamed', { id: account('bob').id }) } },
    ],
    [
      'an author with the same login in other letters may not',
      [],
      ['author'],
      [review('bob')],
      { pull: { author: account('BOB') } },
    ],
    ['the author of a commit may not', [], ['committer'], [review('bob')], by({ author: account('bob') })],
    ['the committer of a commit may not', [], ['committer'], [review('bob')], by({ committer: account('bob') })],
    [
      'a committer known only by e-mail may not',
      [],
      ['committer'],
      [review('bob')],
      by({ author: null, committer: null, authorEmail: 'x@y.test', committerEmail: 'Bob@acme.test' }),
    ],
    [
      'an author known only by e-mail may not',
      [],
      ['committer'],
      [review('bob')],
      by({ author: null, authorEmail: 'bob@acme.test' }),
    ],
    [
      'an author known by a private address with id may not',
      [],
      ['committer'],
      [review('bob')],
      by({ authorEmail: `${account('bob').id}+old-name@users.noreply.github.com` }),
    ],
    [
      'an author known by a private address with login may not',
      [],
      ['committer'],
      [review('bob')],
      by({ authorEmail: 'Bob@users.noreply.github.com' }),
    ],
    [
      'the author of an earlier commit may not',
      [],
      ['committer'],
      [review('bob')],
      { pull: { commits: [prCommit({ author: account('bob') }), prCommit()] } },
    ],
    [
      'an author known by a private address without `users.` may not',
      [],
      ['committer'],
      [review('bob')],
      by({ authorEmail: 'bob@noreply.git.acme.test' }),
    ],
    [
      'a private address bars nobody of whom it names only the end',
      ['bob'],
      [null],
      [review('bob')],
      by({ authorEmail: 'team1-bob@users.noreply.github.com' }),
    ],
    [
      'a private address bars nobody else of whom only the login is known',
      ['bob'],
      [null],
      [review('bob')],
      { desired: loginsOnly, ...by({ authorEmail: 'alice@users.noreply.github.com' }) },
    ],
    [
      'nobody of those who share an e-mail with an author may',
      [],
      ['committer', 'committer'],
      [review('bob'), later('carol', 'approved', 1)],
      { desired: sharedMailbox, ...by({ authorEmail: 'team@acme.test' }) },
    ],
    ['a co-author may not', [], ['co_author'], [review('bob')], by({ coAuthorEmails: ['bob@acme.test'] })],
    ['a pusher may not', [], ['pusher'], [review('bob')], { pull: { pushers: [account('alice'), account('bob')] } }],
    ['a host that cannot tell who pushed takes nothing away', ['bob'], [null], [review('bob')], { pull: { pushers: null } }],
    ['the requester may not', [], ['requester'], [review('bob')], { requester: BOB }],
    ['others still may', ['carol'], ['requester', null], [review('bob'), review('carol')], { requester: BOB }],
    [
      'nobody can be shown to have had no part in more commits than the host lists',
      [],
      ['committers_unknown'],
      [review('bob')],
      { pull: { commitsTruncated: true } },
    ],
  ])
})

describe('who may approve', () => {
  const without = (id: string) => desiredState({ people: new Map([...desiredState().people].filter(([key]) => key !== id)) })
  tallied([
    ['a bot may not', [], ['bot'], [review('bob', { reviewer: account('bob', { kind: 'bot' }) })]],
    ['a deleted account may not', [], ['account_gone'], [review('bob', { reviewer: null })]],
    ['a suspended account may not', [], ['account_gone'], [review('bob', { reviewer: account('bob', { kind: 'gone' }) })]],
    ['a stranger may not', [], ['unknown_person'], [review('mallory')]],
    [
      'a stranger who took over a login may not',
      [],
      ['unknown_person'],
      [review('bob', { reviewer: account('bob', { id: '666' }) })],
    ],
    ['somebody who left since may not', [], ['unknown_person'], [review('bob')], { desired: without('bob') }],
    [
      'an operator may not',
      [],
      ['not_in_role'],
      [review('dave')],
      { desired: desiredState({ bindings: [binding('operator', [DAVE])] }) },
    ],
    [
      'somebody who lost the role since may not',
      [],
      ['not_in_role'],
      [review('bob')],
      { desired: desiredState({ bindings: [binding('approver', [CAROL])] }) },
    ],
    [
      'an approver of another environment may not',
      [],
      ['not_in_role'],
      [review('bob')],
      { desired: desiredState({ bindings: [binding('approver', [BOB], { environments: ['stage'] })] }) },
    ],
    [
      'an approver of another project may not',
      [],
      ['not_in_role'],
      [review('bob')],
      { desired: desiredState({ bindings: [binding('approver', [BOB], { projects: ['till'] })] }) },
    ],
    [
      'an approver of exactly this place may',
      ['bob'],
      [null],
      [review('bob')],
      { desired: desiredState({ bindings: [binding('approver', [BOB], { projects: ['shop'], environments: ['prod'] })] }) },
    ],
    [
      'a person says no by a bot account in vain',
      ['bob'],
      [null, 'bot'],
      [review('bob'), later('bob', 'changes_requested', 1, { reviewer: account('bob', { kind: 'bot' }) })],
    ],
  ])
})

describe('what was approved', () => {
  const blobs = (...entries: [typeof HEAD, typeof BLOB | null][]) => ({ content: { blobAt: new Map(entries) } })
  tallied([
    [
      'an older commit with the same request file counts',
      ['bob'],
      [null],
      [review('bob', { commit: OLD })],
      blobs([HEAD, BLOB], [OLD, BLOB]),
    ],
    [
      'a commit with another request file does not',
      [],
      ['stale_subject'],
      [review('bob', { commit: OLD })],
      blobs([HEAD, BLOB], [OLD, OTHER_BLOB]),
    ],
    [
      'a commit without the request file does not',
      [],
      ['stale_subject'],
      [review('bob', { commit: OLD })],
      blobs([HEAD, BLOB], [OLD, null]),
    ],
    ['a commit that was never read does not', [], ['stale_subject'], [review('bob', { commit: OLD })]],
    ['a review without a commit does not', [], ['stale_subject'], [review('bob', { commit: null })]],
    ['a request edited since does not', [], ['stale_subject'], [review('bob')], { requestBlob: OTHER_BLOB }],
    ['an approval from before the pin does not', [], ['before_pin'], [review('bob', { submittedAt: PINNED_AT - 1000 })]],
    [
      'an approval in the second of the pin may be older than it, and does not',
      [],
      ['before_pin'],
      [review('bob', { submittedAt: PINNED_AT })],
      { pin: { ...tallyInput([]).pin, since: PINNED_AT + 1 } },
    ],
    ['an approval in the very moment of the pin counts', ['bob'], [null], [review('bob', { submittedAt: PINNED_AT })]],
    ['a pin renewed since voids it', [], ['before_pin'], [review('bob')], { pin: { ...tallyInput([]).pin, since: NOW } }],
    ['a pin without a time voids it', [], ['before_pin'], [review('bob')], { pin: { ...tallyInput([]).pin, since: Number.NaN } }],
    ['an approval of exactly the longest age counts', ['bob'], [null], [review('bob')], { validMs: HOUR_MS }],
    ['an older one does not', [], ['expired'], [review('bob')], { validMs: HOUR_MS - 1 }],
    ['a longest age that is no number voids it', [], ['expired'], [review('bob')], { validMs: Number.NaN }],
    ['a pull request into another branch does not', [], ['wrong_base'], [review('bob')], { pull: { baseRef: 'sandbox' } }],
  ])
})

it('a pull request whose author is gone leaves the others their say', () => {
  const tally = tallyReviews(tallyInput([review('bob'), review('carol')], { pull: { author: null, commits: [], pushers: [] } }))
  expect(tally.approvers).toEqual([BOB, CAROL])
})

describe('objectors and eligible people', () => {
  it('lists everybody who may approve and had no part, less those who did', () => {
    const tally = tallyReviews(tallyInput([review('bob')]))
    expect(tally).toMatchObject({ needed: 2, approvers: [BOB], objectors: [] })
    expect(tally.eligible).toContain(CAROL)
    expect(tally.eligible).toContain(DAVE)
    expect(tally.eligible).not.toContain(BOB)
    expect(tally.eligible).not.toContain(ALICE)
  })

  it('leaves out who had a part, and who has no account at this host', () => {
    const desired = desiredState({
      people: new Map([BOB, CAROL, DAVE].map((id) => [id, person(id, id === DAVE ? { accounts: new Map() } : {})])),
      bindings: [binding('approver', [BOB, CAROL, DAVE])],
    })
    expect(tallyReviews(tallyInput([], { desired, requester: BOB })).eligible).toEqual([CAROL])
  })

  it('keeps who approved something else, because they can approve again', () => {
    expect(tallyReviews(tallyInput([review('bob', { commit: null })])).eligible).toContain(BOB)
  })

  it('is empty when the host does not list all commits', () => {
    expect(tallyReviews(tallyInput([], { pull: { commitsTruncated: true } })).eligible).toEqual([])
  })

  it.each<[string, readonly string[], readonly Review[], Options?]>([
    ['an approver who asks for changes objects', ['dave'], [review('bob'), later('dave', 'changes_requested', 1)]],
    [
      'also when the request changed since',
      ['dave'],
      [review('dave', { state: 'changes_requested', commit: null, submittedAt: NOW - 9 * DAY_MS })],
    ],
    ['not after approving', [], [review('dave', { state: 'changes_requested' }), later('dave', 'approved', 1)]],
    ['not after the dismissal', [], [review('dave', { state: 'dismissed' })]],
    ['not without the role', [], [review('alice', { state: 'changes_requested' })]],
    ['not a stranger', [], [review('mallory', { state: 'changes_requested' })]],
  ])('%s', (_, objectors, reviews, options) => {
    expect(tallyReviews(tallyInput(reviews, options)).objectors).toEqual(objectors)
  })
})

describe('the words', () => {
  it('give each review one plain sentence', () => {
    const { reviews } = tallyReviews(
      tallyInput([review('bob'), later('alice', 'approved', 1), later('mallory', 'approved', 2), later('carol', 'commented', 3)]),
    )
    expect(reviews.map(({ account: who, person: known, text }) => [who, known, text])).toEqual([
      ['github:bob', 'bob', 'bob approved this.'],
      ['github:alice', 'alice', 'alice opened this pull request, so that approval does not count.'],
      ['github:mallory', null, 'github:mallory belongs to nobody in access.yaml, so its review does not count.'],
      ['github:carol', 'carol', 'A comment of carol neither approves nor objects.'],
    ])
  })

  it('name what a review is measured by: the place, its longest age, an account that is gone', () => {
    const textOf = (one: Review, options: Options) => tallyReviews(tallyInput([one], options)).reviews[0]
    expect(textOf(review('bob'), { desired: desiredState({ bindings: [] }) })?.text).toBe(
      'bob may not approve for shop/prod now.',
    )
    expect(textOf(review('bob'), { validMs: 0.25 * HOUR_MS })?.text).toBe(
      'bob approved more than 0.3 h ago, so that approval no longer counts.',
    )
    expect(textOf(review('bob', { reviewer: null }), {})).toMatchObject({
      account: 'unknown',
      text: 'The account unknown is deleted or suspended, so its review does not count.',
    })
  })
})

const LOGINS = ['alice', 'bob', 'carol', 'dave', 'erin', 'mallory']
const STATES: readonly ReviewState[] = ['approved', 'changes_requested', 'dismissed', 'commented', 'pending']
const anyReview = fc
  .record({
    login: fc.constantFrom(...LOGINS),
    state: fc.constantFrom(...STATES),
    minutes: fc.integer({ min: -70, max: 50 }),
    commit: fc.constantFrom(HEAD, HEAD, OLD, null),
    kind: fc.constantFrom('user' as const, 'user' as const, 'bot' as const, 'gone' as const),
  })
  .map(({ login, state, minutes, commit, kind }) => later(login, state, minutes, { commit, reviewer: account(login, { kind }) }))
const anyReviews = fc
  .array(anyReview, { maxLength: 12 })
  .map((reviews) => reviews.map((one, index) => ({ ...one, id: `r${index}` })))

function outcome({ approvers, objectors, eligible, reviews }: Tally) {
  return { approvers, objectors, eligible, whys: new Map(reviews.map(({ reviewId, why }) => [reviewId, why])) }
}

describe('for any reviews', () => {
  it('at most one approval a person counts, and only of people who may', () => {
    let counted = 0
    fc.assert(
      fc.property(anyReviews, (reviews) => {
        const tally = tallyReviews(tallyInput(reviews))
        counted += tally.approvers.length
        expect(new Set(tally.approvers).size).toBe(tally.approvers.length)
        expect(
          tally.reviews
            .filter((one) => one.counted)
            .map((one) => one.person)
            .toSorted(),
        ).toEqual(tally.approvers.toSorted())
        expect(tally.approvers).not.toContain(ALICE)
        expect(tally.approvers.some((one) => tally.objectors.includes(one) || tally.eligible.includes(one))).toBe(false)
        expect(tally.reviews.length).toBe(reviews.length)
        for (const one of tally.reviews) expect(one.text).toMatch(/^\S.*\.$/)
      }),
    )
    expect(counted).toBeGreaterThan(0)
  })

  it('a comment or draft more changes nothing', () => {
    fc.assert(
      fc.property(
        anyReviews,
        anyReview,
        fc.constantFrom('commented' as const, 'pending' as const),
        fc.nat(),
        (reviews, extra, state, at) => {
          const place = at % (reviews.length + 1)
          const more = [...reviews.slice(0, place), { ...extra, id: 'extra', state }, ...reviews.slice(place)]
          const with1 = outcome(tallyReviews(tallyInput(more)))
          expect(with1.whys.get('extra')).toBe('not_a_stance')
          with1.whys.delete('extra')
          expect(with1).toEqual(outcome(tallyReviews(tallyInput(reviews))))
        },
      ),
    )
  })

  it('the order between different people changes nothing', () => {
    fc.assert(
      fc.property(anyReviews, (reviews) => {
        const byPerson = LOGINS.toReversed().flatMap((login) => reviews.filter((one) => one.reviewer?.login === login))
        expect(outcome(tallyReviews(tallyInput(byPerson)))).toEqual(outcome(tallyReviews(tallyInput(reviews))))
      }),
    )
  })

  it('changes requested by one more person never add an approval', () => {
    fc.assert(
      fc.property(anyReviews, anyReview, (reviews, extra) => {
        const before = tallyReviews(tallyInput(reviews)).approvers
        const after = tallyReviews(tallyInput([...reviews, { ...extra, id: 'extra', state: 'changes_requested' }])).approvers
        expect(after.every((one) => before.includes(one))).toBe(true)
      }),
    )
  })
})

it('every dismissal code is reached by a scenario of this file', () => {
  const scenarios: [readonly Review[], Options?][] = [
    [[review('alice')]],
    [[review('bob')], { pull: { commits: [prCommit({ author: account('bob') })] } }],
    [[review('bob')], { pull: { commits: [prCommit({ coAuthorEmails: ['bob@acme.test'] })] } }],
    [[review('bob')], { pull: { pushers: [account('bob')] } }],
    [[review('bob')], { requester: BOB }],
    [[review('bob', { reviewer: account('bob', { kind: 'bot' }) }), review('carol', { reviewer: null }), review('mallory')]],
    [[review('bob')], { desired: desiredState({ bindings: [] }) }],
    [[review('bob', { commit: null }), review('carol', { submittedAt: 0 }), review('dave', { state: 'dismissed' })]],
    [[review('bob')], { validMs: 0 }],
    [[review('bob'), later('bob', 'changes_requested', 1), later('bob', 'commented', 2)]],
    [[review('bob')], { pull: { commitsTruncated: true } }],
    [[review('bob')], { pull: { baseRef: 'sandbox' } }],
  ]
  const tallies = scenarios.flatMap(([reviews, options]) => tallyReviews(tallyInput(reviews, options)).reviews)
  const reached = new Set(tallies.map(({ why }) => why))
  expect(DISMISSALS.filter((code) => !reached.has(code))).toEqual([])
  for (const { why, text, person: who, account: by } of tallies) {
    expect(text, `${why}`).toMatch(/^\S.*\.$/)
    // What is wrong with the pull request is said of it; everything else of whoever gave the review.
    expect(text, `${why}`).toContain(why === 'wrong_base' ? 'sandbox, and only main' : (who ?? by))
  }
})

it('an admin is told apart from an approver only by what roles say', () => {
  const { eligible } = tallyReviews(tallyInput([], { desired: desiredState({ bindings: [binding('viewer', [ERIN])] }) }))
  expect(eligible).toEqual([])
})
