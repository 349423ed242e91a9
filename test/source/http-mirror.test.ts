import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { ConfigFault, messageOf, RefusedFault, TransientFault } from '../../controller/errors.ts'
import { parseRemoteUrl } from '../../controller/source/remote-url.ts'
import { gitHttpRemote, httpServer } from './http-remote.ts'
import { mirrorDirectory, mirrorOf, repository } from './mirror-fixtures.ts'

const TOKEN = Buffer.from('x-access-token:s3cr3t-t0ken').toString('base64')
const HEADER = `Basic ${TOKEN}`
const authorization = async () => HEADER

async function faultOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error) => error,
  )
}

function everyCommandLine(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(join('/proc', pid, 'cmdline'), 'utf8')
      } catch {
        return ''
      }
    })
    .join('\n')
}

test('the credential opens a remote over HTTP, and each fetch asks for it anew', async () => {
  const origin = repository()
  const head = origin.commit({ 'a.yaml': 'a: 1\n' })
  const remote = await gitHttpRemote(join(origin.directory, '.git'), HEADER)
  let asked = 0
  async function authorization() {
    asked++
    return HEADER
  }
  const mirror = await mirrorOf(`${remote.origin}/`, { authorization })
  expect(await mirror.fetch()).toBe(head)
  expect(new Set(remote.seen)).toEqual(new Set([HEADER]))
  const before = asked
  await mirror.fetch()
  expect(asked).toBe(before + 1)
})

test.skipIf(process.platform !== 'linux')(
  'the credential is in no command line while Git talks, and not on the disk after',
  async () => {
    let commandLines = ''
    const remote = await httpServer((_request, response) => {
      commandLines = everyCommandLine()
      response.writeHead(500).end()
    })
    const directory = mirrorDirectory()
    const mirror = await mirrorOf(`${remote.origin}/config.git`, { authorization, directory })
    await expect(mirror.fetch()).rejects.toThrow(TransientFault)
    expect(remote.seen).toContain(HEADER)
    expect(commandLines).toContain('ls-remote')
    expect(commandLines).not.toContain(TOKEN)
    expect(readFileSync(join(directory, 'config'), 'utf8')).not.toContain(TOKEN)
  },
)

test('a server that repeats the credential in its complaint does not get it into our error', async () => {
  const remote = await httpServer((request, response) => {
    response.writeHead(403, { 'Content-Type': 'text/plain' }).end(`no access for ${request.headers.authorization} (${TOKEN})\n`)
  })
  const mirror = await mirrorOf(`${remote.origin}/config.git`, { authorization })
  const fault = await faultOf(mirror.fetch())
  expect(fault).toMatchObject({ name: 'RefusedFault', status: 403 })
  expect(`${messageOf(fault)} ${JSON.stringify(fault)} ${(fault as Error).stack}`).not.toContain(TOKEN)
})

test('a redirect is not followed: its target sees neither a request nor the credential', async () => {
  const target = await httpServer((_request, response) => void response.writeHead(404).end())
  const remote = await httpServer((request, response) => {
    response.writeHead(302, { Location: `${target.origin}${request.url}` }).end()
  })
  const mirror = await mirrorOf(`${remote.origin}/config.git`, { authorization })
  await expect(mirror.fetch()).rejects.toThrow(/redirect/)
  await expect(mirror.fetch()).rejects.toThrow(RefusedFault)
  expect(remote.seen).toContain(HEADER)
  expect(target.seen).toEqual([])
})

test.each([
  [401, RefusedFault, /credential/],
  [403, RefusedFault, /read access/],
  [404, RefusedFault, /address/],
  [429, TransientFault, /could not be reached/],
  [500, TransientFault, /could not be reached/],
  [503, TransientFault, /could not be reached/],
])('status %i of the remote becomes the right fault with the fix', async (status, kind, words) => {
  const remote = await httpServer((_request, response) => void response.writeHead(status).end())
  const mirror = await mirrorOf(`${remote.origin}/config.git`)
  const fault = await faultOf(mirror.fetch())
  expect(fault).toBeInstanceOf(kind)
  expect(messageOf(fault)).toMatch(words)
})

test('a missing credential is refused without anybody being asked for one', async () => {
  const origin = repository()
  origin.commit({ 'a.yaml': 'a: 1\n' })
  const remote = await gitHttpRemote(join(origin.directory, '.git'), HEADER)
  const mirror = await mirrorOf(`${remote.origin}/`)
  await expect(mirror.fetch()).rejects.toMatchObject({ name: 'RefusedFault', status: 401 })
})

test.skipIf(process.platform !== 'linux')('a remote that never answers leaves no process behind', async () => {
  const silent = await httpServer(() => {})
  const mirror = await mirrorOf(`${silent.origin}/config.git`, { fetchTimeoutMs: 1_000 })
  await expect(mirror.fetch()).rejects.toThrow(TransientFault)
  await vi.waitFor(() => expect(everyCommandLine()).not.toContain(silent.origin), 10_000)
})

test('a remote that is not there, or never answers, is a transient fault', async () => {
  const gone = await mirrorOf('http://127.0.0.1:9/config.git')
  await expect(gone.fetch()).rejects.toThrow(TransientFault)
  const silent = await httpServer(() => {})
  const mirror = await mirrorOf(`${silent.origin}/config.git`, { fetchTimeoutMs: 300 })
  await expect(mirror.fetch()).rejects.toThrow(/within 300 ms/)
  await expect(mirror.fetch()).rejects.toThrow(TransientFault)
})

test('a commit that is not in the mirror is out of reach, and not gone, while the remote cannot be asked for it', async () => {
  const origin = repository()
  const base = origin.commit({ 'a.yaml': 'a: 1\n' })
  const left = origin.commit({ 'a.yaml': 'a: 2\n' })
  origin.git('reset', '--quiet', '--hard', base)
  const outage = { on: false }
  const remote = await gitHttpRemote(join(origin.directory, '.git'), null, () => outage.on)
  const mirror = await mirrorOf(`${remote.origin}/`)
  await mirror.fetch()
  outage.on = true
  await expect(mirror.snapshot(left)).rejects.toThrow(TransientFault)
  outage.on = false
  expect((await mirror.snapshot(left)).entries).toHaveLength(1)
})

test('closing ends a fetch that hangs', async () => {
  const silent = await httpServer(() => {})
  const mirror = await mirrorOf(`${silent.origin}/config.git`)
  const fetching = faultOf(mirror.fetch())
  await new Promise((resolve) => setTimeout(resolve, 100))
  await mirror.close()
  expect(await fetching).toBeInstanceOf(TransientFault)
})

test('an empty repository, a missing branch and a missing repository are refused with the fix', async () => {
  const empty = repository({ bare: true })
  await expect((await mirrorOf(empty.url)).fetch()).rejects.toThrow(/is empty/)
  const remote = repository()
  remote.commit({ 'a.yaml': 'a: 1\n' })
  const mirror = await mirrorOf(remote.url, { branch: 'production' })
  await expect(mirror.fetch()).rejects.toThrow(RefusedFault)
  await expect(mirror.fetch()).rejects.toThrow(/has no branch production/)
  const nowhere = await mirrorOf('file:///nowhere/config.git')
  await expect(nowhere.fetch()).rejects.toThrow(RefusedFault)
})

test('a credential with a line break never becomes a second header', async () => {
  const remote = await httpServer((_request, response) => void response.writeHead(200).end())
  const mirror = await mirrorOf(`${remote.origin}/config.git`, { authorization: async () => 'Basic x\r\nX-Evil: 1' })
  await expect(mirror.fetch()).rejects.toThrow(ConfigFault)
  expect(remote.seen).toEqual([])
})

test.each([
  ['https://example.com/org/config.git', 'https', 'https://example.com'],
  ['https://example.com:8443/config.git', 'https', 'https://example.com:8443'],
  ['ssh://git@example.com:22/org/config.git', 'ssh', null],
  ['git@example.com:org/config.git', 'ssh', null],
  ['http://[::1]:3000/config.git', 'http', 'http://[::1]:3000'],
  ['file:///srv/config.git', 'file', null],
])('the address %s is read over %s', (text, protocol, origin) => {
  expect(parseRemoteUrl(text, { file: true, loopbackHttp: true })).toEqual({ text, protocol, origin })
})
