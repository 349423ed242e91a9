import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type HttpServer, openHttpServer } from '../../controller/http-server.ts'
import type { CallbackMessage } from '../../controller/jobs/callback.ts'
import { silentLogger } from '../../controller/log.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import { GATE, noCurl, pipelineFile } from './files.ts'

const JOB = '3f2504e0-4f89-51d3-9a0c-0305e82c3301'

interface CiFile {
  workflow: { name: string; rules: { if: string }[] }
  deploy: { rules: { if: string }[]; retry: number; script: string[] }
}

describe.skipIf(noCurl)('the pipeline for GitLab, with the gate', () => {
  const file = parse(pipelineFile('gitlab-ci.yml')) as CiFile
  let root: string
  let server: HttpServer
  const heard: CallbackMessage[] = []
  const git = (folder: string, ...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' }).trim()

  /** A repository whose old commit has no gate, and says so when it is deployed; and a check-out of its default branch. */
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'draven-gitlab-ci-'))
    const origin = join(root, 'origin')
    mkdirSync(join(origin, 'deploy'), { recursive: true })
    git(root, 'init', '-q', '-b', 'main', origin)
    git(origin, 'config', 'uploadpack.allowAnySHA1InWant', 'true')
    writeFileSync(join(origin, 'deploy/run.sh'), '#!/bin/sh\necho "the old commit goes to $ENV as $TYPE"\n')
    chmodSync(join(origin, 'deploy/run.sh'), 0o755)
    git(origin, 'add', '.')
    git(origin, 'commit', '-qm', 'old')
    writeFileSync(join(origin, 'deploy/run.sh'), '#!/bin/sh\necho "the wrong commit"\n')
    copyFileSync(GATE, join(origin, 'deploy/draven-gate.sh'))
    git(origin, 'add', '.')
    git(origin, 'commit', '-qm', 'new')
    git(root, 'clone', '-q', '--depth', '1', `file://${origin}`, 'checkout')
    const answer = async (_job: string, _token: string, message: CallbackMessage) => {
      heard.push(message)
      return { kind: 'accepted' as const }
    }
    server = await openHttpServer(callbackApp({ answer, log: silentLogger }), { host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    await server.close()
    rmSync(root, { recursive: true, force: true })
  })

  it('is named by its job, so that it can be found, and is never tried again by itself', () => {
    expect(file.workflow.name).toContain('$JOB_ID')
    expect(file.deploy).toMatchObject({ retry: 0, rules: [{ if: expect.stringContaining('$JOB_ID') }] })
  })

  it('deploys the approved commit by the gate of the branch that defines it', async () => {
    const folder = join(root, 'checkout')
    const told = {
      JOB_ID: JOB,
      ENV: 'prod',
      REF: 'v1.0.0',
      TYPE: 'rollback',
      SHA: git(join(root, 'origin'), 'rev-parse', 'HEAD~1'),
    }
    const ci = { CI_PROJECT_DIR: folder, CI_PIPELINE_ID: '5', CI_JOB_ID: '6', GIT_CONFIG_GLOBAL: '/dev/null' }
    const callback = { CALLBACK_URL: `${server.url}/callbacks/jobs/${JOB}`, CALLBACK_TOKEN: `dcb_${'a'.repeat(43)}` }
    const env = { PATH: process.env['PATH'] ?? '', DRAVEN_EVERY_SECONDS: '0.2', ...told, ...ci, ...callback }
    const script = ['set -e', ...file.deploy.script].join('\n')
    const code = await new Promise((resolve) => {
      spawn('sh', ['-c', script], { cwd: folder, env, stdio: 'ignore' }).on('close', resolve)
    })
    expect(code).toBe(0)
    expect(heard).toEqual([
      { type: 'claim', run: '5/6', sha: told.SHA },
      { type: 'log', run: '5/6', lines: [{ stream: 'stdout', text: 'the old commit goes to prod as rollback' }] },
      { type: 'result', run: '5/6', result: 'succeeded', text: 'exit code 0' },
    ])
    expect(readFileSync(join(folder, 'deploy/run.sh'), 'utf8')).toContain('the old commit')
  })
})
