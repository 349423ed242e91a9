import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { draven } from '../cli/run.ts'
import { CONFIG_REPO, environmentFile, requestFile, SHOP_PROJECT, SHOP_REPO } from '../scenarios/config-files.ts'
import { green, openScene, type Scene } from '../scenarios/scene.ts'
import { fetchUrl, GATE, noCurl, pipelineFile, RUN, reachable } from './files.ts'

/** The workflow that people copy, with what `actions/checkout` does written out, since the emulated runner has no actions. */
function workflow(repository: string): string {
  const checkOut = /- uses: actions\/checkout@v4\n +with: \{ path: (\w+)(?:, ref: '([^']+)')? \}\n/g
  return pipelineFile('github.yml').replace(
    checkOut,
    (_, folder: string, ref = 'main') =>
      `- run: git clone -q --no-checkout ${repository} ${folder} && git -C ${folder} checkout -q --detach ${ref}\n`,
  )
}

const runs = (file: string) => ({ mode: '100755', content: readFileSync(file, 'utf8') }) as const

describe.skipIf(noCurl)('the workflow for GitHub, with the gate, against a real controller', () => {
  let scene: Scene
  beforeAll(async () => {
    const project = SHOP_PROJECT.replace('  pipelines:', '  callbacks: true\n  pipelines:\n    lab: careless.yml')
    const config = { 'projects/shop/project.yaml': project, 'projects/shop/environments/lab.yaml': environmentFile('stage') }
    scene = await openScene({ idle: true, actions: 'process', config })
    const definition = workflow(fetchUrl(scene.forge, SHOP_REPO))
    const files = {
      '.github/workflows/deploy.yml': definition,
      '.github/workflows/careless.yml': definition.replaceAll(/\$\{\{ inputs\.SHA \}\}/g, 'main'),
      'deploy/draven-gate.sh': runs(GATE),
      'deploy/run.sh': runs(RUN),
    }
    await scene.forge.commit(SHOP_REPO, 'main', files, { as: 'alice', message: 'Pipeline' })
    await scene.forge.commit(SHOP_REPO, 'develop', { 'deploy/run.sh': runs(RUN) }, { as: 'alice', message: 'Deploy' })
    green(scene.forge, await scene.forge.sha(SHOP_REPO, 'refs/heads/develop'))
    await reachable(scene.env)
    await scene.begin()
  })
  afterAll(() => scene.close())

  const page = async (path: string) => {
    const answer = await fetch(`${scene.controller.url}/api/v1/jobs/${scene.jobId(path)}`)
    return (await answer.json()) as {
      runs: { claimedAt: string | null; checkedOutSha: string | null }[]
      lines: { stream: string; text: string }[]
    }
  }

  it('asks before it acts, and everybody can read along', async () => {
    const path = 'requests/shop/stage/gated.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    expect(await scene.ended(path)).toMatchObject({ status: 'success', attempt: 1 })
    const { runs, lines } = await page(path)
    const develop = await scene.forge.sha(SHOP_REPO, 'refs/heads/develop')
    expect(runs).toMatchObject([{ claimedAt: expect.stringMatching(/^20/), checkedOutSha: develop }])
    expect(lines.map(({ text }) => text)).toEqual([
      `would bring develop (${develop}) to stage`,
      'hosts: shop-stage ',
      `[shop-stage] task deploy: ${develop}`,
      'exit code 0',
    ])
    const html = await (await fetch(`${scene.controller.url}/jobs/${scene.jobId(path)}`)).text()
    expect(html).toContain('told to go on')
    expect(html).toContain('[shop-stage] task deploy')
  })

  it('does not act where it checked out something else than what was approved, and the job is canceled with both commits', async () => {
    const path = 'requests/shop/lab/careless.yaml'
    const approved = await scene.forge.sha(SHOP_REPO, 'refs/heads/develop')
    const main = await scene.forge.sha(SHOP_REPO, 'refs/heads/main')
    const pull = await scene.propose({ [path]: requestFile('branch: develop') })
    await scene.merge(pull)
    const job = await scene.ended(path)
    expect(job).toMatchObject({ status: 'canceled', reason: { code: 'commit_mismatch' } })
    expect(job.reason.text).toContain(`checked out ${main}, not the approved commit ${approved}`)
    expect((await page(path)).lines).toMatchObject([
      { stream: 'event', text: expect.stringContaining('This run has checked out') },
    ])
    const html = await (await fetch(`${scene.controller.url}/jobs/${job.id}`)).text()
    const { stdout } = await draven(['explain', 'shop/lab', '--url', scene.controller.url], { clock: scene.clock })
    for (const surface of [html, stdout]) expect(surface).toContain(`${main}, not the approved commit ${approved}`)
    const comments = `${scene.forge.apiUrl}/repos/${CONFIG_REPO}/issues/${pull}/comments`
    const headers = { authorization: `Bearer ${scene.forge.token('alice')}` }
    const shown = async () => (await (await fetch(comments, { headers })).text()).includes('not the approved commit')
    await scene.eventually('the comment', shown)
    expect(await scene.controller.store.state.unit('test.locks', (tx) => tx.locks.all())).toEqual([])
  })

  it('does not act when somebody starts its run again', async () => {
    const path = 'requests/shop/stage/again.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    await scene.ended(path)
    const [run] = await scene.runs(path)
    const id = Number(run!.externalId)
    scene.forge.rerun(id)
    const again = () => scene.forge.runs(SHOP_REPO).find((each) => each.id === id)!
    await scene.eventually('the run to end again', () => again().attempt === 2 && again().status === 'completed')
    expect(again().conclusion).toBe('failure')
    expect((await page(path)).lines.filter(({ text }) => text.includes('task deploy'))).toHaveLength(1)
  })

  it('keeps the token out of every log, page and row', async () => {
    const path = 'requests/shop/stage/token.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    await scene.ended(path)
    const token = scene.forge.runs(SHOP_REPO).at(-1)!.inputs['CALLBACK_TOKEN']!
    expect(token).toMatch(/^dcb_.{43}$/)
    expect(scene.log.join('')).not.toContain(token)
    expect(JSON.stringify(await page(path))).not.toContain(token)
    const answer = await fetch(`${scene.controller.url}/callbacks/jobs/${scene.jobId(path)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ type: 'result', result: 'failed' }),
    })
    expect(answer.status).toBe(404)
  })
})
