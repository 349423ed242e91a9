import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requestFile, SHOP_PROJECT, SHOP_REPO } from '../scenarios/config-files.ts'
import { openScene, type Scene } from '../scenarios/scene.ts'
import { GATE, noCurl, pipelineFile, RUN, reachable } from './files.ts'

/** The workflow that people copy, with copies in the place of check-outs, which the emulated runner does not make. */
function workflow(): string {
  const checkOut = /- uses: actions\/checkout@v4\n +with: \{ path: (\w+)[^\n]*\n/g
  return pipelineFile('github.yml').replace(
    checkOut,
    (_, folder: string) => `- run: mkdir -p ${folder}/deploy && cp ${folder === 'pipeline' ? GATE : RUN} ${folder}/deploy/\n`,
  )
}

describe.skipIf(noCurl)('the workflow for GitHub, with the gate, against a real controller', () => {
  let scene: Scene
  beforeAll(async () => {
    const project = SHOP_PROJECT.replace('  pipelines:', '  callbacks: true\n  pipelines:')
    scene = await openScene({ idle: true, actions: 'process', config: { 'projects/shop/project.yaml': project } })
    await scene.forge.commit(
      SHOP_REPO,
      'main',
      { '.github/workflows/deploy.yml': workflow() },
      { as: 'alice', message: 'Pipeline' },
    )
    await reachable(scene.env)
    await scene.begin()
  })
  afterAll(() => scene.close())

  const page = async (path: string) => {
    const answer = await fetch(`${scene.controller.url}/api/v1/jobs/${scene.jobId(path)}`)
    return (await answer.json()) as { runs: { claimedAt: string | null }[]; lines: { stream: string; text: string }[] }
  }

  it('asks before it acts, and everybody can read along', async () => {
    const path = 'requests/shop/stage/gated.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    expect(await scene.ended(path)).toMatchObject({ status: 'success', attempt: 1 })
    const { runs, lines } = await page(path)
    expect(runs).toMatchObject([{ claimedAt: expect.stringMatching(/^20/) }])
    const develop = await scene.forge.sha(SHOP_REPO, 'refs/heads/develop')
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
