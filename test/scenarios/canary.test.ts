import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isTerminal } from '../../controller/jobs/job.ts'
import { draven, type RunOptions } from '../cli/run.ts'
import { tracesOf } from '../spellings.ts'
import { requestFile } from './config-files.ts'
import { type MixedScene, openMixedScene, TAG } from './mixed-scene.ts'

const PAGES = ['', 'jobs', 'audit', 'config', 'system', 'metrics', 'version', 'readyz']
const TWINS = ['matrix', 'jobs', 'audit', 'findings', 'system']

/** What a provider in trouble does at its next calls: it quotes what it was sent, in the words of the error that people are shown. */
type Trouble = 'reads are answered 503' | 'a write is answered 422' | 'a write is answered 500'
const TROUBLES: readonly Trouble[] = ['reads are answered 503', 'a write is answered 422', 'a write is answered 500']
const QUOTED_READS = 3
/** Where the pull requests are; what is posted there are statuses and comments. */
const CONFIG_HOST = 'the config repository’s host'

describe('a secret of a provider that quotes it', () => {
  let scene: MixedScene
  let trouble: { origin: string; kind: Trouble; left: number } | null = null
  let quoted = 0
  /** Of callbacks, as they went out to pipelines. */
  const tokens = new Set<string>()

  async function fetchInTrouble(input: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> {
    const url = new URL(String(input instanceof Request ? input.url : input))
    for (const [token] of String(init?.body ?? '').matchAll(/dcb_[\w-]{43}/g)) tokens.add(token)
    const isRead = (init?.method ?? 'GET') === 'GET'
    if (trouble === null || trouble.left === 0 || url.origin !== trouble.origin) return fetch(input, init)
    if (isRead !== trouble.kind.startsWith('reads')) return fetch(input, init)
    trouble.left--
    quoted++
    const headers = [...new Headers(init?.headers)].map(([name, value]) => `${name}: ${value}`)
    const sent = [...headers, String(init?.body ?? '')].join('\n')
    const [status] = /\d+/.exec(trouble.kind)!
    const message = `cannot serve ${sent}, that is ${Buffer.from(sent).toString('base64')} or ${encodeURIComponent(sent)}`
    return new Response(JSON.stringify({ message }), { status: Number(status), headers: { 'content-type': 'application/json' } })
  }

  beforeAll(async () => {
    scene = await openMixedScene({ fetch: fetchInTrouble })
  }, 60_000)
  afterAll(() => scene.close())

  const cells = ['github', 'gitlab', 'bitbucket', 'forgejo', 'jenkins', 'http', CONFIG_HOST].flatMap((provider) =>
    TROUBLES.map((kind): [provider: string, kind: Trouble] => [provider, kind]),
  )
  it.each(cells)('shows up nowhere when on %s %s', async (provider, kind) => {
    const { live, runners } = scene
    const atConfig = provider === CONFIG_HOST
    const runner = runners.find((each) => atConfig || each.provider === provider)!
    const origin = atConfig ? scene.configOrigin : runner.origin
    quoted = 0
    const name = `${kind} ${atConfig ? 'at-config' : ''}`.replace(/\W+/g, '-').replace(/-$/, '')
    const { path, pull } = await scene.approved(runner.project, name, requestFile(`tag: ${TAG}`), () => {
      trouble = { origin, kind, left: kind.startsWith('reads') ? QUOTED_READS : 1 }
    })
    const settled = await live.until(path, ({ id, status, reason }) => {
      if (runner.made(id) > 0 && status === 'running') runner.succeed(id)
      return isTerminal(status) || reason.code === 'trigger_outcome_unknown' || reason.code === 'provider_unreachable'
    })
    // What was quoted was really shown to the product.
    await live.eventually(
      'the trouble',
      () => quoted,
      (times) => times > 0,
    )
    trouble = null
    const sinks = new Map<string, string>([
      ['the log', live.log.join('')],
      ['the comments', scene.comments(pull).join('\n')],
    ])
    const pages = [...PAGES, `jobs/${settled.id}`, ...[...TWINS, `jobs/${settled.id}`].map((twin) => `api/v1/${twin}`)]
    for (const page of pages) sinks.set(`/${page}`, await (await fetch(`${live.controller.url}/${page}`)).text())
    for (const [file, text] of filesBelow(join(scene.root, 'data'))) sinks.set(file, text)
    expect(leaksIn(sinks)).toEqual([])
  })

  /** `the comments: DRAVEN_SECRET_X`. A pair has its password; a `whsec_` its key. */
  function leaksIn(sinks: ReadonlyMap<string, string>): string[] {
    const named = [...scene.secrets, ...[...tokens].map((token): [string, string] => ['a callback', token])]
    const traces = named.flatMap(([secret, value]) =>
      [...new Set([value, value.split(':').at(-1)!, value.replace('whsec_', '')])]
        .flatMap(tracesOf)
        .map((trace) => ({ secret, trace })),
    )
    return [...sinks].flatMap(([sink, text]) =>
      traces.filter(({ trace }) => text.includes(trace)).map(({ secret }) => `${sink}: ${secret}`),
    )
  }

  it('is in no line of what a command prints about it, also while every host quotes it', async () => {
    const data = join(scene.root, 'data')
    const [{ origin }] = scene.runners as [(typeof scene.runners)[0]]
    const quoting: typeof fetch = (input, init) => {
      trouble = { origin: new URL(String(input)).origin, kind: 'reads are answered 503', left: 1 }
      return fetchInTrouble(input, init)
    }
    const options = { clock: scene.clock, env: scene.env }
    const commands: [string[], RunOptions][] = [
      [['doctor'], { ...options, fetch: quoting }],
      [['doctor', '--json'], { ...options, fetch: quoting }],
      [['explain', 'web/prod', '--url', scene.live.controller.url], options],
      [['explain', 'hook/prod', '--url', scene.live.controller.url, '--json'], options],
      [['audit', 'verify', '--data-dir', data], options],
      [['audit', 'verify', '--data-dir', data, '--json'], options],
      [['plan', '--url', origin], { ...options, fetch: quoting }],
    ]
    const sinks = new Map<string, string>()
    for (const [args, more] of commands) {
      const { stdout, stderr } = await draven(args, more)
      sinks.set(args.join(' '), `${stdout}${stderr}`)
    }
    trouble = null
    expect(sinks.get('doctor')).toContain('cannot serve')
    expect(tokens.size).toBeGreaterThan(0)
    expect(leaksIn(sinks)).toEqual([])
  })

  it('would be found if it were there: what the providers said is shown, with the secret taken out', async () => {
    const answer = await fetch(`${scene.live.controller.url}/api/v1/jobs`)
    const { jobs } = (await answer.json()) as { jobs: { reason: { text: string } }[] }
    const quoting = jobs.filter(({ reason }) => reason.text.includes('cannot serve'))
    expect(quoting.length).toBeGreaterThan(0)
    for (const { reason } of quoting) expect(reason.text).toMatch(/\*\*\*|webhook-signature/)
  })
})

function filesBelow(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path, 'latin1')])
}
