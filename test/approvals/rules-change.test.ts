import { expect, it } from 'vitest'
import type { PullRequestFacts, Review } from '../../controller/approvals/evidence.ts'
import { approversOfRules, type RulesChangeInput } from '../../controller/approvals/rules-change.ts'
import { type CommitSha, commitSha } from '../../controller/model/names.ts'
import { BLOB, BOB, binding, DAVE, desiredState, ERIN, OTHER_BLOB } from '../policy/fixtures.ts'
import { account, HEAD, later, prCommit, pullRequest, review } from './fixtures.ts'

/** erin and dave are admins everywhere, bob of shop alone; alice opened the pull request. */
const desired = desiredState({ bindings: [binding('admin', [ERIN, DAVE]), binding('admin', [BOB], { projects: ['shop'] })] })

function change(reviews: readonly Review[], pull: Partial<PullRequestFacts> = {}, overrides: Partial<RulesChangeInput> = {}) {
  const blobAt = new Map<CommitSha, typeof BLOB | null>([[HEAD, BLOB]])
  return approversOfRules({
    desired,
    provider: 'github',
    after: BLOB,
    reviews: [{ pull: pullRequest({ reviews, ...pull }), content: { blobAt } }],
    configBranch: 'main',
    ...overrides,
  })
}

it.each<[string, readonly string[], readonly Review[], Partial<PullRequestFacts>?, Partial<RulesChangeInput>?]>([
  ['an admin approves rules', ['erin'], [review('erin')]],
  ['nobody approves without a review', [], []],
  ['nobody approves without a pull request', [], [], {}, { reviews: [] }],
  ['an admin of one project does not approve rules for all', [], [review('bob')]],
  ['an approver does not', [], [review('carol')]],
  ['a comment does not', [], [review('erin', { state: 'commented' })]],
  ['an approval taken back does not', [], [review('erin'), later('erin', 'dismissed', 1)]],
  ['an admin who wrote part of it does not', [], [review('erin')], { commits: [prCommit({ authorEmail: 'erin@acme.test' })] }],
  ['an admin who opened it does not', [], [review('erin')], { author: account('erin') }],
  ['admins are named in order, whoever came first', ['dave', 'erin'], [review('erin'), later('dave', 'approved', 1)]],
  ['another admin may then', ['dave'], [review('erin'), review('dave')], { author: account('erin') }],
  [
    'an objection of an admin voids the approval of another',
    [],
    [review('erin'), review('dave', { state: 'changes_requested' })],
  ],
  ['an objection of somebody else does not', ['erin'], [review('erin'), review('bob', { state: 'changes_requested' })]],
  ['an approval of an earlier version does not count', [], [review('erin')], {}, { after: OTHER_BLOB }],
  [
    'an approval of a commit that was never read is none of a deletion',
    [],
    [review('erin', { commit: null })],
    {},
    { after: null },
  ],
  ['a pull request into another branch does not count', [], [review('erin')], { baseRef: 'sandbox' }],
  ['more commits than the host lists do not count', [], [review('erin')], { commitsTruncated: true }],
])('%s', (_, approvers, reviews, pull, overrides) => {
  expect(change(reviews, pull, overrides)).toEqual(approvers)
})

it('a deletion is approved where the file was gone already', () => {
  const content = { blobAt: new Map([[HEAD, null]]) }
  const reviews = [{ pull: pullRequest({ reviews: [review('erin')] }), content }]
  expect(change([], {}, { after: null, reviews })).toEqual([ERIN])
  expect(change([], {}, { after: null, reviews: [{ ...reviews[0]!, content: { blobAt: new Map() } }] })).toEqual([])
})

it('a deletion is not approved by a review of an earlier head, which may have lacked the file for another reason', () => {
  const earlier = commitSha('0'.repeat(40))
  const blobAt = new Map<CommitSha, null>([
    [HEAD, null],
    [earlier, null],
  ])
  const reviews = [{ pull: pullRequest({ reviews: [review('erin', { commit: earlier })] }), content: { blobAt } }]
  expect(change([], {}, { after: null, reviews })).toEqual([])
})
