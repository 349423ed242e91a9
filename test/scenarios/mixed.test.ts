import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requestFile } from './config-files.ts'
import { type MixedScene, openMixedScene, TAG } from './mixed-scene.ts'

/** Reviews are given on one forge, and what was approved runs on six others: each with its own words, one rule for all. */
describe('a config repository on Gitea, with projects elsewhere', () => {
  let scene: MixedScene
  beforeAll(async () => {
    scene = await openMixedScene()
  }, 60_000)
  afterAll(() => scene.close())

  it.each(['github', 'gitlab', 'bitbucket', 'forgejo', 'jenkins', 'http'])(
    'starts what was approved there once on %s, and tells the pull request',
    async (provider) => {
      const { live, runners } = scene
      const runner = runners.find((each) => each.provider === provider)!
      const { path, pull } = await scene.approved(runner.project, TAG, requestFile(`tag: ${TAG}`))
      const { id } = await live.until(path, ({ status }) => status === 'running' || status === 'success')
      await live.eventually(
        'the run',
        () => runner.made(id),
        (made) => made === 1,
      )
      runner.succeed(id)
      const done = await live.ended(path)
      expect(done).toMatchObject({ status: 'success', requester: 'alice', reason: { code: 'run_succeeded' } })
      expect(runners.map((each) => [each.provider, each.made(id)])).toEqual(
        runners.map((each) => [each.provider, each === runner ? 1 : 0]),
      )
      await live.eventually(
        'the comment',
        () => scene.comments(pull),
        (list) => list.some((body) => body.includes('success')),
      )
    },
  )
})
