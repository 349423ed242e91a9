import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { requestFile } from './config-files.ts'
import { openScene, type Scene, WEBHOOK_SECRET } from './scene.ts'

const PATH = 'requests/shop/prod/2026-11-18-v1.4.2.yaml'
const PAGES = ['', 'jobs', 'audit', 'config', 'system', 'projects/shop/prod', 'metrics', 'version', 'readyz']
const TWINS = ['matrix', 'jobs', 'audit', 'findings', 'system', 'environments/shop/prod']

let scene: Scene
afterEach(() => scene.close())

describe('row 52: a secret', () => {
  it.each(['user', 'app'] as const)('shows up in no log, page, answer or file, also when a forge repeats it (%s)', async (as) => {
    const minted = new Set<string>()
    let failures = 0
    let troubled = false
    scene = await openScene({
      as,
      seams: {
        // A forge in trouble that quotes what it was sent, in the words of the error that everybody will be shown.
        async fetch(input, init) {
          const authorization = new Headers(init?.headers).get('authorization') ?? ''
          minted.add(authorization.replace(/^\S+ /, ''))
          if (!String(input).includes('/access_tokens') && troubled && failures < 3) {
            failures++
            const said = `cannot serve ${authorization}, that is ${Buffer.from(authorization).toString('base64')}`
            return new Response(JSON.stringify({ message: said }), {
              status: 503,
              headers: { 'content-type': 'application/json' },
            })
          }
          return fetch(input, init)
        },
      },
    })
    const pull = await scene.propose({ [PATH]: requestFile('tag: v1.4.2') })
    await scene.shown(pull)
    await scene.approve(pull, 'bob', 'carol')
    troubled = true
    await scene.merge(pull)
    const job = await scene.ended(PATH)
    const sinks = new Map<string, string>([['the log', scene.log.join('')]])
    for (const path of [...PAGES, `jobs/${job.id}`, ...[...TWINS, `jobs/${job.id}`].map((twin) => `api/v1/${twin}`)]) {
      sinks.set(`/${path}`, await (await fetch(`${scene.controller.url}/${path}`)).text())
    }
    await scene.controller.stop()
    for (const [name, text] of filesBelow(scene.env['DRAVEN_DATA_DIR']!)) sinks.set(name, text)
    scene.controller = await scene.start()

    expect(failures).toBe(3)
    minted.delete('')
    expect(minted.size).toBeGreaterThan(0)
    for (const secret of [WEBHOOK_SECRET, ...minted]) {
      for (const spelling of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').slice(0, -4)]) {
        const leaks = [...sinks].filter(([, text]) => text.includes(spelling)).map(([name]) => name)
        expect(leaks).toEqual([])
      }
    }
  })
})

function filesBelow(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path, 'latin1')])
}
