import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { noPostgres, openPostgresAt, type ScratchDatabase, scratchDatabase } from '../store/postgres-server.ts'
import { CONFIG_REPO, environmentFile, requestFile, SHOP_PROJECT, SHOP_REPO } from './config-files.ts'
import { assertCompiled, beginLife, type Life, type LifeOptions } from './crash-life.ts'
import { openScene, type Scene, WEBHOOK_SECRET } from './scene.ts'
import { seeded } from './seeded.ts'

/**
 * Several real controllers, each a process with its own data folder, on one PostgreSQL, against one emulated forge. The leader
 * is killed, or stands still for longer than its lease and then goes on as if nothing had happened; all are restarted in turn.
 * REPLICAS_MINUTES: how long the trouble lasts (`npm run replicas -- --minutes 10`); without it, there is none of that kind.
 */
const TROUBLE_MS = Number(process.env['REPLICAS_MINUTES'] ?? 0) * 60_000
const FEWEST_ROUNDS = 3
const RESTART_EVERY_MS = 30_000
const SEED = Number(process.env['REPLICAS_SEED'] ?? Date.now() % 1_000_000)
const ENVIRONMENTS = ['east', 'west', 'north']
const LEASE_MS = 2_000
/** Nobody asks for more while this many jobs are open: what is tested is trouble, not a crowd. */
const MOST_OPEN = 12
/** An intent whose call was never made is looked for until its deadline, and a little longer. */
const SETTLE_MS = 120_000

let database: ScratchDatabase
let scene: Scene
/** The test's own look at the database. */
let store: OpenStore
let lives: Life[]

describe.skipIf(noPostgres)('several replicas', () => {
  beforeAll(() => assertCompiled())
  beforeEach(async () => {
    lives = []
    database = await scratchDatabase()
    store = await openPostgresAt(database.url)
    scene = await openScene({ idle: true, config: environments(), databaseUrl: database.url })
  })
  afterEach(async () => {
    for (const life of lives) life.resume()
    for (const life of lives) await life.kill()
    await scene.close()
    await store.close()
    await database.remove()
  })
  afterAll(() => console.log(`REPLICAS_SEED=${SEED}`))

  // Minutes of trouble: `npm run replicas`, and a short form of it wherever everything is checked.
  it.skipIf(TROUBLE_MS === 0)(
    'of which the leader is killed or stands still again and again trigger no job twice and end them all',
    async () => {
      const random = seeded(SEED)
      await Promise.all([begin(), begin(), begin()].map(listen))
      // Jobs that are older than the records wait two minutes for proof that they never ran.
      await eventually('the leader to read the config', async () => (await store.views.config()) !== null)
      const paths: string[] = []
      const until = Date.now() + TROUBLE_MS
      let asking = true
      const load = (async () => {
        while (asking) {
          const files = ENVIRONMENTS.map((name) => `requests/shop/${name}/${String(paths.length).padStart(5, '0')}.yaml`)
          paths.push(...files)
          const pull = await scene.propose(Object.fromEntries(files.map((path) => [path, requestFile('branch: develop')])))
          await scene.merge(pull)
          do await sleep(500 + random() * 2_000)
          while (asking && (await openJobs()) > MOST_OPEN)
        }
      })()
      const done = { killed: 0, stopped: 0, restarts: 0 }
      let restartAt = Date.now() + RESTART_EVERY_MS
      while (Date.now() < until || done.killed + done.stopped < FEWEST_ROUNDS) {
        await sleep(1_000 + random() * 6_000)
        if (Date.now() >= restartAt) {
          await restartInTurn()
          done.restarts += 1
          restartAt = Date.now() + RESTART_EVERY_MS
          continue
        }
        const leader = await leading()
        if (done.killed <= done.stopped) {
          await leader.kill()
          done.killed += 1
          await listen(begin())
        } else {
          leader.stop()
          done.stopped += 1
          await sleep(LEASE_MS * (1 + random() * 1.5))
          leader.resume()
        }
      }
      asking = false
      await load
      await eventually(`all of ${paths.length} jobs to end`, async () => {
        const known = await store.state.unit('test', async (tx) => (await tx.jobs.known()).size)
        return known === paths.length && (await openJobs()) === 0
      })
      await scene.forge.settle()

      const jobs = await store.state.unit('test', async (tx) => {
        const found: Job[] = []
        for (const path of paths) found.push((await tx.jobs.get(scene.jobId(path)))!)
        return found
      })
      const count = (job: Job) => scene.forge.triggerCount(job.id)
      for (const job of jobs) {
        expect(isTerminal(job.status)).toBe(true)
        // Either it ran, once, or nobody knows of a run of it, and there is none.
        const fits =
          job.status === 'success' ? count(job) === 1 : job.reason.code === 'trigger_outcome_unknown' && count(job) === 0
        expect(fits, `${job.requestPath}: ${job.status} ${job.reason.code}, ${count(job)} runs`).toBe(true)
      }
      for (const name of ENVIRONMENTS) expect(overlaps(name)).toEqual([])
      expect(await store.state.unit('test', (tx) => tx.locks.all())).toEqual([])
      expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true })
      scene.forge.assertClean()
      const [lease] = await database.query('SELECT fence FROM lease')
      const unknown = jobs.filter((job) => job.status !== 'success').length
      const troubles = `leader killed ${done.killed} and stopped ${done.stopped} times, ${done.restarts} rolling restarts`
      console.log(`${jobs.length} jobs, ${unknown} of unknown outcome; ${troubles}; fence ${lease!['fence']}`)
    },
    TROUBLE_MS * 2 + 240_000,
  )

  it('hand what one of them took from a webhook to the leader within seconds, though nobody polls', async () => {
    const first = begin({ DRAVEN_POLL_SECONDS: '600' })
    await first.started
    await leading()
    const second = begin({ DRAVEN_POLL_SECONDS: '600' })
    await listen(second)
    await eventually('the leader to read the config', async () => (await store.views.config()) !== null)
    const path = 'requests/shop/east/one.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    await eventually('the job to end', async () => (await jobAt(path))?.status === 'success', 15_000)
    expect((await leading()).pid).toBe(first.pid)
  }, 150_000)

  it('lead one after the other: a leader that ends gives its lease back, and all of them say who leads', async () => {
    const [one, two] = [begin({ DRAVEN_LEASE_SECONDS: '60' }), begin({ DRAVEN_LEASE_SECONDS: '60' })]
    const leader = await leading()
    const other = leader === one ? two : one
    const said = async (life: Life) => {
      const answer = await fetch(`${await life.started}/readyz`)
      const { leader: who } = (await answer.json()) as { leader: { here: boolean; name: string } }
      return { status: answer.status, here: who.here, pid: Number(who.name?.split(':').at(-1)) }
    }
    await eventually('both to be ready', async () => (await said(leader)).status === 200 && (await said(other)).status === 200)
    await eventually('the follower to know', async () => (await said(other)).pid === leader.pid)
    expect(await said(leader)).toEqual({ status: 200, here: true, pid: leader.pid })
    expect(await said(other)).toEqual({ status: 200, here: false, pid: leader.pid })
    const page = await (await fetch(`${await other.started}/system`)).text()
    expect(page).toContain(`:${leader.pid}`)

    const askedAt = Date.now()
    leader.end()
    await eventually('the other to lead', async () => (await said(other)).here)
    expect(Date.now() - askedAt).toBeLessThan(20_000)
  }, 150_000)

  it('lose no step to a leader that wakes up too late: what it had in hand is not written over what came after', async () => {
    // It stands still after its own clock allowed the unit and before the store was asked, so only the store can refuse it.
    const late = begin({}, { at: 'before config.accept', signal: 'SIGSTOP' })
    await leading()
    await eventually('the first config', async () => (await store.views.config()) !== null)
    const path = (name: string) => `requests/shop/east/${name}.yaml`
    await scene.merge(await scene.propose({ [path('one')]: requestFile('branch: develop') }))
    const other = begin()
    await eventually('the other to lead', async () => (await leading()).pid === other.pid)
    await scene.merge(await scene.propose({ [path('two')]: requestFile('branch: develop') }))
    await eventually('the second job to end', async () => (await jobAt(path('two')))?.status === 'success')
    const head = (await store.views.config())!.head
    late.resume()
    await eventually('the late one to notice', async () => /another controller leads/.test(late.output()))
    await sleep(1_000)
    expect((await store.views.config())!.head).toBe(head)
    const accepted = await database.query(`SELECT "commit", count(*)::int FROM audit WHERE action = 'config_accepted' GROUP BY 1`)
    for (const row of accepted) expect(row['count']).toBe(1)
    for (const name of ['one', 'two']) expect(scene.forge.triggerCount(scene.jobId(path(name)))).toBe(1)
    expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true })
    expect((await leading()).pid).toBe(other.pid)
  }, 150_000)

  it('send no trigger whose controller stood still between its intent and the call', async () => {
    const late = begin({}, { at: 'after job.read', signal: 'SIGSTOP' })
    await leading()
    await eventually('the first config', async () => (await store.views.config()) !== null)
    const path = 'requests/shop/east/one.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    await eventually('the intent', async () => (await jobAt(path))?.status === 'running')
    const other = begin()
    await eventually('the other to lead', async () => (await leading()).pid === other.pid)
    late.resume()
    await eventually('the job to end', async () => isTerminal((await jobAt(path))?.status ?? 'queued'))
    expect(await jobAt(path)).toMatchObject({ status: 'failed', reason: { code: 'trigger_outcome_unknown' } })
    expect(scene.forge.triggerCount(scene.jobId(path))).toBe(0)
  }, 150_000)
})

function environments(): Record<string, string> {
  const pipelines = ENVIRONMENTS.map((name) => `    ${name}: deploy.yml\n`).join('')
  return {
    'projects/shop/project.yaml': SHOP_PROJECT.replace('  pipelines:\n', `  pipelines:\n${pipelines}`),
    ...Object.fromEntries(ENVIRONMENTS.map((name) => [`projects/shop/environments/${name}.yaml`, environmentFile('stage')])),
  }
}

function begin(env: Readonly<Record<string, string>> = {}, crash: Pick<LifeOptions, 'at' | 'signal'> = {}): Life {
  const life = beginLife({
    env: {
      ...scene.env,
      DRAVEN_DATA_DIR: `${scene.root}/replica-${lives.length}`,
      DRAVEN_LEASE_SECONDS: String(LEASE_MS / 1_000),
      DRAVEN_POLL_SECONDS: '1',
      DRAVEN_RUN_POLL_SECONDS: '0.3',
      DRAVEN_TRIGGER_LOOKUP_MINUTES: '0.02',
      DRAVEN_LOG_LEVEL: 'info',
      ...env,
    },
    clockOffsetMs: scene.clock.now() - Date.now(),
    ...crash,
  })
  lives.push(life)
  return life
}

/** As an upgrade does: one after the other is asked to end, and replaced when it has. */
async function restartInTurn(): Promise<void> {
  for (const life of lives.filter((one) => !one.isOver())) {
    life.end()
    await life.ended
    await listen(begin())
  }
}

/** Sends it the forge's webhooks. */
async function listen(life: Life): Promise<void> {
  const url = `${await life.started}/webhooks/github`
  for (const repo of [CONFIG_REPO, SHOP_REPO]) scene.forge.addHook(repo, { url, secret: WEBHOOK_SECRET, events: ['*'] })
}

/** The life that holds the lease, by the database; waits until one does. */
async function leading(): Promise<Life> {
  let found: Life | undefined
  await eventually('somebody to lead', async () => {
    const holder = await store.shared!.lease.holder()
    found = lives.find((life) => holder?.name.endsWith(`:${life.pid}`) && !life.isOver())
    return found !== undefined
  })
  return found!
}

async function openJobs(): Promise<number> {
  return (await store.state.unit('test', (tx) => tx.jobs.open())).length
}

function jobAt(path: string): Promise<Job | null> {
  return store.state.unit('test', (tx) => tx.jobs.get(scene.jobId(path)))
}

/** Waits, and fails with what the controllers wrote last. */
async function eventually(what: string, fits: () => Promise<boolean>, timeoutMs = SETTLE_MS): Promise<void> {
  const fitsNow = async () => {
    await sleep(50)
    return fits()
  }
  await scene.eventually(what, fitsNow, timeoutMs).catch(async (error: Error) => {
    const open = await store.state.unit('test', (tx) => tx.jobs.open())
    const jobs = open.map((job) => `${job.requestPath}: ${job.status} ${job.reason.code}: ${job.reason.text}`).join('\n')
    throw new Error(`${error.message}\n${jobs}\n${lives.map((life) => `${life.pid}: ${life.output().slice(-1_500)}`).join('\n')}`)
  })
}

/** Pairs of runs of an environment of which the second was created before the first had ended. */
function overlaps(environment: string): string[] {
  const runs = scene.forge.liveRuns(environment).sort((a, b) => a.createdAt - b.createdAt || a.runId - b.runId)
  return runs.flatMap((run, each) => {
    const next = runs[each + 1]
    return next === undefined || (run.endedAt !== null && run.endedAt <= next.createdAt) ? [] : [`${run.jobId} and ${next.jobId}`]
  })
}
