import { copyFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Job } from '../../controller/jobs/job.ts'
import type { Seams } from '../../controller/main.ts'
import { DEPLOY_WORKFLOW } from '../sandbox/forge-fixture.ts'
import { environmentFile, requestFile, SHOP_PROJECT, SHOP_REPO } from './config-files.ts'
import { auditRows, passes } from './proposal.ts'
import { openScene, type Scene } from './scene.ts'

/**
 * The database is lost, at each moment in the life of a job, and a new controller begins with an empty one on the same config
 * repository. Git and the provider tell it what it may know; the rest is said not to be known. Nothing runs twice.
 */
const PHASES = ['merged', 'approving', 'queued', 'intended', 'unanswered', 'running', 'unseen-end', 'ended'] as const
type Phase = (typeof PHASES)[number]

const DISPATCH = 'actions/create-workflow-dispatch'
const LIST_RUNS = 'actions/list-workflow-runs'
const ALWAYS = Number.POSITIVE_INFINITY
/** A merged pull request that is not listed by then never was one. */
const PAST_GRACE_MS = 31 * SECOND_MS
/** A run that was just started may not show before. */
const PAST_VISIBILITY_MS = 121 * SECOND_MS

let scene: Scene
const pathOf = (phase: string, name = 'request') => `requests/shop/${phase}/${name}.yaml`

afterAll(() => scene?.close())

async function loseDatabase(): Promise<void> {
  await scene.controller.stop()
  const data = scene.env['DRAVEN_DATA_DIR']!
  for (const name of await readdir(data)) if (name.startsWith('draven.db')) await rm(join(data, name))
}

async function merge(path: string, content = requestFile('branch: develop')): Promise<number> {
  const pull = await scene.propose({ [path]: content })
  await scene.merge(pull)
  return pull
}

/** A new life, some time after which no list of pull requests lags behind any more. */
async function startAnew(): Promise<void> {
  await scene.begin()
  scene.clock.advance(PAST_GRACE_MS)
}

function runOf(path: string): number {
  return scene.forge.liveRuns().find((run) => run.jobId === scene.jobId(path))!.runId
}

function triggers(path: string): number {
  return scene.forge.triggerCount(scene.jobId(path))
}

async function isClean(): Promise<void> {
  expect(await scene.controller.store.state.unit('test.locks', (tx) => tx.locks.all())).toEqual([])
  expect(await verifyChain(scene.controller.store.auditRows())).toMatchObject({ ok: true })
  scene.forge.assertClean()
}

async function actionsOf(path: string): Promise<string[]> {
  const id = scene.jobId(path)
  return (await auditRows(scene)).filter((row) => row.jobId === id).map((row) => row.action)
}

describe('a controller whose database was lost', () => {
  let approvingPull: number
  /** What each job was told to be right after the new start. */
  const seen = new Map<string, Job>()

  beforeAll(async () => {
    scene = await openScene({ actions: 'manual', idle: true, config: environments() })
    let hangUp: () => void = () => {}
    await scene.begin(
      hangingOn(
        pathOf('intended'),
        new Promise((_, reject) => {
          hangUp = () => reject(new Error('the process ended'))
        }),
      ),
    )
    for (const phase of ['ended', 'running', 'unseen-end'] as const) await merge(pathOf(phase))
    await merge(pathOf('queued', '1-first'))
    for (const path of [pathOf('ended'), pathOf('running'), pathOf('unseen-end'), pathOf('queued', '1-first')]) {
      await scene.until(path, (job) => job.reason.code === 'run_queued')
      scene.forge.startRun(runOf(path))
    }
    await merge(pathOf('queued', '2-second'))
    await scene.until(pathOf('queued', '2-second'), (job) => job.reason.code === 'lock_held')
    scene.forge.finishRun(runOf(pathOf('ended')), 'success')
    await scene.ended(pathOf('ended'))

    approvingPull = await scene.propose({ [pathOf('approving')]: requestFile('tag: v1.4.2') })
    await scene.shown(approvingPull)
    await scene.approve(approvingPull, 'bob')
    await scene.merge(approvingPull)
    await scene.until(pathOf('approving'), (job) => job.status === 'waiting_approval')

    scene.forge.faults.add({ on: DISPATCH, kind: 'accept_then_drop' })
    await merge(pathOf('unanswered'))
    await scene.eventually('a trigger without an answer', () => triggers(pathOf('unanswered')) === 1)
    await merge(pathOf('intended'))
    await scene.until(pathOf('intended'), (job) => job.reason.code === 'trigger_pending')

    hangUp()
    await loseDatabase()
    scene.forge.finishRun(runOf(pathOf('unseen-end')), 'failure')
    await merge(pathOf('merged'))
    scene.clock.advance(SECOND_MS)
    await scene.begin()
    for (const phase of ['ended', 'unseen-end']) seen.set(phase, await scene.ended(pathOf(phase)))
    for (const path of [pathOf('running'), pathOf('unanswered'), pathOf('queued', '1-first')]) {
      await scene.until(path, (job) => job.status === 'running')
    }
    await passes(scene)
    for (const path of [...PHASES.map((phase) => pathOf(phase)), pathOf('queued', '1-first'), pathOf('queued', '2-second')]) {
      const job = await scene.job(path)
      if (job !== null) seen.set(path, job)
    }
    scene.clock.advance(PAST_VISIBILITY_MS)
    await passes(scene)
  }, 90_000)

  function told(path: string) {
    const { status, reason } = seen.get(path)!
    return { status, code: reason.code }
  }

  async function endsOnce(path: string, status: Job['status'] = 'success'): Promise<Job> {
    await scene.eventually(`a run of ${path}`, () => triggers(path) === 1)
    await scene.until(path, (job) => job.status !== 'queued' && job.reason.code !== 'trigger_pending')
    if ((await scene.job(path))!.status === 'running') scene.forge.finishRun(runOf(path), 'success')
    const job = await scene.ended(path)
    expect(job.status).toBe(status)
    expect(triggers(path)).toBe(1)
    return job
  }

  it('starts what was just merged once, after a last look for a run of it', async () => {
    expect(told(pathOf('merged'))).toEqual({ status: 'queued', code: 'check_unavailable' })
    expect(seen.get(pathOf('merged'))!.reason.text).toContain('asked once more')
    await endsOnce(pathOf('merged'))
  })

  it('starts what was intended and never sent once, after a last look for a run of it', async () => {
    expect(told(pathOf('intended'))).toEqual({ status: 'queued', code: 'check_unavailable' })
    await endsOnce(pathOf('intended'))
  })

  it('follows the run whose answer was lost to its end', async () => {
    expect(told(pathOf('unanswered')).status).toBe('running')
    await endsOnce(pathOf('unanswered'))
  })

  it('follows a run under way to its end, and says what is not on record', async () => {
    const { reason, gates, pin, pullRequest } = seen.get(pathOf('running'))!
    expect(reason.code).toBe('run_active')
    // Nothing that is so today is told as the reason for which it once ran.
    expect({ gates, pin }).toEqual({ gates: [], pin: null })
    expect(pullRequest).not.toBeNull()
    await endsOnce(pathOf('running'))
    expect(await actionsOf(pathOf('running'))).toEqual([
      'request_accepted',
      'status_changed',
      'lock_acquired',
      'run_adopted',
      'run_ended',
      'status_changed',
      'lock_released',
    ])
    const adopted = (await auditRows(scene)).find((row) => row.action === 'run_adopted')
    expect(adopted!.data).toMatchObject({ unseen: true, unknown: expect.stringContaining('not on record') })
  })

  it('records the end that nobody saw as the provider tells it', async () => {
    expect(seen.get('unseen-end')).toMatchObject({ status: 'failed', reason: { code: 'run_failed' } })
    expect(seen.get('unseen-end')!.reason.text).toContain('not on record')
    expect(triggers(pathOf('unseen-end'))).toBe(1)
  })

  it('knows again that an ended job has ended, and takes no lock for it', async () => {
    expect(seen.get('ended')).toMatchObject({ status: 'success', reason: { code: 'run_succeeded' } })
    expect(await actionsOf(pathOf('ended'))).not.toContain('lock_acquired')
    expect(triggers(pathOf('ended'))).toBe(1)
  })

  it('keeps the queue waiting until the run before it is over', async () => {
    expect(told(pathOf('queued', '1-first')).status).toBe('running')
    expect(await scene.job(pathOf('queued', '2-second'))).toMatchObject({ status: 'queued', reason: { code: 'lock_held' } })
    expect(triggers(pathOf('queued', '2-second'))).toBe(0)
    await endsOnce(pathOf('queued', '1-first'))
    await endsOnce(pathOf('queued', '2-second'))
    const [first, second] = scene.forge.liveRuns('queued')
    expect(second!.createdAt).toBeGreaterThanOrEqual(first!.endedAt!)
  })

  it('asks for approvals again, because what was on show when they were given is not on record', async () => {
    const path = pathOf('approving')
    expect(await scene.job(path)).toMatchObject({ status: 'waiting_approval', reason: { code: 'approval_missing' } })
    await scene.approve(approvingPull, 'carol')
    await passes(scene)
    expect(triggers(path)).toBe(0)
    await scene.approve(approvingPull, 'bob')
    await endsOnce(path)
  })

  it('leaves no lock, no second run and a whole audit behind', async () => {
    for (const phase of PHASES.filter((phase) => phase !== 'queued')) expect(triggers(pathOf(phase))).toBe(1)
    await isClean()
  })
})

describe('a database that is lost again', () => {
  it('is rebuilt from what the provider lists late, and nothing starts before it has', async () => {
    const path = pathOf('merged', 'late-list')
    await merge(path)
    await scene.until(path, (job) => job.reason.code === 'run_queued')
    await loseDatabase()
    const show = scene.forge.faults.add({ on: LIST_RUNS, kind: 'stale_list', times: ALWAYS, youngerThanMs: MINUTE_MS })
    await scene.begin()
    await scene.until(path, (job) => job.reason.text.includes('asked once more'))
    scene.clock.advance(PAST_VISIBILITY_MS)
    await scene.until(path, (job) => job.status === 'running')
    show()
    scene.forge.finishRun(runOf(path), 'success')
    expect(await scene.ended(path)).toMatchObject({ status: 'success' })
    expect(triggers(path)).toBe(1)
    await isClean()
  })

  it('starts nothing where the provider cannot be asked, and goes on when it can', async () => {
    const alive = pathOf('running', 'z-alive')
    const next = pathOf('running', 'a-next')
    await merge(alive)
    await scene.until(alive, (job) => job.reason.code === 'run_queued')
    await loseDatabase()
    await merge(next)
    const mend = scene.forge.faults.add({ on: LIST_RUNS, kind: 'error_before', times: ALWAYS })
    await scene.begin()
    await scene.until(alive, (job) => job.reason.code === 'check_unavailable')
    scene.clock.advance(PAST_VISIBILITY_MS)
    await passes(scene, 3)
    expect([triggers(alive), triggers(next)]).toEqual([1, 0])
    mend()
    await scene.until(alive, (job) => job.status === 'running')
    await scene.until(next, (job) => job.reason.code === 'lock_held')
    scene.forge.finishRun(runOf(alive), 'success')
    await scene.ended(alive)
    await scene.eventually('the next run', () => triggers(next) === 1)
    await scene.until(next, (job) => job.reason.code === 'run_queued')
    scene.forge.finishRun(runOf(next), 'success')
    await scene.ended(next)
    expect([triggers(alive), triggers(next)]).toEqual([1, 1])
    await isClean()
  })

  it('finds old runs, and does not start what is too old to be found', async () => {
    const found = pathOf('ended', 'old-found')
    const gone = pathOf('ended', 'old-gone')
    for (const path of [found, gone]) {
      await merge(path)
      await scene.until(path, (job) => job.reason.code === 'run_queued')
      scene.forge.finishRun(runOf(path), 'success')
      await scene.ended(path)
    }
    const endedAt = (await scene.job(found))!.endedAt!
    await loseDatabase()
    scene.forge.removeRun(runOf(gone))
    scene.clock.advance(40 * DAY_MS)
    await startAnew()
    const old = await scene.ended(found)
    expect(old).toMatchObject({ status: 'success' })
    expect(Math.abs(old.endedAt! - endedAt), 'it ended when it ended').toBeLessThan(2 * SECOND_MS)
    const lost = await scene.ended(gone)
    expect(lost).toMatchObject({ status: 'expired', attempt: 0, reason: { code: 'past_unknown' } })
    expect(lost.reason.action?.text).toContain('add a new request')
    scene.clock.advance(HOUR_MS)
    await passes(scene)
    expect(triggers(found)).toBe(1)
    expect(await scene.runs(gone)).toEqual([])
    await isClean()
  })

  it('does not start again what a workflow without JOB_ID in its run names may have run', async () => {
    const path = pathOf('merged', 'nameless')
    await scene.forge.commit(
      SHOP_REPO,
      'main',
      { '.github/workflows/deploy.yml': DEPLOY_WORKFLOW.replace(/^run-name:.*\n/m, '') },
      { as: 'alice', message: 'Name runs as GitHub does' },
    )
    await merge(path)
    await scene.until(path, (job) => job.reason.code === 'run_queued')
    scene.forge.finishRun(runOf(path), 'success')
    await scene.ended(path)
    await loseDatabase()
    await startAnew()
    const job = await scene.ended(path)
    expect(job).toMatchObject({ status: 'expired', attempt: 0, reason: { code: 'past_unknown' } })
    expect(job.reason.text).toContain('carry no JOB_ID in their name')
    expect(triggers(path)).toBe(1)
    await scene.forge.commit(
      SHOP_REPO,
      'main',
      { '.github/workflows/deploy.yml': DEPLOY_WORKFLOW },
      { as: 'alice', message: 'Back' },
    )
    await isClean()
  })
})

describe('a database that is put back from before a job ran', () => {
  it('takes that run over, and keeps to the approvals that it has on record', async () => {
    const path = pathOf('approving', 'restored')
    const pull = await scene.propose({ [path]: requestFile('tag: v1.4.2') })
    await scene.shown(pull)
    await scene.merge(pull)
    await scene.until(path, (job) => job.status === 'waiting_approval')
    await scene.controller.stop()
    const file = join(scene.env['DRAVEN_DATA_DIR']!, 'draven.db')
    await copyFile(file, `${file}.kept`)
    await scene.begin()
    await scene.approve(pull, 'bob', 'carol')
    await scene.until(path, (job) => job.reason.code === 'run_queued')
    await scene.controller.stop()
    for (const suffix of ['', '-wal', '-shm']) await rm(`${file}${suffix}`, { force: true })
    await copyFile(`${file}.kept`, file)
    await scene.begin()
    const job = await scene.until(path, ({ status }) => status === 'running')
    expect(job.pin).not.toBeNull()
    scene.forge.finishRun(runOf(path), 'success')
    expect(await scene.ended(path)).toMatchObject({ status: 'success' })
    expect(triggers(path)).toBe(1)
    await isClean()
  })
})

/** The trigger of one job never returns, as if the process were gone from there on. */
function hangingOn(path: string, end: Promise<never>): Partial<Seams> {
  end.catch(() => {})
  return {
    wrapProviders: (providers) => ({
      ...providers,
      connections: {
        ...providers.connections,
        pipeline(project) {
          const pipeline = providers.connections.pipeline(project)
          return { ...pipeline, start: (trigger) => (trigger.jobId === scene.jobId(path) ? end : pipeline.start(trigger)) }
        },
      },
    }),
  }
}

/** One environment for each phase; that of the approvals with the rules of prod. */
function environments(): Record<string, string> {
  const pipelines = PHASES.map((phase) => `    ${phase}: deploy.yml\n`).join('')
  const policyOf = (phase: Phase) => (phase === 'approving' ? 'prod' : 'stage')
  return {
    'projects/shop/project.yaml': SHOP_PROJECT.replace('  pipelines:\n', `  pipelines:\n${pipelines}`),
    ...Object.fromEntries(PHASES.map((phase) => [`projects/shop/environments/${phase}.yaml`, environmentFile(policyOf(phase))])),
  }
}
