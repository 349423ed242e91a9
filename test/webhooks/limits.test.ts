import { once } from 'node:events'
import { connect } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import type { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { githubSender } from '../../controller/webhooks/github.ts'
import { headersFor, intake, PULL_REQUEST, SECRETS, signature } from './intake.ts'

let server: ServerType | undefined

afterEach(async () => {
  if (!server) return
  if ('closeAllConnections' in server) server.closeAllConnections()
  server.close()
  await once(server, 'close')
  server = undefined
})

describe('the size of a body, over real sockets', () => {
  it('is refused from the announcement alone, before a byte of it was sent', async () => {
    const { app } = intake()
    const answer = await raw(await listen(app), [head({ 'content-length': String(githubSender.maxBodyBytes + 1) })])
    expect(answer).toContain('413 ')
  })

  it('is measured while it arrives in chunks, and the server lives on', async () => {
    const { app, inbox } = intake()
    const port = await listen(app)
    const chunk = Buffer.alloc(1024 * 1024, 0x20)
    const framed = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')])
    const answer = await raw(port, [head({ 'transfer-encoding': 'chunked' }), ...Array(26).fill(framed)])
    expect(answer).toContain('413 ')
    const next = await fetch(`http://127.0.0.1:${port}/webhooks/forge`, {
      method: 'POST',
      body: PULL_REQUEST,
      headers: headersFor(PULL_REQUEST),
    })
    expect(next.status).toBe(202)
    expect(inbox.rows).toHaveLength(1)
  })

  it('of a well-signed delivery in chunks is accepted', async () => {
    const { app, inbox } = intake()
    const bytes = Buffer.from(PULL_REQUEST)
    const chunks = [bytes.subarray(0, 7), bytes.subarray(7)].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
    const sign = { 'x-hub-signature-256': signature(PULL_REQUEST, SECRETS.forge[0]!) }
    const answer = await raw(await listen(app), [head({ 'transfer-encoding': 'chunked', ...sign }), ...chunks, '0\r\n\r\n'])
    expect(answer).toContain('202 ')
    expect(inbox.rows).toHaveLength(1)
  })

  it('that is never sent in full leaves nothing behind', async () => {
    const { app, inbox } = intake({ maxInFlight: 1 })
    const port = await listen(app)
    const socket = connect(port, '127.0.0.1')
    socket.write(`${head({ 'content-length': '5000' })}{"half":`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    await expect
      .poll(async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/webhooks/forge`, {
          method: 'POST',
          body: PULL_REQUEST,
          headers: headersFor(PULL_REQUEST),
        })
        return answer.status
      })
      .toBe(202)
    expect(inbox.rows).toHaveLength(1)
  })
})

async function listen(app: Hono): Promise<number> {
  return new Promise((resolve) => {
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (info) => resolve(info.port))
  })
}

function head(headers: Record<string, string>): string {
  const { 'x-hub-signature-256': _unsigned, ...rest } = headersFor('')
  const lines = Object.entries({ host: '127.0.0.1', ...rest, ...headers }).map(([name, value]) => `${name}: ${value}`)
  return ['POST /webhooks/forge HTTP/1.1', ...lines, '', ''].join('\r\n')
}

/** Writes the parts as fast as the socket takes them and gives the first of the answer. */
async function raw(port: number, parts: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  // A server that has answered may stop reading: what is still being written then fails, and that is right.
  socket.on('error', () => {})
  for (const part of parts) socket.write(part)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return answer.toString('latin1')
}
