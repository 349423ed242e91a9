import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import { readSettings, SETTINGS } from '../../controller/settings.ts'
import { quotesOf, tracesOf } from '../spellings.ts'
import { draven, type Ran, type RunOptions, start } from './run.ts'

/** What a URL, JSON and base64 each spell in a way of their own. */
const CANARY = 'canary-7c9e66+79f9/b14a1%d8e5e"q'
const SINKS = ['', 'system', 'config', 'audit', 'jobs', 'metrics', 'readyz', 'api/v1/system', 'api/v1/findings', 'api/v1/matrix']

const PATIENCE_MS = 90_000

let folder: string
let options: RunOptions & { env: Record<string, string> }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'draven-canary-'))
  mkdirSync(join(folder, 'secrets'))
  const env = { DRAVEN_SECRETS_DIR: join(folder, 'secrets'), DRAVEN_DATA_DIR: join(folder, 'data'), DRAVEN_LISTEN: '127.0.0.1:0' }
  options = { cwd: folder, clock: systemClock(), env }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function holdsNothing(text: string, ...secrets: string[]): void {
  expect([CANARY, ...secrets].flatMap(tracesOf).filter((trace) => text.includes(trace))).toEqual([])
}
const output = ({ stdout, stderr }: Ran) => `${stdout}\n${stderr}`

describe('a host that repeats the credential to Git and to the API', () => {
  let host: Server
  let quoted: string[]

  beforeEach(async () => {
    quoted = []
    host = createServer((request, response) => {
      const authorization = request.headers.authorization ?? ''
      if (authorization !== '') quoted.push(request.url ?? '')
      const quote = [authorization, ...quotesOf(CANARY)].join(' ')
      const isGit = request.url?.includes('.git/') ?? false
      // Git shows its user what comes as plain text.
      response.writeHead(503, { 'content-type': isGit ? 'text/plain' : 'application/json' })
      response.end(isGit ? `${quote}\n` : JSON.stringify({ message: quote }))
    })
    await new Promise<void>((listening) => host.listen(0, '127.0.0.1', listening))
    const origin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
    Object.assign(options.env, {
      DRAVEN_CONFIG_REPO_URL: `${origin}/acme/config.git`,
      DRAVEN_CONFIG_REPO: 'acme/config',
      DRAVEN_GITHUB_API_URL: `${origin}/api`,
      DRAVEN_ALLOW_LOOPBACK: 'true',
    })
  })
  afterEach(async () => {
    await new Promise((closed) => host.close(closed))
  })

  /** Named in the environment, or in a file that nobody has read before. */
  function given(by: 'env' | 'file'): void {
    if (by === 'env') options.env['DRAVEN_SECRET_GITHUB_TOKEN'] = CANARY
    else {
      writeFileSync(join(folder, 'secrets/token'), CANARY)
      options.env['DRAVEN_GITHUB_TOKEN_REF'] = 'file:token'
    }
  }

  it.each(['env', 'file'] as const)(
    'gets it into no line of draven doctor (%s)',
    async (by) => {
      given(by)
      for (const more of [[], ['--json']]) {
        const ran = await draven(['doctor', ...more], options)
        expect(ran.code).toBe(1)
        expect(ran.stdout).toContain('***')
        holdsNothing(output(ran))
      }
      expect(new Set(quoted.map((path) => path.split('/')[1]))).toEqual(new Set(['acme', 'api']))
    },
    PATIENCE_MS,
  )

  it.each(['env', 'file'] as const)(
    'gets it into no log line and on no page of a controller (%s)',
    async (by) => {
      given(by)
      const running = start(['serve'], options)
      await expect.poll(running.stdout, { timeout: PATIENCE_MS / 2 }).toContain('is up at')
      const url = /http:\/\/\S+?:\d+/.exec(running.stdout())![0]
      await expect.poll(running.stderr, { timeout: PATIENCE_MS / 2 }).toContain('***')
      const pages = await Promise.all(SINKS.map(async (page) => (await fetch(`${url}/${page}`)).text()))
      expect(pages.join('\n')).toContain('could not be reached')
      running.signal('SIGTERM')
      await running.ended
      for (const text of [...pages, running.stdout(), running.stderr()]) holdsNothing(text)
    },
    PATIENCE_MS,
  )
})

describe('a secret in the wrong place', () => {
  it.each(SETTINGS.map(({ name }) => name))('is repeated by no complaint about %s', async (name) => {
    Object.assign(options.env, { DRAVEN_CONFIG_DIR: folder, DRAVEN_SECRET_CANARY: CANARY, [name]: CANARY })
    holdsNothing(output(await draven(['doctor'], options)))
    let readable = true
    try {
      readSettings(options.env)
    } catch {
      readable = false
    }
    if (!readable) holdsNothing(output(await draven(['serve'], options)))
  })

  it.each(SETTINGS.map(({ name }) => name).filter((name) => /_URL$/.test(name)))(
    'is repeated by no complaint when it stands in the address of %s, where nobody knows it for one',
    async (name) => {
      const remote = { DRAVEN_CONFIG_REPO_URL: 'https://127.0.0.1:1/acme/config.git', DRAVEN_CONFIG_REPO: 'acme/config' }
      const address = `https://user:${encodeURIComponent(CANARY)}@127.0.0.1:1/acme/config.git`
      const provider = /^DRAVEN_(GITHUB|GITLAB|BITBUCKET|GITEA|FORGEJO)_/.exec(name)?.[1]?.toLowerCase() ?? 'github'
      const forges = { DRAVEN_GITHUB_API_URL: 'https://127.0.0.1:1', DRAVEN_CONFIG_PROVIDER: provider }
      const token = `DRAVEN_SECRET_${provider.toUpperCase()}_TOKEN`
      Object.assign(options.env, { ...remote, ...forges, [token]: 'another-secret', [name]: address })
      for (const command of [['doctor'], ['doctor', '--json']]) holdsNothing(output(await draven(command, options)))
      // A controller that starts all the same is told to end, and has said what it had to say.
      const running = start(['serve'], options)
      let over = false
      void running.ended.then(() => {
        over = true
      })
      while (!over && running.stdout() === '') await new Promise((resolve) => setTimeout(resolve, 25))
      running.signal('SIGTERM')
      await running.ended
      holdsNothing(running.stdout() + running.stderr())
    },
    PATIENCE_MS,
  )

  it.each([
    ['in two lines', `${CANARY}\n${CANARY}\n`, 'line break'],
    ['that is no key', CANARY, 'not a PEM private key'],
  ])('is repeated by no complaint about a credential file %s', async (_what, content, complaint) => {
    writeFileSync(join(folder, 'secrets/credential'), content)
    Object.assign(options.env, {
      ...{ DRAVEN_CONFIG_REPO_URL: 'https://127.0.0.1:1/acme/config.git', DRAVEN_CONFIG_REPO: 'acme/config' },
      DRAVEN_GITHUB_API_URL: 'https://127.0.0.1:1',
      ...(complaint === 'line break'
        ? { DRAVEN_GITHUB_TOKEN_REF: 'file:credential', DRAVEN_WEBHOOK_SECRET_REF: 'file:credential' }
        : { DRAVEN_GITHUB_APP_ID: '7', DRAVEN_GITHUB_APP_KEY_REF: 'file:credential' }),
    })
    const ran = await draven(['doctor'], options)
    expect(ran.stdout).toContain(complaint)
    holdsNothing(output(ran))
  })
})

describe('the password of a database', () => {
  const encoded = encodeURIComponent(CANARY)
  const URLS = [
    ['that cannot be reached', `postgres://draven:${encoded}@127.0.0.1:1/draven`],
    ['that cannot be reached, with the password beside it', `postgres://draven@127.0.0.1:1/draven?password=${encoded}`],
    ['whose address is none, because the password was not encoded', `postgres://draven:${CANARY}@127.0.0.1:1/draven`],
    ['whose password looks like encoded and is not', 'postgres://draven:canary%zzcanary@127.0.0.1:1/draven'],
    ['whose name has no host', `postgres://draven:${encoded}@/draven`],
  ] as const
  const COMMANDS = [['serve'], ['doctor'], ['doctor', '--json'], ['audit', 'verify']]

  it.each(URLS)('%s is in no output, and what is wrong is no defect', async (_what, url) => {
    Object.assign(options.env, { DRAVEN_CONFIG_DIR: folder, DATABASE_URL: url })
    for (const command of COMMANDS) {
      const ran = await draven(command, options)
      expect(ran.code).toBeGreaterThan(0)
      expect(output(ran)).not.toMatch(/defect of draven/)
      holdsNothing(output(ran), 'canary%zzcanary')
    }
  })

  it('is not repeated when it is given on the command line either', async () => {
    const from = join(folder, 'draven.db')
    writeFileSync(from, '')
    for (const [, to] of URLS)
      holdsNothing(output(await draven(['store', 'copy', '--from', `sqlite:${from}`, '--to', to], options)))
  })
})
