import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SECOND_MS } from '../../controller/clock.ts'
import {
  ACCESS,
  CONFIG_REPO,
  document,
  environmentFile,
  PROD_POLICY,
  requestFile,
  SHOP_PROJECT,
  SHOP_REPO,
} from './config-files.ts'
import { auditRows, changeRules, frozenFor, POLL_MS, poll, proposal, reviewsOf, unheard, withdraw } from './proposal.ts'
import { green, openScene, release, type Scene } from './scene.ts'

/** Environments that only these rows use, each with a policy of its own. */
const EXTRA = ['lab', 'loft', 'yard', 'doomed', 'broken', 'lost', 'crowd', 'hollow'] as const

const TWO_APPROVALS = tagPolicy('approvals_required: 2\n')
const ONE_APPROVAL = tagPolicy('approvals_required: 1\n')

function tagPolicy(approvals: string): string {
  return document(
    'Policy',
    `allowed_ref_types: [tag]
allowed_tags: ['v\\d+\\.\\d+\\.\\d+']
require_approval: true
${approvals}require_ci_success: true
allow_rollback: true
allow_force_deploy: false
`,
  )
}

const PIPELINES = EXTRA.map((name) => `    ${name}: deploy.yml\n`).join('')
const SHOP_WITH_EXTRA = SHOP_PROJECT.replace('    prod: deploy.yml\n', `    prod: deploy.yml\n${PIPELINES}`)
/** Asks for a green CI and names no check. */
const BARE_PROJECT = SHOP_PROJECT.replace('required_checks: [build]', 'required_checks: []')

const ACCESS_WITH_MORE = `${ACCESS.replace(
  'groups:\n',
  `  gina: { name: Gina Marsh, accounts: { github: gina } }
  ivy: { name: Ivy Quist, accounts: { github: ivy } }
  jo: { name: Jo Park, accounts: { github: jo } }
  robot: { name: A robot, accounts: { github: review-robot } }
groups:
`,
)}  - { role: approver, people: [gina] }
  - { role: approver, people: [ivy, jo, robot] }
`
const ACCESS_WITHOUT_GINA = ACCESS_WITH_MORE.replace('  - { role: approver, people: [gina] }\n', '')
const ACCESS_WITH_ADMIN_MALLORY = `${ACCESS_WITHOUT_GINA.replace(
  'groups:\n',
  '  mallory: { name: Mallory, accounts: { github: mallory } }\ngroups:\n',
)}  - { role: admin, people: [mallory] }\n`

let scene: Scene
beforeAll(async () => {
  const extra = Object.fromEntries(
    EXTRA.flatMap((name) => [
      [`policies/${name}.yaml`, name === 'crowd' ? tagPolicy('approvals_required: 20\n') : TWO_APPROVALS],
      [`projects/shop/environments/${name}.yaml`, environmentFile(name)],
    ]),
  )
  scene = await openScene({
    pollMs: POLL_MS,
    config: {
      ...extra,
      'access.yaml': ACCESS_WITH_MORE,
      'projects/shop/project.yaml': SHOP_WITH_EXTRA,
      'projects/bare/project.yaml': BARE_PROJECT,
      'projects/bare/environments/prod.yaml': environmentFile('prod'),
      'policies/prod.yaml': `${PROD_POLICY}rollback_to_any_commit: true\n`,
    },
  })
  for (const login of ['gina', 'ivy', 'jo']) scene.forge.user(login)
  for (const login of ['review-robot', 'approve-app[bot]']) scene.forge.user(login, { type: 'Bot' })
  await release(scene.forge, 'v1.4.3')
})
afterAll(async () => {
  scene.forge.assertClean()
  await scene.close()
})

/** A tag on a new commit for which CI has said nothing. */
async function unproven(tag: string): Promise<string> {
  const sha = await scene.forge.commit(SHOP_REPO, 'main', { VERSION: `${tag}\n` }, { as: 'alice', message: `Release ${tag}` })
  await scene.forge.createTag(SHOP_REPO, tag, sha, { as: 'alice', message: tag })
  return sha
}

describe('attacks on the truth of approvals', () => {
  it('row 1: a push after the approvals voids them', async () => {
    const request = proposal(scene, 'row-1')
    await request.open()
    await request.approve('bob', 'carol')
    await request.push({ [request.path]: requestFile('tag: v1.4.3') })
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob stale_subject', 'carol stale_subject'])
    await withdraw(request)
  })

  it('row 1: an approved request that was changed and changed back must be approved again', async () => {
    const request = proposal(scene, 'row-1-and-back')
    await request.open()
    await request.approve('bob', 'carol')
    scene.clock.advance(2 * SECOND_MS)
    await request.push({ [request.path]: requestFile('tag: v1.4.3') })
    await request.push({ [request.path]: requestFile('tag: v1.4.2') })
    await request.merge()
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(['bob before_pin', 'carol before_pin'])
    await request.approve('bob', 'carol')
    await request.starts()
  })

  it('row 2: approvals given for another base branch do not come along', async () => {
    await scene.forge.commit(CONFIG_REPO, 'playground', { 'PLAY.md': 'Anything goes here\n' }, { as: 'mallory' })
    const request = proposal(scene, 'row-2')
    await request.write()
    const { forge } = scene
    request.pull = await forge.openPull(CONFIG_REPO, { head: request.branch, base: 'playground', author: 'alice' })
    await request.approve('bob', 'carol')
    scene.clock.advance(2 * SECOND_MS)
    await forge.retarget(CONFIG_REPO, request.pull, 'main', { by: 'alice' })
    await scene.shown(request.pull)
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob before_pin', 'carol before_pin'])
    await withdraw(request)
  })

  it('row 2: approvals do not survive a detour over another base branch', async () => {
    const request = proposal(scene, 'row-2-detour')
    await request.open()
    await request.approve('bob', 'carol')
    scene.clock.advance(2 * SECOND_MS)
    await scene.forge.retarget(CONFIG_REPO, request.pull, 'playground', { by: 'alice' })
    await scene.eventually('the detour to be seen', async () => {
      const row = await scene.controller.store.state.unit('test.pull', (tx) => tx.pulls.get(request.pull))
      return row?.baseRef === 'playground'
    })
    await scene.forge.retarget(CONFIG_REPO, request.pull, 'main', { by: 'alice' })
    await scene.shown(request.pull)
    await request.merge()
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(['bob before_pin', 'carol before_pin'])
    await withdraw(request)
  })

  it('row 3: a merge commit on the branch that changes the request voids its approvals', async () => {
    const request = proposal(scene, 'row-3')
    await request.open()
    await request.approve('bob', 'carol')
    await request.push({ [request.path]: requestFile('tag: v1.4.3') }, { merging: ['main'], message: 'Merge main' })
    await request.merge()
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(['bob stale_subject', 'carol stale_subject'])
    await withdraw(request)
  })

  it('row 3: a merge made by hand that brings something else than was approved has no approvals', async () => {
    const request = proposal(scene, 'row-3-by-hand')
    await request.open()
    await request.approve('bob', 'carol')
    const evil = { [request.path]: requestFile('tag: v1.4.3') }
    await scene.forge.commit(CONFIG_REPO, 'main', evil, { as: 'mallory', merging: [request.branch], message: 'Merge' })
    await request.waits('check_unavailable')
    await poll(scene)
    expect((await request.refused('requester_unknown')).approvals).toEqual([])
    await scene.forge.closePull(CONFIG_REPO, request.pull, { by: 'erin' })
  })

  it.each(['merge', 'squash', 'rebase'] as const)('row 4: no merge method revives a stale approval: %s', async (method) => {
    const request = proposal(scene, `row-4-${method}`)
    await request.open()
    await request.approve('bob')
    await request.push({ [request.path]: requestFile('tag: v1.4.3') })
    await request.approve('carol')
    await request.merge(method)
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(['bob stale_subject', 'carol counted'])
    await withdraw(request)
  })

  it('row 5: what is pushed directly has no requester and no approvals, also where none are asked for', async () => {
    const prod = proposal(scene, 'row-5-prod')
    const stage = proposal(scene, 'row-5-stage', 'stage')
    const files = { [prod.path]: requestFile('tag: v1.4.2'), [stage.path]: requestFile('branch: develop') }
    await scene.forge.commit(CONFIG_REPO, 'main', files, { as: 'alice', message: 'No time for a pull request' })
    for (const request of [prod, stage]) await request.waits('check_unavailable')
    // Twice: a pass that is under way when the first begins looks at them by the list that it had read before.
    await poll(scene)
    await poll(scene)
    for (const request of [prod, stage])
      expect(await request.refused('requester_unknown')).toMatchObject({ requester: null, approvals: [] })
  })

  it('row 5: a rewound config branch freezes everything until it is put back', async () => {
    const request = proposal(scene, 'row-5-rewind')
    await request.open()
    await request.approve('bob')
    await request.merge()
    await request.waits('approval_missing')
    const head = (await scene.forge.sha(CONFIG_REPO, 'refs/heads/main'))!
    const older = (await scene.forge.sha(CONFIG_REPO, `${head}~1`))!
    await scene.forge.forcePush(CONFIG_REPO, 'main', older, { as: 'mallory' })
    await frozenFor(scene, 'config_frozen')
    await request.approve('carol')
    const job = await request.keepsWaiting('config_frozen')
    expect(reviewsOf(job)).toEqual(['bob counted', 'carol counted'])
    const frozen = (await auditRows(scene)).filter((row) => row.action === 'config_frozen')
    expect(frozen).toMatchObject([{ commit: older, data: { accepted: head } }])

    await scene.forge.forcePush(CONFIG_REPO, 'main', head, { as: 'erin' })
    await frozenFor(scene, null)
    await request.starts()
    expect((await auditRows(scene)).filter((row) => row.action === 'config_thawed')).toHaveLength(1)
  })

  it('row 6: neither a second account nor a forged author makes two people of one', async () => {
    const request = proposal(scene, 'row-6')
    await request.open()
    const nobody = { name: 'Nobody', email: 'nobody@nowhere.example' }
    await request.push({ 'ROW-6.md': 'Who was it?\n' }, { as: 'bob', author: nobody, committer: nobody })
    await request.approve('alice-at-home', 'bob', 'carol')
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual([
      'alice-at-home unknown_person',
      'bob pusher',
      'carol counted',
    ])
    await withdraw(request)
  })

  it('row 7: bots and deleted accounts do not approve, whatever access.yaml says of them', async () => {
    const request = proposal(scene, 'row-7')
    await request.open()
    await request.approve('review-robot', 'approve-app[bot]', 'ivy', 'bob')
    scene.forge.deleteUser('ivy')
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual([
      'review-robot bot',
      'approve-app[bot] bot',
      'unknown account_gone',
      'bob counted',
    ])
    await withdraw(request)
  })

  // GitHub lists reviews of a suspended account like any other; only `GET /users/{login}` of a GitHub Enterprise Server
  // tells `suspended_at`, and the controller does not ask. Until it does, access.yaml is where such a person must go.
  it.fails('row 7: a suspended account does not approve', async () => {
    const request = proposal(scene, 'row-7-suspended')
    await request.open()
    await request.approve('jo', 'bob')
    scene.forge.suspendUser('jo')
    await request.merge()
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(['jo account_gone', 'bob counted'])
  })

  it('row 8: an approval that is dismissed before the trigger does not count, however late', async () => {
    const sha = await unproven('v1.5.0')
    const request = proposal(scene, 'row-8')
    await request.open(requestFile('tag: v1.5.0'))
    const review = await request.review('bob', 'APPROVED')
    await request.approve('carol')
    await request.merge()
    expect(reviewsOf(await request.waits('ci_missing'))).toEqual(['bob counted', 'carol counted'])
    await unheard(scene, () => request.dismiss(review))
    green(scene.forge, sha)
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob dismissed', 'carol counted'])
    await withdraw(request)
  })

  it('row 9: an outsider neither approves nor asks', async () => {
    const request = proposal(scene, 'row-9')
    const fork = await scene.forge.fork(CONFIG_REPO, 'mallory')
    await scene.forge.commit(fork, request.branch, { [request.path]: requestFile('tag: v1.4.2') }, { as: 'mallory' })
    request.pull = await scene.forge.openPull(CONFIG_REPO, { head: `mallory:${request.branch}`, author: 'mallory' })
    await scene.shown(request.pull)
    await request.approve('alice-at-home', 'bob', 'carol')
    await request.merge()
    expect(reviewsOf(await request.refused('requester_unknown'))).toEqual([
      'alice-at-home unknown_person',
      'bob counted',
      'carol counted',
    ])
  })

  it('row 10: a request is not judged by rules of its own pull request, even when an admin approved both', async () => {
    const request = proposal(scene, 'row-10', 'lab')
    await request.open()
    await request.push({ 'policies/lab.yaml': ONE_APPROVAL })
    await request.approve('erin', 'bob', 'carol')
    await request.merge()
    await request.refused('rules_changed_together')
    await frozenFor(scene, null)
  })

  it('row 10: rules that came without an admin freeze everything until they are reverted', async () => {
    const request = proposal(scene, 'row-10-unapproved', 'loft')
    await request.open()
    await request.push({ 'policies/loft.yaml': ONE_APPROVAL })
    await request.approve('bob', 'carol')
    await request.merge()
    await request.refused('rules_changed_together')
    await frozenFor(scene, 'rules_change_unapproved')

    const other = proposal(scene, 'row-10-meanwhile', 'loft')
    await other.open()
    await other.approve('bob')
    await other.merge()
    // One approval would do under the new rules; the old ones are in force.
    await other.waits('approval_missing')
    await other.approve('carol')
    await other.keepsWaiting('rules_change_unapproved')
    await scene.forge.commit(CONFIG_REPO, 'main', { 'policies/loft.yaml': TWO_APPROVALS }, { as: 'bob', message: 'Revert' })
    await frozenFor(scene, null)
    await other.starts()
  })

  it('row 10: rules merged just before are in force once an admin approved them, also after the merge', async () => {
    const pull = await changeRules(scene, 'lower-yard', { 'policies/yard.yaml': ONE_APPROVAL }, 'bob')
    await frozenFor(scene, 'rules_change_unapproved')
    const request = proposal(scene, 'row-10-before', 'yard')
    await request.open()
    await request.approve('carol')
    await request.merge()
    await request.keepsWaiting('approval_missing')
    await scene.approve(pull, 'erin')
    await frozenFor(scene, null)
    // The policy is part of what was approved.
    await scene.eventually('the new policy to void the approval', async () => {
      const job = await scene.job(request.path)
      return job !== null && reviewsOf(job).includes('carol before_pin')
    })
    await request.approve('carol')
    await request.starts()
  })

  it('row 10: nobody becomes an admin by their own approval', async () => {
    await changeRules(scene, 'gina-leaves-early', { 'access.yaml': ACCESS_WITHOUT_GINA }, 'erin')
    await frozenFor(scene, null)
    await changeRules(scene, 'mallory-rules', { 'access.yaml': ACCESS_WITH_ADMIN_MALLORY }, 'mallory')
    await frozenFor(scene, 'rules_change_unapproved')
    await poll(scene)
    await frozenFor(scene, 'rules_change_unapproved')
    await scene.forge.commit(CONFIG_REPO, 'main', { 'access.yaml': ACCESS_WITH_MORE }, { as: 'bob', message: 'Too much' })
    await poll(scene)
    // Gina's role is a change of rules as well: only what is in force exactly ends the freeze.
    await frozenFor(scene, 'rules_change_unapproved')
    await scene.forge.commit(CONFIG_REPO, 'main', { 'access.yaml': ACCESS_WITHOUT_GINA }, { as: 'bob', message: 'Revert' })
    await frozenFor(scene, null)
    await changeRules(scene, 'gina-comes-back', { 'access.yaml': ACCESS_WITH_MORE }, 'erin')
    await frozenFor(scene, null)
  })

  it.each([
    ['its policy is removed', 'doomed', { 'policies/doomed.yaml': null }, 'environment_unusable'],
    ['its policy is unreadable', 'broken', { 'policies/broken.yaml': 'kind: [' }, 'environment_unusable'],
    ['it is removed', 'lost', { 'projects/shop/environments/lost.yaml': null }, 'environment_unknown'],
  ] as const)('row 11: an environment takes nothing any more when %s', async (_what, environment, files, code) => {
    const request = proposal(scene, 'row-11', environment)
    await request.open()
    await request.approve('bob')
    await request.merge()
    await request.waits('approval_missing')
    await changeRules(scene, `row-11-${environment}`, files, 'erin')
    await request.refused(code)
  })

  it('row 12: a project that names no check has no green CI, and takes nothing', async () => {
    const request = proposal(scene, 'row-12', 'prod', 'bare')
    await request.open()
    await request.approve('bob', 'carol')
    await request.merge()
    await request.refused('environment_unusable')
  })

  it('row 12: more approvals than people is a refusal, not a pass', async () => {
    const request = proposal(scene, 'row-12', 'crowd')
    await request.open()
    await request.approve('bob', 'carol', 'dave', 'erin', 'frank')
    await request.merge()
    await request.refused('approval_impossible')
  })

  it('row 12: a policy that asks for approval by nobody makes its environment unusable', async () => {
    await changeRules(scene, 'hollow', { 'policies/hollow.yaml': tagPolicy('approvals_required: 0\n') }, 'erin')
    const request = proposal(scene, 'row-12', 'hollow')
    await request.open()
    await request.merge()
    await request.refused('environment_unusable')
  })

  it('row 13: a commit status, or a check of the same name by another app, is no green CI', async () => {
    const sha = await unproven('v1.6.0')
    scene.forge.setStatus(SHOP_REPO, sha, { context: 'build', state: 'success', creator: 'mallory' })
    scene.forge.setCheck(SHOP_REPO, sha, { name: 'build', app: 'evil-ci', conclusion: 'success' })
    const request = proposal(scene, 'row-13')
    await request.open(requestFile('tag: v1.6.0'))
    await request.approve('bob', 'carol')
    await request.merge()
    await request.keepsWaiting('ci_missing')
    green(scene.forge, sha)
    await request.starts()
  })

  it('row 14: a green CI of the commit before proves nothing', async () => {
    green(scene.forge, await unproven('v1.7.0'))
    await unproven('v1.7.1')
    const request = proposal(scene, 'row-14')
    await request.open(requestFile('tag: v1.7.1'))
    await request.approve('bob', 'carol')
    await request.merge()
    await request.keepsWaiting('ci_missing')
    await withdraw(request)
  })

  const VARIANTS = {
    deploy: requestFile('tag: v1.4.2'),
    'another ref': requestFile('tag: v1.4.3'),
    rollback: requestFile('tag: v1.4.2', { type: 'rollback' }),
    'a dry run': requestFile('tag: v1.4.2', { type: 'dry_run' }),
  }
  const REUSES = (['deploy', 'another ref', 'rollback'] as const).map((last) => ({
    last,
    before: Object.entries(VARIANTS).flatMap(([name, content]) => (name === last ? [] : [content])),
  }))
  it.each(REUSES)('row 15: approvals of any other type or ref do not count: $last', async ({ last, before }) => {
    const request = proposal(scene, `row-15-${last.replace(' ', '-')}`)
    const reviewers = ['bob', 'carol', 'dave']
    await request.open(before[0]!)
    for (const [index, content] of before.entries()) {
      if (index > 0) await request.write(content)
      await request.approve(reviewers[index]!)
    }
    await request.push({ [request.path]: VARIANTS[last] })
    await request.merge()
    expect(reviewsOf(await request.waits('approval_missing'))).toEqual(reviewers.map((login) => `${login} stale_subject`))
    await withdraw(request)
  })

  it('row 15: approvals for one environment do not count for another', async () => {
    const request = proposal(scene, 'row-15')
    const elsewhere = proposal(scene, 'row-15', 'lab')
    await request.open()
    await request.approve('bob', 'carol')
    await request.push({ [request.path]: null, [elsewhere.path]: requestFile('tag: v1.4.2') })
    await request.merge()
    expect(reviewsOf(await elsewhere.waits('approval_missing'))).toEqual(['bob stale_subject', 'carol stale_subject'])
    expect(await scene.job(request.path)).toBeNull()
    await withdraw(elsewhere)
  })

  it('row 16: roles are those of the trigger, not of the day of the approval', async () => {
    const sha = await unproven('v1.8.0')
    const request = proposal(scene, 'row-16')
    await request.open(requestFile('tag: v1.8.0'))
    await request.approve('gina', 'bob')
    await request.merge()
    expect(reviewsOf(await request.waits('ci_missing'))).toEqual(['gina counted', 'bob counted'])
    await changeRules(scene, 'gina-leaves', { 'access.yaml': ACCESS_WITHOUT_GINA }, 'erin')
    green(scene.forge, sha)
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['gina not_in_role', 'bob counted'])
    await withdraw(request)
  })
})
