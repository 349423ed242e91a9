import { Buffer } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { GitPrograms } from './programs.ts'
import { GIT_ENVIRONMENT } from './repository.ts'

export interface SmartHttpRequest {
  programs: GitPrograms
  /** Folder that holds the repositories. */
  root: string
  /** `/<owner>/<name>.git/info/refs` and the like. */
  path: string
  query: string
  /** Login, for the reflog; git accepts a push only from a named user. */
  user: string
  /** Runs when git is done and before the answer ends, so that the client finds all consequences of a push in place. */
  beforeEnd(): Promise<void>
}

/** Serves one request of git's smart protocol by git's own CGI program; resolves when the answer was sent. */
export async function serveGit(request: SmartHttpRequest, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const input = await buffer(incoming)
  const { code, out, err } = await request.programs.run({ args: ['http-backend'], env: cgiEnvironment(request, incoming), input })
  const answer = Buffer.from(out)
  const end = answer.indexOf('\r\n\r\n')
  if (end < 0) outgoing.writeHead(500, { 'content-type': 'text/plain' })
  else writeHead(outgoing, answer.subarray(0, end).toString('latin1'))
  await request.beforeEnd()
  await new Promise<void>((resolve) => {
    const trouble = `git http-backend ended with ${code}: ${Buffer.from(err).toString('utf8')}`
    outgoing.end(end < 0 ? trouble : answer.subarray(end + 4), () => resolve())
    // Also when the client has gone: nobody is left to read.
    if (outgoing.destroyed) resolve()
  })
}

function writeHead(outgoing: ServerResponse, text: string): void {
  let status = 200
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10)
    else outgoing.setHeader(name, value)
  }
  outgoing.writeHead(status)
}

function cgiEnvironment(request: SmartHttpRequest, incoming: IncomingMessage): Record<string, string> {
  const header = (name: string) => String(incoming.headers[name] ?? '')
  return {
    ...GIT_ENVIRONMENT,
    GIT_PROJECT_ROOT: request.root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: request.path,
    QUERY_STRING: request.query,
    REQUEST_METHOD: incoming.method ?? 'GET',
    CONTENT_TYPE: header('content-type'),
    ...(incoming.headers['content-length'] ? { CONTENT_LENGTH: header('content-length') } : {}),
    HTTP_CONTENT_ENCODING: header('content-encoding'),
    GIT_PROTOCOL: header('git-protocol'),
    REMOTE_USER: request.user,
    REMOTE_ADDR: '127.0.0.1',
  }
}
