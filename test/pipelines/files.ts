import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import type { Forge } from '../sandbox/forge.ts'

/** The files that people copy into their repositories. */
export const PIPELINES = resolve(import.meta.dirname, '../../example-config/pipelines')
export const GATE = join(PIPELINES, 'draven-gate.sh')
export const AT_COMMIT = join(PIPELINES, 'at-commit.sh')
export const RUN = join(PIPELINES, 'deploy/run.sh')

/** For `describe.skipIf(noCurl)`: the gate is a shell script. Where CI wants everything to run (CI_DATABASES=required) it fails. */
export const noCurl = whyNoCurl()

function whyNoCurl(): boolean {
  if (spawnSync('curl', ['--version']).status === 0) return false
  if (process.env['CI_DATABASES'] === 'required') throw new Error('there is no curl')
  console.warn('skipped, there is no curl')
  return true
}

export function pipelineFile(name: string): string {
  return readFileSync(join(PIPELINES, name), 'utf8')
}

/** Where a runner that may read a repository fetches it from. */
export function fetchUrl(forge: Forge, repo: string): string {
  return Object.assign(new URL(forge.gitUrl(repo)), { username: 'x-access-token', password: forge.token('alice') }).href
}

/** A port that was free a moment ago: pipelines must be told an address before anything listens there. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Settings with which pipelines on this machine reach a controller. */
export async function reachable(env: Record<string, string>): Promise<void> {
  const port = await freePort()
  Object.assign(env, { DRAVEN_LISTEN: `127.0.0.1:${port}`, DRAVEN_PUBLIC_URL: `http://127.0.0.1:${port}` })
}
