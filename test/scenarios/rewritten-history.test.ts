import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CONFIG_REPO, requestFile, STAGE_POLICY } from './config-files.ts'
import { auditRows, configState, frozenFor } from './proposal.ts'
import { openScene, type Scene } from './scene.ts'

const BEFORE = 'requests/shop/stage/2026-11-18-before.yaml'
const AFTER = 'requests/shop/stage/2026-11-18-after.yaml'
const WEAKER_POLICY = { 'policies/stage.yaml': STAGE_POLICY.replace('require_ci_success: true', 'require_ci_success: false') }

describe('a rewritten config branch that an operator accepts by the name of its head', () => {
  let scene: Scene
  /** The first commit of the config repository. */
  let base: string
  beforeEach(async () => {
    scene = await openScene()
    base = (await scene.forge.sha(CONFIG_REPO, 'refs/heads/main'))!
    await request(BEFORE)
    await scene.ended(BEFORE)
  })
  afterEach(() => scene.close())

  const request = async (path: string) => scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))

  /** Winds the branch back, goes on from there with these files and a request, and gives the new head once all is frozen. */
  async function rewrite(files: Readonly<Record<string, string>>): Promise<string> {
    await scene.forge.forcePush(CONFIG_REPO, 'main', base, { as: 'mallory' })
    await scene.forge.commit(CONFIG_REPO, 'main', files, { as: 'mallory' })
    const head = await request(AFTER)
    await frozenFor(scene, 'config_frozen')
    await scene.eventually('the new head to be named', async () =>
      (await configState(scene))!.frozen!.text.includes(head.slice(0, 12)),
    )
    return head
  }

  async function restart(head: string): Promise<void> {
    scene.env['DRAVEN_ACCEPT_HISTORY'] = head
    await scene.begin()
  }

  it('goes on from there, and what ran before the rewrite does not run again', async () => {
    const head = await rewrite({ [BEFORE]: requestFile('branch: develop') })
    expect((await configState(scene))!.frozen!.action!.text).toContain(`DRAVEN_ACCEPT_HISTORY=${head}`)
    await scene.controller.stop()
    await restart(head)
    expect(await scene.ended(AFTER)).toMatchObject({ status: 'success' })
    expect(scene.forge.triggerCount(scene.jobId(AFTER))).toBe(1)
    expect(scene.forge.triggerCount(scene.jobId(BEFORE))).toBe(1)
  })

  it('still needs an admin for its rules, which can be compared', async () => {
    const { rulesCommit } = (await configState(scene))!
    const head = await rewrite(WEAKER_POLICY)
    await scene.controller.stop()
    await restart(head)
    await frozenFor(scene, 'rules_change_unapproved')
    expect(await configState(scene)).toMatchObject({ head, rulesCommit })
    await scene.until(AFTER, (job) => job.reason.code === 'rules_change_unapproved')
    expect(scene.forge.triggerCount(scene.jobId(AFTER))).toBe(0)
  })

  it('is taken on trust when the rules before are gone everywhere, and the audit says so', async () => {
    const head = await rewrite(WEAKER_POLICY)
    await scene.controller.stop()
    rmSync(join(scene.root, 'data/config.git'), { recursive: true })
    forgetOldCommits(join(scene.root, 'forge'))
    await restart(head)
    expect(await scene.ended(AFTER)).toMatchObject({ status: 'success' })
    expect(scene.forge.triggerCount(scene.jobId(BEFORE))).toBe(1)
    expect(await configState(scene)).toMatchObject({ head, rulesCommit: head, frozen: null })
    const accepted = (await auditRows(scene)).findLast(({ action }) => action === 'config_accepted')
    expect(accepted).toMatchObject({ commit: head, data: { onTrust: true, approvedBy: [] } })
  })
})

/** What a host does weeks after a force-push: commits that no ref holds are deleted for good. */
function forgetOldCommits(root: string): void {
  const repositories = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('config.git'))
  expect(repositories).toHaveLength(1)
  for (const repository of repositories) {
    const git = (...args: string[]) => execFileSync('git', ['-C', join(root, repository), ...args], { stdio: 'ignore' })
    git('reflog', 'expire', '--expire=now', '--all')
    git('gc', '--prune=now', '--quiet')
  }
}
