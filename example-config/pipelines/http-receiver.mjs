// A receiver for the provider `http`, small enough to read before you trust it. Node 20 or newer, no packages.
//
//   HOOK_SECRET=whsec_… PORT=8081 node http-receiver.mjs ./at-commit.sh REPOSITORY $PWD/draven-gate.sh run -- deploy/run.sh
//
// Starts the command once for each attempt that DRAVEN tells of, with JOB_ID, ENV, REF, SHA, TYPE and the callback in its environment, and
// tells how it goes. It forgets at a restart; what a run says by callbacks is heard all the same. Put TLS in front of it.
import { spawn } from 'node:child_process'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const { HOOK_SECRET = '', PORT = '8081', HOST = '127.0.0.1', PATH = '/usr/bin:/bin' } = process.env
const [program, ...args] = process.argv.slice(2)
if (!HOOK_SECRET.startsWith('whsec_') || program === undefined) throw new Error('set HOOK_SECRET=whsec_… and name a command')
const KEY = Buffer.from(HOOK_SECRET.slice('whsec_'.length), 'base64')
const TOLERANCE_SECONDS = 300
const MAX_BODY_BYTES = 64 * 1024

/** By job id. */
const runs = new Map()
const seen = new Set()

/** Standard Webhooks; a call without a body signs its method and address instead. */
function isAuthentic({ method, url, headers }, body) {
  const [id, timestamp] = [headers['webhook-id'] ?? '', headers['webhook-timestamp'] ?? '']
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < TOLERANCE_SECONDS)) return false
  const wanted = createHmac('sha256', KEY)
    .update(`${id}.${timestamp}.${method === 'POST' ? body : `${method} ${url}`}`)
    .digest()
  return (headers['webhook-signature'] ?? '').split(' ').some((part) => {
    const claimed = Buffer.from(part.replace(/^v1,/, ''), 'base64')
    return claimed.length === wanted.length && timingSafeEqual(claimed, wanted)
  })
}

function start(told, id) {
  if (seen.has(id)) return
  seen.add(id)
  const { job_id: JOB_ID, env: ENV, ref: REF, sha: SHA, type: TYPE, callback_url, callback_token } = told
  const callback = callback_url === null ? {} : { CALLBACK_URL: callback_url, CALLBACK_TOKEN: callback_token }
  // Arguments and environment, no shell: nothing that was told becomes a command.
  const env = { PATH, JOB_ID, ENV, REF, SHA, TYPE, ...callback, DRAVEN_RUN: id }
  const child = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  const run = { state: 'running', detail: null, started_at: new Date().toISOString(), ended_at: null, child, asked: false }
  runs.set(JOB_ID, run)
  const end = (state, detail) => Object.assign(run, { state, detail, ended_at: new Date().toISOString() })
  child.on('error', (error) => end('failed', error.message))
  child.on('exit', (code, signal) => {
    if (run.asked) end('canceled', null)
    else end(code === 0 ? 'succeeded' : 'failed', signal === null ? `exit code ${code}` : `ended by ${signal}`)
  })
}

function stop(run) {
  if (run === undefined || run.state !== 'running') return
  run.asked = true
  try {
    process.kill(-run.child.pid, 'SIGTERM')
  } catch {
    // It has ended by itself in the meantime.
  }
}

function answer(request, body, respond) {
  if (!isAuthentic(request, body)) return respond(401, { error: 'the signature does not fit' })
  if (request.method === 'POST') {
    start(JSON.parse(body), request.headers['webhook-id'])
    return respond(202, {})
  }
  const run = runs.get(new URL(request.url, 'http://here').searchParams.get('job_id'))
  if (request.method === 'DELETE') {
    stop(run)
    return respond(202, {})
  }
  if (request.method !== 'GET') return respond(405, {})
  const { child: _, asked: __, ...told } = run ?? {}
  return respond(200, { run: run === undefined ? null : told })
}

const server = createServer((request, response) => {
  const chunks = []
  let size = 0
  const respond = (status, told) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(told))
  request.on('data', (chunk) => {
    size += chunk.length
    if (size > MAX_BODY_BYTES) return request.destroy()
    chunks.push(chunk)
  })
  request.on('end', () => {
    try {
      answer(request, Buffer.concat(chunks).toString(), respond)
    } catch {
      respond(400, { error: 'this is not understood' })
    }
  })
})
server.listen(Number(PORT), HOST, () => console.log(`listening on ${server.address().port}`))
