import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HttpServer, openHttpServer } from '../../controller/http-server.ts'
import type { CallbackAnswer, CallbackMessage } from '../../controller/jobs/callback.ts'
import type { Trigger } from '../../controller/jobs/executor.ts'
import { silentLogger } from '../../controller/log.ts'
import { type CommitSha, commitSha } from '../../controller/model/names.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import { trigger as anyTrigger, connect, JOB, manualClock, project, TOKEN_REF } from '../providers/fixtures.ts'
import { type Bitbucket, startBitbucket } from '../sandbox/bitbucket/forge.ts'
import { GATE, pipelineFile } from './files.ts'

const SHOP = 'acme/shop'
const FILE = 'bitbucket-pipelines.yml'
const TOKEN = `dcb_${'a'.repeat(43)}`
const runs = (content: string) => ({ mode: '100755', content }) as const

describe('the pipelines of Bitbucket that people copy', () => {
  let forge: Bitbucket
  let root: string
  let sha: CommitSha
  let server: HttpServer
  let heard: CallbackMessage[]
  let answer: CallbackAnswer

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'draven-bitbucket-'))
    forge = await startBitbucket({ clock: manualClock(), root, pipelines: 'process' })
    const files = {
      [FILE]: pipelineFile(FILE),
      'deploy/run.sh': runs('#!/bin/sh\necho "$TYPE $REF to $ENV by $JOB_ID: $(cat VERSION), $SHA"\n'),
      'deploy/draven-gate.sh': runs(readFileSync(GATE, 'utf8')),
      VERSION: 'one',
    }
    await forge.createRepo(SHOP, { files })
    forge.user('draven-bot', { type: 'app_user' })
    forge.addMember(SHOP, 'draven-bot', 'write')
    sha = commitSha((await forge.sha(SHOP, 'main')) ?? '')
    await forge.createTag(SHOP, 'v1.4.2', sha, { as: 'acme' })
    // What moves afterwards changes nothing about what was approved.
    await forge.commit(SHOP, 'main', { VERSION: 'two' }, { as: 'acme' })
    heard = []
    answer = { kind: 'accepted' }
    const app = new Hono()
    const desk = async (_job: string, token: string, message: CallbackMessage): Promise<CallbackAnswer> => {
      heard.push(message)
      return token === TOKEN ? answer : { kind: 'unknown' }
    }
    app.route('/', callbackApp({ answer: desk, log: silentLogger }))
    server = await openHttpServer(app, { host: '127.0.0.1', port: 0 })
  })
  afterEach(async () => {
    forge.assertClean()
    await server.close()
    await forge.close()
    rmSync(root, { recursive: true, force: true })
  })

  function pipeline() {
    const bitbucket = { apiUrl: forge.apiUrl, tokenRef: TOKEN_REF, email: null }
    const env = { DRAVEN_SECRET_FORGE: forge.token('draven-bot') }
    return connect({ github: null, bitbucket, env, clock: manualClock() }).connections.pipeline(
      project({ provider: 'bitbucket' }),
    )
  }
  async function ran(more: Partial<Trigger> = {}) {
    const selector = { selector: 'custom:deploy-prod', workflowRef: null }
    const wanted = anyTrigger({ sha, selector, intendedAt: manualClock().now(), ...more })
    const outcome = await pipeline().start(wanted)
    await forge.settle()
    const made = forge.pipelines(SHOP).at(-1)
    return { wanted, outcome, made, log: made?.steps.map((step) => step.log).join('') ?? '' }
  }

  it.each(['deploy-stage', 'deploy-demo', 'deploy-prod'])(
    'run %s on exactly the approved commit, and say whose they are',
    async (name) => {
      const { wanted, outcome, made, log } = await ran({ selector: { selector: `custom:${name}`, workflowRef: null } })
      expect(log).toBe(`deploy v1.4.2 to prod by ${JOB}: one, ${sha}\n`)
      expect(made?.word).toBe('SUCCESSFUL')
      // No variables are told here: it is found by what it said itself.
      const found = outcome.kind === 'started' ? [outcome.run] : []
      expect(await pipeline().find(wanted)).toEqual(found)
      expect(found).toHaveLength(1)
    },
  )

  it('deploy nothing where they cannot say whose they are', async () => {
    forge.faults.add({ on: 'reports/put', kind: 'error_before', times: 10 })
    const definition = pipelineFile(FILE).replace('--retry 5', '--retry 0')
    const commit = commitSha(await forge.commit(SHOP, 'main', { [FILE]: definition }, { as: 'acme' }))
    const { made, log } = await ran({ sha: commit, ref: 'main', refType: 'branch' })
    expect(made?.word).toBe('FAILED')
    expect(log).not.toContain('to prod')
  })

  it('deploy nothing on another commit than they were told', async () => {
    const selector = { selector: 'custom:deploy-prod', workflowRef: 'main' }
    const { made, log } = await ran({ selector })
    expect(made?.word).toBe('FAILED')
    expect(log).toBe('')
  })

  it('ask before they act where the project has callbacks, by a name of their own', async () => {
    const callback = { url: `${server.url}/callbacks/jobs/${JOB}`, token: TOKEN }
    const { made, log } = await ran({ callback })
    expect(heard).toContainEqual({ type: 'claim', run: `${made?.steps[0]?.uuid}/1`, sha })
    expect(log).toContain(`by ${JOB}: one`)
    expect(made).toMatchObject({ word: 'SUCCESSFUL', secured: new Set(['CALLBACK_TOKEN']) })
  })

  it('deploy nothing when they are told to stop', async () => {
    answer = { kind: 'stop', code: 'cancel_asked', reason: 'The request was withdrawn.' }
    const { made, log } = await ran({ callback: { url: `${server.url}/callbacks/jobs/${JOB}`, token: TOKEN } })
    expect(made?.word).toBe('FAILED')
    expect(log).toContain('stop: The request was withdrawn.')
    expect(log).not.toContain('to prod')
  })
})
