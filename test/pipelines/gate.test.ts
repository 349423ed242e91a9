import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HttpServer, openHttpServer } from '../../controller/http-server.ts'
import type { CallbackAnswer, CallbackMessage } from '../../controller/jobs/callback.ts'
import { silentLogger } from '../../controller/log.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import { GATE, noCurl, RUN } from './files.ts'

const TOKEN = `dcb_${'a'.repeat(43)}`
const JOB = '3f2504e0-4f89-51d3-9a0c-0305e82c3301'
const STOP: CallbackAnswer = { kind: 'stop', code: 'cancel_asked', reason: 'The request was withdrawn.' }

interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

describe.skipIf(noCurl).each(['sh', 'bash'])('the gate script under %s', (shell) => {
  let heard: CallbackMessage[]
  let answer: (message: CallbackMessage) => CallbackAnswer | Error
  let server: HttpServer
  let folder: string

  beforeEach(async () => {
    heard = []
    answer = () => ({ kind: 'accepted' })
    folder = mkdtempSync(join(tmpdir(), 'draven-gate-'))
    const app = new Hono()
    const desk = async (_job: string, token: string, message: CallbackMessage): Promise<CallbackAnswer> => {
      heard.push(message)
      const said = token === TOKEN ? answer(message) : ({ kind: 'unknown' } as const)
      if (said instanceof Error) throw said
      return said
    }
    app.route('/', callbackApp({ answer: desk, log: silentLogger }))
    server = await openHttpServer(app, { host: '127.0.0.1', port: 0 })
  })
  afterEach(async () => {
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function gate(args: readonly string[], env: Record<string, string> = {}, onOutput = (_: ChildProcess) => {}): Promise<Ran> {
    const base = {
      PATH: process.env['PATH'] ?? '',
      TMPDIR: folder,
      CALLBACK_URL: `${server.url}/callbacks/jobs/${JOB}`,
      CALLBACK_TOKEN: TOKEN,
      DRAVEN_RUN: 'run "1"',
      DRAVEN_EVERY_SECONDS: '0.2',
    }
    return new Promise((resolve) => {
      const child = spawn(shell, [GATE, ...args], { env: { ...base, ...env }, cwd: folder })
      const ran: Ran = { code: null, stdout: '', stderr: '' }
      child.stdout.on('data', (text) => {
        ran.stdout += text
        onOutput(child)
      })
      child.stderr.on('data', (text) => (ran.stderr += text))
      child.on('close', (code) => resolve({ ...ran, code }))
    })
  }

  function script(text: string): string {
    const path = join(folder, 'command.sh')
    writeFileSync(path, `#!/bin/sh\n${text}\n`)
    chmodSync(path, 0o755)
    return path
  }
  const lines = () => heard.flatMap((message) => (message.type === 'log' ? message.lines : []))
  const result = () => heard.find((message) => message.type === 'result')

  it('is told to go on, and says so', async () => {
    expect(await gate(['claim'])).toMatchObject({ code: 0, stderr: 'draven: go on\n' })
    expect(heard).toEqual([{ type: 'claim', run: 'run "1"', sha: null }])
  })

  it('tells which commit is checked out where it stands, detached or not, and none where nothing is', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' }).trim()
    git('init', '-q', '-b', 'main')
    await gate(['claim'])
    git('commit', '-q', '--allow-empty', '-m', 'one')
    const one = git('rev-parse', 'HEAD')
    await gate(['claim'])
    git('commit', '-q', '--allow-empty', '-m', 'two')
    // What a name stands for is not asked of Git's guesses.
    git('update-ref', 'refs/heads/HEAD', 'HEAD')
    git('checkout', '-q', '--detach', one)
    await gate(['run', '--', 'true'])
    expect(heard.flatMap((message) => (message.type === 'claim' ? [message.sha] : []))).toEqual([null, one, one])
  })

  it('does nothing, and says which commit is wrong, when it is told so', async () => {
    const reason = `This run has checked out ${'f'.repeat(40)}, not the approved commit ${'a'.repeat(40)}.`
    answer = () => ({ kind: 'stop', code: 'commit_mismatch', reason })
    const ran = await gate(['run', '--', script('echo acted')])
    expect(ran).toMatchObject({ code: 1, stdout: '', stderr: `draven: stop: ${reason}\n` })
    expect(result()).toEqual({ type: 'result', run: 'run "1"', result: 'canceled', text: reason })
  })

  it.each([
    ['is taken', (): CallbackAnswer => ({ kind: 'accepted' })],
    ['is refused as well', () => STOP],
    ['gets no answer', () => new Error('disk full')],
  ])('does nothing once it was told to stop, also when what it says of that %s', async (_, afterwards) => {
    answer = () => (heard.length > 1 ? afterwards() : STOP)
    const ran = await gate(['run', '--', script('echo acted')])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(result()).toMatchObject({ result: 'canceled' })
  })

  it('stops with the reason when it is told to', async () => {
    answer = () => STOP
    expect(await gate(['claim'])).toMatchObject({ code: 1, stderr: 'draven: stop: The request was withdrawn.\n' })
    const path = script('echo acted')
    expect(await gate(['run', '--', path])).toMatchObject({ code: 1, stdout: '' })
  })

  it.each([
    ['a token that is not known', { CALLBACK_TOKEN: `dcb_${'b'.repeat(43)}` }, 1],
    ['no token', { CALLBACK_TOKEN: '' }, 2],
    ['no address', { CALLBACK_URL: '' }, 2],
    ['no name of its own', { DRAVEN_RUN: '' }, 2],
  ])('does nothing with %s', async (_what, env, code) => {
    const ran = await gate(['run', '--', script('echo acted')], env)
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toContain('stop: ')
  })

  it('names its run by what the system that runs it tells', async () => {
    await gate(['claim'], { DRAVEN_RUN: '', GITHUB_RUN_ID: '77', GITHUB_RUN_ATTEMPT: '2' })
    await gate(['claim'], { DRAVEN_RUN: '', CI_PIPELINE_ID: '5', CI_JOB_ID: '6' })
    await gate(['claim'], { DRAVEN_RUN: '', BUILD_TAG: 'jenkins-shop-9' })
    await gate(['claim'], { DRAVEN_RUN: '', BITBUCKET_STEP_UUID: '{8}', BITBUCKET_STEP_RUN_NUMBER: '2' })
    expect(heard).toMatchObject([{ run: '77/2' }, { run: '5/6' }, { run: 'jenkins-shop-9' }, { run: '{8}/2' }])
  })

  it('asks again when the answer does not come, and does nothing when none ever does', async () => {
    let failures = 2
    answer = () => (failures-- > 0 ? new Error('disk full') : { kind: 'accepted' })
    expect(await gate(['claim'])).toMatchObject({ code: 0 })
    expect(heard).toHaveLength(3)
  })

  it('runs the command, shows and sends its lines by stream, and tells how it ended', async () => {
    const path = script(
      `printf 'one\\ntwo "quoted" \\\\ back\\tslash\\n'; printf '\\033[31mred\\033[0m\\n' >&2; printf 'no end'; exit 3`,
    )
    const ran = await gate(['run', '--', path])
    expect(ran).toMatchObject({ code: 3, stdout: 'one\ntwo "quoted" \\ back\tslash\nno end\n' })
    expect(lines().filter(({ stream }) => stream === 'stdout')).toEqual([
      { stream: 'stdout', text: 'one' },
      { stream: 'stdout', text: 'two "quoted" \\ back\tslash' },
      { stream: 'stdout', text: 'no end' },
    ])
    expect(lines().filter(({ stream }) => stream === 'stderr')).toEqual([{ stream: 'stderr', text: 'red' }])
    expect(result()).toEqual({ type: 'result', run: 'run "1"', result: 'failed', text: 'exit code 3' })
  })

  it('sends a long log in order, whole, in calls of a size that is taken', async () => {
    const path = script(`i=0; while [ $i -lt 95 ]; do i=$((i+1)); printf '%s %01500d\\n' $i 0 | tr 0 '"'; done`)
    expect(await gate(['run', '--', path])).toMatchObject({ code: 0 })
    expect(lines().map(({ text }) => Number(text.split(' ')[0]!.replaceAll('"', '0')))).toEqual(
      Array.from({ length: 95 }, (_, index) => Number(String(index + 1))),
    )
    expect(result()).toMatchObject({ result: 'succeeded', text: 'exit code 0' })
  })

  it('ends the command when it is told to stop, and tells that it did not succeed', async () => {
    answer = (message) => (message.type === 'log' ? STOP : { kind: 'accepted' })
    const path = script(`trap 'echo cleaned up; exit 0' TERM; echo begun; while :; do sleep 0.1; done`)
    const ran = await gate(['run', '--', path])
    expect(ran).toMatchObject({ code: 1, stdout: 'begun\ncleaned up\n' })
    expect(ran.stderr).toContain('stop: The request was withdrawn.')
    expect(result()).toMatchObject({ result: 'canceled', text: 'The request was withdrawn.' })
  })

  it('ends the command when it is ended itself, and tells so', async () => {
    const ran = await gate(['run', '--', script('echo begun; exec sleep 20')], {}, (child) => child.kill('SIGTERM'))
    expect(ran.code).not.toBe(0)
    expect(result()).toMatchObject({ result: 'canceled', text: 'A signal ended it.' })
  })

  it('hears that it has to stop although its command prints nothing', async () => {
    answer = (message) => (message.type === 'log' ? STOP : { kind: 'accepted' })
    expect(await gate(['run', '--', 'sleep', '20'])).toMatchObject({ code: 143 })
  })

  it('lets the command go on while nobody can be told', async () => {
    let away = true
    answer = (message) => {
      if (message.type !== 'log') return { kind: 'accepted' }
      if (!away) return { kind: 'accepted' }
      away = false
      return new Error('disk full')
    }
    expect(await gate(['run', '--', script('echo one; sleep 0.6; echo two')])).toMatchObject({ code: 0 })
    expect(lines().map(({ text }) => text)).toEqual(['one', 'one', 'two'])
  })

  it('shows its token to nobody: not in its output, nor in the list of processes', async () => {
    const path = script(
      'ps -ef -ww 2>/dev/null || cat /proc/[0-9]*/cmdline | tr "\\\\0" " "; sleep 0.5; cat /proc/[0-9]*/cmdline | tr "\\\\0" " "',
    )
    const ran = await gate(['run', '--', path])
    expect(ran.stdout).toContain('draven-gate.sh')
    expect(ran.stdout + ran.stderr).not.toContain(TOKEN)
  })

  it('tells how far it is', async () => {
    expect(await gate(['progress', 'half "way"'])).toMatchObject({ code: 0, stderr: '' })
    expect(heard).toEqual([{ type: 'progress', run: 'run "1"', text: 'half "way"' }])
    answer = () => STOP
    expect(await gate(['progress', 'more'])).toMatchObject({ code: 1 })
  })
})

describe('deploy/run.sh', () => {
  const SHA = 'a'.repeat(40)
  function run(env: Record<string, string>, ...args: string[]): Promise<Ran> {
    return new Promise((resolve) => {
      const child = spawn('sh', [RUN, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env } })
      const ran: Ran = { code: null, stdout: '', stderr: '' }
      child.stdout.on('data', (text) => (ran.stdout += text))
      child.stderr.on('data', (text) => (ran.stderr += text))
      child.on('close', (code) => resolve({ ...ran, code }))
    })
  }
  const told = { ENV: 'prod', SHA, TYPE: 'deploy', REF: 'v1.4.2' }

  it.each([
    ['deploy', 'task deploy'],
    ['rollback', 'going back to'],
    ['dry_run', 'would bring'],
  ])('does what TYPE=%s says', async (TYPE, words) => {
    const ran = await run({ ...told, TYPE })
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(ran.stdout).toContain(words)
    expect(ran.stdout.includes('task deploy')).toBe(TYPE !== 'dry_run')
  })

  it('does one task by name', async () => {
    expect((await run(told, 'info')).stdout).not.toContain('task deploy')
  })

  it.each([
    ['an unknown task', { ...told, TYPE: 'destroy' }],
    ['an environment that is none', { ...told, ENV: 'prod; rm -rf /' }],
    ['a commit that is none', { ...told, SHA: 'HEAD' }],
    ['nothing told', {}],
  ])('refuses %s', async (_what, env: Record<string, string>) => {
    const ran = await run(env)
    expect(ran.code).not.toBe(0)
    expect(ran.stdout).toBe('')
  })
})
