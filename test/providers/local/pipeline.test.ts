import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../controller/clock.ts'
import type { RunObservation } from '../../../controller/jobs/executor.ts'
import type { JobId } from '../../../controller/model/names.ts'
import { type LocalCommand, localPipeline } from '../../../controller/providers/local/pipeline.ts'
import { isAlive, processIdentity, readWhole } from '../../../controller/providers/local/run-files.ts'
import { JOB, trigger } from '../fixtures.ts'
import { compileSupervisor } from './compiled-supervisor.ts'

let supervisor: { folder: string; program: string }
const folders: string[] = []

beforeAll(() => {
  supervisor = compileSupervisor()
})
afterAll(() => {
  for (const folder of [supervisor.folder, ...folders]) rmSync(folder, { recursive: true, force: true })
})

const shell = (script: string, more: Partial<LocalCommand> = {}): LocalCommand => ({ argv: ['/bin/sh', '-c', script], ...more })

function room(
  commands: Record<string, LocalCommand>,
  more: { program?: string; killGraceMs?: number; clock?: ReturnType<typeof systemClock> } = {},
) {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'draven-local-'))
  folders.push(dataDirectory)
  const options = {
    commands,
    dataDirectory,
    supervisor: more.program ?? supervisor.program,
    clock: more.clock ?? systemClock(),
    killGraceMs: more.killGraceMs ?? 200,
  }
  return {
    pipeline: localPipeline(options),
    restarted: () => localPipeline(options),
    run: join(dataDirectory, 'local-runs', JOB),
    dataDirectory,
  }
}

type Room = ReturnType<typeof room>
const chosen = (selector: string) => ({ selector: { selector, workflowRef: null } })
const observe = ({ pipeline }: Pick<Room, 'pipeline'>, selector: string) =>
  pipeline.observe({ externalId: JOB, ...chosen(selector) })

async function until<T>(look: () => Promise<T> | T, wanted: (value: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 400; tries++) {
    const value = await look()
    if (wanted(value)) return value
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`still ${JSON.stringify(await look())}`)
}

const over = ({ state }: RunObservation) => !['queued', 'active'].includes(state)
const ended = (at: Pick<Room, 'pipeline'>, selector: string) => until(() => observe(at, selector), over)
const running = (at: Pick<Room, 'pipeline'>, selector: string) =>
  until(
    () => observe(at, selector),
    ({ state }) => state === 'active',
  )
const pidFrom = (file: string) =>
  until(
    () => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0),
    (pid) => pid > 0,
  )
const output = (at: Room) => readFileSync(join(at.run, 'output.log'), 'utf8')

/** A folder with one script that may not be executed and one whose interpreter is missing. */
function scripts(): string {
  const folder = mkdtempSync(join(tmpdir(), 'draven-scripts-'))
  folders.push(folder)
  writeFileSync(join(folder, 'plain'), '#!/bin/sh\n', { mode: 0o600 })
  writeFileSync(join(folder, 'lost'), '#!/nowhere/sh\n', { mode: 0o700 })
  return folder
}

describe('a process as a pipeline', () => {
  it('runs the command and reports its success', async () => {
    const at = room({ deploy: shell('echo out; echo err >&2') })
    expect(await at.pipeline.start(trigger(chosen('deploy')))).toEqual({
      kind: 'started',
      run: { externalId: JOB, externalAttempt: 1, url: null },
    })
    expect(await ended(at, 'deploy')).toEqual({ state: 'success', externalAttempt: 1, url: null, detail: 'exit code 0' })
    expect(output(at).split('\n').sort()).toEqual(['', 'err', 'out'])
  })

  it.each([
    ['an exit code', shell('exit 3'), 'failed', 'exit code 3'],
    ['a signal', shell('kill -KILL $$'), 'failed', 'ended by SIGKILL'],
    [
      'a program that is not there',
      { argv: ['/nowhere/deploy'] } as LocalCommand,
      'failed',
      'there is no program /nowhere/deploy',
    ],
    [
      'a name that PATH does not find',
      { argv: ['no-such-deploy'] } as LocalCommand,
      'failed',
      'there is no program no-such-deploy on PATH',
    ],
    [
      'a folder that is not there',
      { argv: ['/bin/true'], cwd: '/nowhere' } as LocalCommand,
      'failed',
      'the folder that `cwd` names does not exist',
    ],
    [
      'a file that is no program',
      { argv: ['./plain'], cwd: scripts() } as LocalCommand,
      'failed',
      './plain may not be executed; chmod +x makes a script a program',
    ],
    [
      'a script without its interpreter',
      { argv: ['./lost'], cwd: scripts() } as LocalCommand,
      'failed',
      './lost names a program in its first line that does not exist',
    ],
  ])('%s is a failure', async (_what, command, state, detail) => {
    const at = room({ deploy: command })
    await at.pipeline.start(trigger(chosen('deploy')))
    expect(await ended(at, 'deploy')).toMatchObject({ state, detail })
  })

  it('tells the command the five agreed names and nothing of its own environment', async () => {
    process.env['DRAVEN_SECRET_CANARY'] = 'canary'
    const at = room({ env: { argv: ['/usr/bin/env'] } })
    await at.pipeline.start(trigger({ ...chosen('env'), ref: 'x$(id)\nEVIL=1;`id`' }))
    await ended(at, 'env')
    delete process.env['DRAVEN_SECRET_CANARY']
    expect(output(at).trimEnd().split('\n').sort()).toEqual(
      [
        'ENV=prod',
        // One value of two lines, handed over as it is: no shell came near it.
        'EVIL=1;`id`',
        `JOB_ID=${JOB}`,
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'REF=x$(id)',
        `SHA=${'a'.repeat(40)}`,
        'TYPE=deploy',
      ].sort(),
    )
  })

  it.each(['rm -rf /', '/bin/sh', '../deploy', 'constructor', '__proto__', ''])(
    'refuses %j, which the controller did not configure',
    async (selector) => {
      const at = room({ deploy: shell('exit 0') })
      expect(await at.pipeline.start(trigger(chosen(selector)))).toMatchObject({
        kind: 'refused',
        retryAfterMs: null,
        unreachable: false,
      })
      expect(existsSync(join(at.dataDirectory, 'local-runs'))).toBe(false)
    },
  )

  it.each(['../../escape', '', 'x'.repeat(36), `${JOB}/..`])('refuses %j for a job id', async (jobId) => {
    const at = room({ deploy: shell('exit 0') })
    expect(await at.pipeline.start(trigger({ ...chosen('deploy'), jobId: jobId as JobId }))).toMatchObject({ kind: 'refused' })
    await expect(at.pipeline.find({ ...chosen('deploy'), jobId: jobId as JobId, intendedAt: 0 })).rejects.toThrow(/not a job id/)
    await expect(at.pipeline.observe({ ...chosen('deploy'), externalId: jobId })).rejects.toThrow(/not a job id/)
  })

  it('proves by not finding a run only for what is younger than its records', async () => {
    const at = room({})
    const query = { jobId: JOB, ...chosen('deploy'), intendedAt: Date.now() - 1_000 }
    expect(await at.pipeline.doubt(query)).toContain('on record only since')
    expect(await at.pipeline.doubt({ ...query, intendedAt: Date.now() + 1_000 })).toBeNull()
    expect(await at.restarted().doubt({ ...query, intendedAt: Date.now() + 1_000 })).toBeNull()
  })

  it('takes an existing run for its own instead of starting another one', async () => {
    const at = room({ deploy: shell('echo once') })
    const outcomes = await Promise.all(
      [1, 2, 3, 4].map((attempt) => at.pipeline.start(trigger({ ...chosen('deploy'), attempt }))),
    )
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1)
    await ended(at, 'deploy')
    await at.restarted().start(trigger(chosen('deploy')))
    expect(output(at)).toBe('once\n')
    expect(readdirSync(join(at.dataDirectory, 'local-runs')).filter((name) => !name.startsWith('.'))).toEqual([JOB])
  })

  it('finds a run by its job id, and none where none was started', async () => {
    const at = room({ deploy: shell('exit 0') })
    const wanted = { jobId: JOB, ...chosen('deploy'), intendedAt: Date.now() }
    expect(await at.pipeline.find(wanted)).toEqual([])
    await at.pipeline.start(trigger(chosen('deploy')))
    expect(await at.pipeline.find(wanted)).toEqual([{ externalId: JOB, externalAttempt: 1, url: null }])
    await ended(at, 'deploy')
  })

  it('keeps no more output than the cap and lets the command finish', async () => {
    const at = room({ chatty: shell('head -c 1000000 /dev/zero; exit 0') })
    await at.pipeline.start(trigger(chosen('chatty')))
    expect(await ended(at, 'chatty')).toMatchObject({ state: 'success' })
    expect(output(at).length).toBe(64 * 1024)
  })

  it('ends the whole group at the timeout, grandchildren that ignore the polite signal included', async () => {
    const at = room({
      slow: shell('trap "" TERM; sh -c \'trap "" TERM; echo $$ > grandchild; while :; do sleep 0.05; done\' & wait; wait', {
        timeoutMs: 300,
      }),
    })
    await at.pipeline.start(trigger(chosen('slow')))
    const grandchild = await pidFrom(join(at.dataDirectory, 'grandchild'))
    expect(await ended(at, 'slow')).toMatchObject({ state: 'timed_out', detail: 'ended by SIGKILL' })
    await until(
      () => processIdentity(grandchild),
      (identity) => identity === null,
    )
  })

  it('leaves nothing of a run behind when its first process ends', async () => {
    const at = room({ forks: shell("sh -c 'echo $$ > orphan; sleep 60' & while [ ! -s orphan ]; do sleep 0.02; done") })
    await at.pipeline.start(trigger(chosen('forks')))
    const orphan = await pidFrom(join(at.dataDirectory, 'orphan'))
    expect(await ended(at, 'forks')).toMatchObject({ state: 'success' })
    await until(
      () => processIdentity(orphan),
      (identity) => identity === null,
    )
  })

  it('ends although a process that left the group keeps the output open', async () => {
    const at = room({ daemon: shell("setsid sh -c 'echo $$ > daemon; sleep 60' & while [ ! -s daemon ]; do sleep 0.02; done") })
    await at.pipeline.start(trigger(chosen('daemon')))
    const daemon = await pidFrom(join(at.dataDirectory, 'daemon'))
    expect(await ended(at, 'daemon')).toMatchObject({ state: 'success' })
    process.kill(-daemon, 'SIGKILL')
  })

  it('cancels on request, and says so only once it is over', async () => {
    const at = room({ slow: shell('sleep 60') })
    await at.pipeline.start(trigger(chosen('slow')))
    await running(at, 'slow')
    await at.pipeline.cancel({ externalId: JOB })
    expect(await ended(at, 'slow')).toMatchObject({ state: 'canceled', detail: 'ended by SIGTERM' })
    await at.pipeline.cancel({ externalId: JOB })
    expect(await observe(at, 'slow')).toMatchObject({ state: 'canceled' })
  })

  it('follows a run that another process of the controller started before it was killed', async () => {
    const at = room({ deploy: shell('while [ ! -e go ]; do sleep 0.05; done; exit 7') })
    // A stand-in for the first controller: it starts the supervisor as the adapter does, and dies.
    mkdirSync(at.run, { recursive: true })
    const spec = {
      selector: 'deploy',
      argv: ['/bin/sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done; exit 7'],
      cwd: at.dataDirectory,
      env: {},
      timeoutMs: 60_000,
      killGraceMs: 200,
      maxOutputBytes: 100,
      createdAt: Date.now(),
    }
    writeFileSync(join(at.run, 'spec.json'), JSON.stringify(spec))
    const script = `require('child_process').spawn(process.execPath, ${JSON.stringify([supervisor.program, at.run])}, { detached: true, stdio: 'ignore' }).unref(); setInterval(() => {}, 1000)`
    const controller: ChildProcess = spawn(process.execPath, ['-e', script], { stdio: 'ignore', detached: true })
    await running(at, 'deploy')
    process.kill(-(controller.pid ?? 0), 'SIGKILL')
    expect(await observe(at, 'deploy')).toMatchObject({ state: 'active' })
    expect(await at.restarted().start(trigger(chosen('deploy')))).toMatchObject({ kind: 'started' })
    writeFileSync(join(at.dataDirectory, 'go'), '')
    expect(await ended({ pipeline: at.restarted() }, 'deploy')).toMatchObject({ state: 'failed', detail: 'exit code 7' })
  })

  it('has vanished when the supervisor was killed, and what it left behind is ended', async () => {
    const at = room({ slow: shell('sleep 60') })
    await at.pipeline.start(trigger(chosen('slow')))
    await running(at, 'slow')
    const mark = (name: string) => readWhole<{ pid: number; identity: string }>(at.run, name) ?? { pid: 0, identity: 'none' }
    const [watcher, command] = [mark('supervisor.json'), mark('started.json')]
    process.kill(watcher.pid, 'SIGKILL')
    expect(await ended(at, 'slow')).toMatchObject({ state: 'vanished', detail: 'the supervisor died before the command ended' })
    await until(
      () => isAlive(command),
      (alive) => !alive,
    )
  })

  it('does not take another process with the same number for its supervisor', async () => {
    const at = room({ slow: shell('sleep 60') })
    mkdirSync(at.run, { recursive: true })
    writeFileSync(join(at.run, 'spec.json'), JSON.stringify({ selector: 'slow', createdAt: 0 }))
    writeFileSync(join(at.run, 'supervisor.json'), JSON.stringify({ pid: process.pid, identity: 'an-earlier-boot:1' }))
    expect(await observe(at, 'slow')).toMatchObject({ state: 'vanished' })
  })

  it('waits a while for a supervisor to show itself, and then gives the run up', async () => {
    let now = 1_000
    const at = room(
      { deploy: shell('exit 0') },
      { program: '/nowhere/supervisor.js', clock: { ...systemClock(), now: () => now } },
    )
    expect(await at.pipeline.start(trigger(chosen('deploy')))).toMatchObject({ kind: 'started' })
    expect(await observe(at, 'deploy')).toMatchObject({ state: 'queued' })
    now += 15_000
    expect(await observe(at, 'deploy')).toMatchObject({ state: 'vanished', detail: 'the supervisor never started' })
  })

  it('does not know a run of another command or one that was never started', async () => {
    const at = room({ deploy: shell('exit 0'), other: shell('exit 0') })
    expect(await observe(at, 'deploy')).toMatchObject({ state: 'vanished', detail: 'there is no such local run' })
    await at.pipeline.start(trigger(chosen('deploy')))
    expect(await observe(at, 'other')).toMatchObject({ state: 'vanished', detail: 'the local run is of deploy, not of other' })
    await ended(at, 'deploy')
  })
})
