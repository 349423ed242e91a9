import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SECOND_MS } from '../../controller/clock.ts'
import type { Job } from '../../controller/jobs/job.ts'
import type { ReasonCode } from '../../controller/model/reason.ts'
import { CONFIG_REPO, document, environmentFile, requestFile, SHOP_PROJECT, SHOP_REPO } from './config-files.ts'
import { frozenFor, onMain, POLL_MS, type Proposal, poll, proposal, reviewsOf, unheard, withdraw } from './proposal.ts'
import { green, openScene, release, type Scene } from './scene.ts'

/** Takes every ref from everybody, so that only what a ref is can stop it. */
const OPEN_POLICY = document(
  'Policy',
  `allowed_ref_types: [branch, tag, sha]
allowed_branches: ['.*']
allowed_tags: ['.*']
require_approval: false
require_ci_success: false
allow_rollback: true
allow_force_deploy: false
`,
)

let scene: Scene
beforeAll(async () => {
  scene = await openScene({
    pollMs: POLL_MS,
    config: {
      'policies/open.yaml': OPEN_POLICY,
      'projects/shop/project.yaml': SHOP_PROJECT.replace(
        '    prod: deploy.yml\n',
        '    prod: deploy.yml\n    open: deploy.yml\n',
      ),
      'projects/shop/environments/open.yaml': environmentFile('open').replace('exclusive', 'none'),
    },
  })
})
afterAll(async () => {
  scene.forge.assertClean()
  await scene.close()
})

/** The commit that was handed to the pipeline. */
function deployed(job: Job): string | undefined {
  return scene.forge.runs(SHOP_REPO).find((run) => run.inputs['JOB_ID'] === job.id)?.inputs['SHA']
}

/** A commit on main with green CI. */
async function greenCommit(text: string): Promise<string> {
  const sha = await scene.forge.commit(SHOP_REPO, 'main', { VERSION: text }, { as: 'alice', message: text })
  green(scene.forge, sha)
  return sha
}

describe('row 18: a tag that moves', () => {
  async function move(tag: string): Promise<string> {
    const sha = await greenCommit(`${tag} again\n`)
    // Reviews and pins have whole seconds.
    scene.clock.advance(2 * SECOND_MS)
    await scene.forge.moveTag(SHOP_REPO, tag, sha, { as: 'mallory', message: tag })
    return sha
  }

  it('voids the approvals given before the merge, and takes new ones for what it is now', async () => {
    await release(scene.forge, 'v1.8.0')
    const request = proposal(scene, 'v1.8.0')
    await request.open(requestFile('tag: v1.8.0'))
    await request.approve('bob', 'carol')
    const sha = await move('v1.8.0')
    await request.merge()
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob before_pin', 'carol before_pin'])
    await request.approve('bob', 'carol')
    expect(deployed(await request.starts())).toBe(sha)
  })

  it('voids the first approval when it moves before the second', async () => {
    await release(scene.forge, 'v1.8.1')
    const request = proposal(scene, 'v1.8.1')
    await request.open(requestFile('tag: v1.8.1'))
    await request.approve('bob')
    await request.merge()
    await request.waits('approval_missing')
    await move('v1.8.1')
    await poll(scene)
    await request.approve('carol')
    expect(reviewsOf(await request.keepsWaiting('approval_missing'))).toEqual(['bob before_pin', 'carol counted'])
    await withdraw(request)
  })

  it('voids both when it moves in the last moment, unseen, to a commit that everything else allows', async () => {
    const sha = await scene.forge.commit(SHOP_REPO, 'main', { VERSION: 'v1.8.2\n' }, { as: 'alice' })
    await scene.forge.createTag(SHOP_REPO, 'v1.8.2', sha, { as: 'alice', message: 'v1.8.2' })
    const request = proposal(scene, 'v1.8.2')
    await request.open(requestFile('tag: v1.8.2'))
    await request.approve('bob', 'carol')
    await request.merge()
    expect(reviewsOf(await request.waits('ci_missing'))).toEqual(['bob counted', 'carol counted'])
    await unheard(scene, () => move('v1.8.2'))
    expect(reviewsOf(await afterNextLook(request))).toEqual(['bob before_pin', 'carol before_pin'])
    await withdraw(request)
  })

  it('voids what was approved while it was elsewhere when it comes back to what was on show before the merge', async () => {
    const evil = await scene.forge.commit(SHOP_REPO, 'main', { VERSION: 'v1.8.3\n' }, { as: 'mallory' })
    await scene.forge.createTag(SHOP_REPO, 'v1.8.3', evil, { as: 'mallory', message: 'v1.8.3' })
    const request = proposal(scene, 'v1.8.3')
    await request.open(requestFile('tag: v1.8.3'))
    await request.merge()
    await request.waits('ci_missing')
    const sound = await scene.forge.commit(SHOP_REPO, 'main', { VERSION: 'sound\n' }, { as: 'alice' })
    await scene.forge.moveTag(SHOP_REPO, 'v1.8.3', sound, { as: 'mallory', message: 'v1.8.3' })
    await poll(scene)
    // What is on show counts from when it was read, which takes a while on a busy machine.
    scene.clock.advance(10 * SECOND_MS)
    await request.approve('bob', 'carol')
    await poll(scene)
    expect(reviewsOf(await request.waits('ci_missing'))).toEqual(['bob counted', 'carol counted'])
    scene.clock.advance(2 * SECOND_MS)
    green(scene.forge, evil)
    await scene.forge.moveTag(SHOP_REPO, 'v1.8.3', evil, { as: 'mallory', message: 'v1.8.3' })
    expect(reviewsOf(await afterNextLook(request))).toEqual(['bob before_pin', 'carol before_pin'])
    await withdraw(request)
  })

  async function afterNextLook(request: Proposal): Promise<Job> {
    await poll(scene)
    return request.waits('approval_missing')
  }
})

/** Each is a request for shop/open; all come with one pull request. */
interface RefCase {
  name: string
  /** `tag: v1` and the like, once the repository is set. */
  ref: () => string
  /** A refusal, or what is deployed. */
  gives: ReasonCode | (() => string)
}

const facts = new Map<string, string>()
const fact = (name: string) => () => facts.get(name)!
const GHOST = 'c'.repeat(40)

async function plantRefs(): Promise<void> {
  const { forge } = scene
  const evil = (branch: string, text: string) => forge.commit(SHOP_REPO, branch, { EVIL: text }, { as: 'mallory' })
  facts.set('tag v2.0.0', await release(forge, 'v2.0.0'))
  facts.set('branch v2.0.0', await evil('v2.0.0', 'named like the tag'))
  await release(forge, 'v3.0.0')
  await forge.deleteRef(SHOP_REPO, 'refs/tags/v3.0.0', { as: 'alice' })
  await evil('refs/tags/v3.0.0', 'in the place of the tag')
  await evil('evil/main', 'ends like main')
  await evil('a/main', 'ends like main, and comes first')
  await evil(GHOST, 'named like a commit')
  facts.set('unmerged', await evil('unmerged', 'not on main'))
  const fork = await forge.fork(SHOP_REPO, 'mallory')
  const forked = await forge.commit(fork, 'offer', { EVIL: 'from a fork' }, { as: 'mallory' })
  // GitHub serves what a pull request of a fork brought under the parent's name, too.
  await forge.openPull(SHOP_REPO, { head: 'mallory:offer', author: 'mallory' })
  facts.set('forked', forked)
  facts.set('main', (await forge.sha(SHOP_REPO, 'refs/heads/main'))!)
  await evil(facts.get('main')!.slice(0, 7), 'named like a short commit id')
  await evil('v4.0.0', 'where a tag should be')
}

const REF_CASES: RefCase[] = [
  { name: 'row 19: a tag beside a branch of its name', ref: () => 'tag: v2.0.0', gives: fact('tag v2.0.0') },
  { name: 'row 19: a branch beside a tag of its name', ref: () => 'branch: v2.0.0', gives: fact('branch v2.0.0') },
  { name: 'row 19: a tag where only a branch has the name', ref: () => 'tag: v4.0.0', gives: 'ref_missing' },
  { name: 'row 20: a deleted tag shadowed by refs/heads/refs/tags', ref: () => 'tag: v3.0.0', gives: 'ref_missing' },
  { name: 'row 20: a branch by a full ref name', ref: () => 'branch: refs/tags/v3.0.0', gives: 'invalid_request' },
  { name: 'row 21: a full commit id on main', ref: () => `sha: "${facts.get('main')}"`, gives: fact('main') },
  { name: 'row 21: a short commit id', ref: () => `sha: "${facts.get('main')!.slice(0, 7)}"`, gives: 'invalid_request' },
  { name: 'row 21: a branch named like a commit id', ref: () => `sha: "${GHOST}"`, gives: 'ref_missing' },
  { name: 'row 21: a commit of an unmerged branch', ref: () => `sha: "${facts.get('unmerged')}"`, gives: 'ref_not_reachable' },
  { name: 'row 21: a commit of a fork', ref: () => `sha: "${facts.get('forked')}"`, gives: 'ref_not_reachable' },
  { name: 'row 22: a branch whose name is the end of others', ref: () => 'branch: main', gives: fact('main') },
]

/** Names that a shell, git or a path would read as more than a name. */
const NAMES: readonly (readonly [row: number, name: string])[] = [
  [23, '--upload-pack=touch CANARY'],
  [23, '--output=CANARY'],
  [23, '-v1.0.0'],
  [23, '+refs/heads/main'],
  [23, 'main:refs/heads/evil'],
  [23, 'ext::sh -c touch% CANARY'],
  [23, '../../etc/passwd'],
  [23, 'v1..v2'],
  [23, 'v1^{commit}'],
  [23, 'main@{1}'],
  [24, 'v1$(touch CANARY)'],
  [24, 'v1`touch CANARY`'],
  [24, 'v1;touch CANARY'],
  [24, 'v1|touch CANARY'],
  [24, 'v1&&touch CANARY'],
  [24, "v1'"],
  [24, 'v1\ntouch CANARY'],
  [24, 'v1*'],
  [24, ' v1'],
]

describe('a ref is what its whole name says, or nothing', () => {
  const canary = () => join(scene.root, 'canary')
  const ofCase = (index: number) => proposal(scene, `case-${index + 1}`, 'open')
  const ofName = (index: number) => proposal(scene, `name-${index + 1}`, 'open')
  const atBranch = () => proposal(scene, 'odd-branch', 'open')

  beforeAll(async () => {
    await plantRefs()
    const { forge } = scene
    const cases = REF_CASES.map(({ ref }, index) => [ofCase(index).path, requestFile(ref())])
    const names = NAMES.map(([, name], index) => [ofName(index).path, requestFile(`tag: ${quoted(name, canary())}`)])
    const files = Object.fromEntries([...cases, ...names, [atBranch().path, requestFile('branch: main')]])
    // Git takes such a branch name, and so does GitHub.
    const branch = `x$(touch\${IFS}${canary()})`
    await forge.commit(CONFIG_REPO, branch, files, { as: 'alice', message: 'Odd refs' })
    const pull = await forge.openPull(CONFIG_REPO, { head: branch, author: 'alice' })
    await scene.shown(pull)
    await onMain(scene, () => scene.merge(pull))
    await scene.ended(atBranch().path)
  }, 60_000)

  it.each(REF_CASES.map((each, index) => ({ ...each, index })))('$name', async ({ gives, index }) => {
    const request = ofCase(index)
    if (typeof gives === 'string') await request.refused(gives)
    else expect(deployed(await request.starts())).toBe(gives())
  })

  it.each(NAMES.map(([row, name], index) => ({ row, name: JSON.stringify(name), index })))(
    'row $row: the tag $name is a finding, not a ref',
    async ({ index }) => {
      const request = ofName(index)
      await request.refused('invalid_request')
      const findings = scene.controller.engine.memory.desired?.unusableRequests.get(request.path)?.findings
      expect(findings).toMatchObject([{ severity: 'error', place: { file: request.path } }])
    },
  )

  it('row 24: a pull request from a branch whose name is a command brings its request and runs nothing', async () => {
    await atBranch().starts()
    expect(existsSync(canary())).toBe(false)
  })
})

describe('refs of the config repository', () => {
  it('row 22: only the config branch itself is read, not one whose name ends like it, nor a tag', async () => {
    const hidden = proposal(scene, 'hidden', 'open')
    const evil = await scene.forge.commit(
      CONFIG_REPO,
      'a/main',
      { [hidden.path]: requestFile('branch: main') },
      { as: 'mallory', message: 'Hidden' },
    )
    await scene.forge.createTag(CONFIG_REPO, 'main', evil, { as: 'mallory' })
    await poll(scene)
    expect(await scene.job(hidden.path)).toBeNull()
    await frozenFor(scene, null)
  })

  it('row 29: a rewind brings back neither a request that was withdrawn nor one that has run', async () => {
    const { forge } = scene
    const done = proposal(scene, 'done', 'open')
    const withdrawn = proposal(scene, 'withdrawn')
    await withdrawn.open()
    await withdrawn.push({ [done.path]: requestFile('branch: main') })
    await withdrawn.merge()
    await done.starts()
    await withdrawn.waits('approval_missing')
    const before = (await forge.sha(CONFIG_REPO, 'refs/heads/main'))!
    await withdraw(withdrawn)
    expect(await scene.ended(withdrawn.path)).toMatchObject({ status: 'canceled' })
    const after = (await forge.sha(CONFIG_REPO, 'refs/heads/main'))!

    await forge.forcePush(CONFIG_REPO, 'main', before, { as: 'mallory' })
    await frozenFor(scene, 'config_frozen')
    await withdrawn.approve('bob', 'carol')
    await poll(scene)
    expect(await scene.job(withdrawn.path)).toMatchObject({ status: 'canceled' })
    expect(forge.triggerCount(scene.jobId(withdrawn.path))).toBe(0)
    await done.starts()

    await forge.forcePush(CONFIG_REPO, 'main', after, { as: 'erin' })
    await frozenFor(scene, null)
    // Brought back in the open, under its old name: a path is one request for ever.
    const again = proposal(scene, 'again')
    await forge.commit(CONFIG_REPO, again.branch, { [withdrawn.path]: requestFile('tag: v1.4.2') }, { as: 'alice' })
    again.pull = await forge.openPull(CONFIG_REPO, { head: again.branch, author: 'alice' })
    await scene.shown(again.pull)
    await again.approve('bob', 'carol')
    await again.merge()
    await poll(scene)
    expect(await scene.job(withdrawn.path)).toMatchObject({ status: 'canceled' })
    expect(forge.triggerCount(scene.jobId(withdrawn.path))).toBe(0)
  })

  it('row 30: a tag that moves in the config repository keeps nothing from being read', async () => {
    const head = (await scene.forge.sha(CONFIG_REPO, 'refs/heads/main'))!
    await scene.forge.createTag(CONFIG_REPO, 'marker', `${head}~1`, { as: 'mallory' })
    await poll(scene)
    await scene.forge.moveTag(CONFIG_REPO, 'marker', head, { as: 'mallory' })
    const request = proposal(scene, 'after-the-marker', 'open')
    await request.open(requestFile('branch: main'))
    await request.merge()
    await request.starts()
  })
})

/** As double-quoted YAML, with the canary's place in it. */
function quoted(name: string, canary: string): string {
  return JSON.stringify(name.replace('CANARY', canary))
}
