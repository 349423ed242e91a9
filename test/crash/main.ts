import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { verifyChain } from '../../controller/audit/chain.ts'
import { SECOND_MS } from '../../controller/clock.ts'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { githubSender } from '../../controller/webhooks/github.ts'
import { readOptions } from '../options.ts'
import { CONFIG_REPO, environmentFile, requestFile, SHOP_PROJECT, SHOP_REPO } from '../scenarios/config-files.ts'
import { beginLife, type Life } from '../scenarios/crash-life.ts'
import { openScene, type Scene, WEBHOOK_SECRET } from '../scenarios/scene.ts'
import { seeded } from '../scenarios/seeded.ts'
import { type CrashDatabase, DATABASES, fillWithHistory } from './database.ts'

const USAGE = `kill -9 of the real controller, again and again, while people deploy.

  npm run crash -- [--kills 1000] [--database sqlite|postgres] [--seed N] [--jobs 10000]

  --kills     how often; half at random moments, half at a step of a job, before or after its unit is committed
  --database  what the controller keeps its records in; a PostgreSQL server is found by TEST_POSTGRES_URL
  --jobs      ended jobs that the database holds beforehand (0); readiness may then take 30 s instead of 5 s
  --seed      plays the same choices again

Fails when an acknowledged delivery is lost, a job has two runs, the audit does not hold, a job or a lock is left over, or a
life takes too long to be ready (5 s, or 7 times of what it takes to load the program where that is more).
`

/** Every unit in which a job is written, and the trigger's call: see crash-child.ts. */
const UNITS = ['config.accept', 'job.start', 'run.record', 'run.adopt', 'run.observe', 'run.end', 'job.wait', 'outbox delivered']
const STEPS = [...UNITS.flatMap((unit) => [`in ${unit}`, `after ${unit}`]), 'before start', 'after start']
const ENVIRONMENTS = Array.from({ length: 12 }, (_, each) => `load-${each}`)
const REQUESTS_A_MERGE = 4
/** Each life asks about every one of them before it starts any: with many more it would be killed over that, again and again. */
const MOST_OPEN = 24
/** A step that does not come by itself is not waited for any longer. */
const LONGEST_LIFE_MS = 4 * SECOND_MS
/** Ready in so many times of what it takes to load the program: on a machine of three times that, a limit in seconds says nothing. */
const MOST_LOADS = 7
/** No trigger call can be under way for longer; an intent without a run is given up after it. */
const PAST_SEND_DEADLINE_MS = 20 * SECOND_MS

const values = readOptions(USAGE, {
  kills: { type: 'string' },
  database: { type: 'string', default: 'sqlite' },
  seed: { type: 'string' },
  jobs: { type: 'string' },
})
const wanted = Number(values.kills ?? 1_000)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const history = Number(values.jobs ?? 0)
const openDatabase = DATABASES[values.database]
if (openDatabase === undefined) {
  process.stderr.write(`--database is one of ${Object.keys(DATABASES).join(', ')}\n`)
  process.exit(2)
}
process.exit((await run(openDatabase)) ? 0 : 1)

async function run(openDatabase: (dataDirectory: string) => Promise<CrashDatabase>): Promise<boolean> {
  const random = seeded(seed)
  const loadMs = bareLoadMs()
  const startedAt = performance.now()
  const scene = await openScene({ idle: true, config: environments() })
  const database = await openDatabase(scene.env['DRAVEN_DATA_DIR']!)
  Object.assign(scene.env, database.env)
  const port = await freePort()
  scene.env['DRAVEN_LISTEN'] = `127.0.0.1:${port}`
  const url = `http://127.0.0.1:${port}`
  for (const repo of [CONFIG_REPO, SHOP_REPO]) {
    scene.forge.addHook(repo, { url: `${url}/webhooks/github`, secret: WEBHOOK_SECRET, events: ['*'] })
  }
  process.stdout.write(
    `CRASH_SEED=${seed}, ${wanted} kills on ${values.database}${history > 0 ? `, ${history} jobs on record` : ''}; loading the program takes ${loadMs} ms here\n`,
  )
  const first = begin(scene)
  if ((await untilReady(first, url)) === null) throw new Error(`the controller does not start:\n${first.output()}`)
  await first.kill()
  if (history > 0) await withStore(database, scene, (store) => fillWithHistory(store, history, scene.clock))

  const starts: Start[] = []
  const paths: string[] = []
  const over = new Set<string>()
  const problems: string[] = []
  let steps = 0
  for (let kill = 1; kill <= wanted; kill++) {
    if (openJobs(scene, paths, over).length < MOST_OPEN) paths.push(...(await deploy(scene, kill)))
    const step = random() < 0.5 ? STEPS[Math.floor(random() * STEPS.length)]! : undefined
    const life = begin(scene, step)
    const ready = untilReady(life, url).then((start) => {
      if (start !== null) starts.push(start)
    })
    if (step === undefined) await scene.clock.sleep(random() * 2_000)
    else await Promise.race([life.ended, ready.then(() => scene.clock.sleep(LONGEST_LIFE_MS))])
    if (life.isOver() && step === undefined) problems.push(`life ${kill} ended by itself:\n${life.output()}`)
    if (life.isOver()) steps++
    await life.kill()
    await ready
    // What was intended and never sent is given up only when the call can no longer be under way.
    if (kill % 10 === 0) scene.clock.advance(PAST_SEND_DEADLINE_MS)
    if (kill % 50 === 0 || kill === wanted) {
      await readAudit(database, scene, problems)
      const open = openJobs(scene, paths, over)
      for (const [each, job] of (await readJobs(database, scene, open)).entries())
        if (job !== null && isTerminal(job.status)) over.add(open[each]!)
      process.stdout.write(`${kill} kills, ${steps} of them at a step, ${paths.length} jobs, ${distribution(starts)}\n`)
    }
  }
  await scene.forge.settle()
  scene.clock.advance(PAST_SEND_DEADLINE_MS)
  const last = begin(scene)
  const start = await untilReady(last, url)
  if (start === null) problems.push(`the last life ended by itself:\n${last.output()}`)
  else starts.push(start)
  await scene.eventually('every job to end', async () => (await last.census())?.open.length === 0, 120 * SECOND_MS)
  await last.kill()
  await judge(scene, database, paths, problems)
  const limitMs = Math.max((history > 0 ? 30 : 5) * SECOND_MS, MOST_LOADS * loadMs)
  for (const { ms, phases } of starts.filter((start) => start.ms > limitMs)) {
    const waits = [...phases].map(([name, until]) => `${name} until ${until} ms`)
    problems.push(`a life was ready after ${ms} ms instead of ${limitMs}; it waited for ${waits.join(', ')}`)
  }
  for (const problem of problems.slice(0, 20)) process.stdout.write(`PROBLEM: ${problem}\n`)
  const minutes = Math.round((performance.now() - startedAt) / 6_000) / 10
  process.stdout.write(
    `${wanted} kills in ${minutes} min: ${problems.length === 0 ? 'nothing lost' : `${problems.length} problems`}\n`,
  )
  await scene.close()
  await database.remove()
  return problems.length === 0
}

function environments(): Record<string, string> {
  const pipelines = ENVIRONMENTS.map((name) => `    ${name}: deploy.yml\n`).join('')
  return {
    'projects/shop/project.yaml': SHOP_PROJECT.replace('  pipelines:\n', `  pipelines:\n${pipelines}`),
    ...Object.fromEntries(ENVIRONMENTS.map((name) => [`projects/shop/environments/${name}.yaml`, environmentFile('stage')])),
  }
}

function begin(scene: Scene, at?: string): Life {
  return beginLife({
    env: {
      ...scene.env,
      DRAVEN_POLL_SECONDS: '0.5',
      DRAVEN_RUN_POLL_SECONDS: '0.2',
      DRAVEN_TRIGGER_LOOKUP_MINUTES: '0.01',
      DRAVEN_LOG_LEVEL: 'warn',
    },
    clockOffsetMs: scene.clock.now() - Date.now(),
    ...(at === undefined ? {} : { at }),
  })
}

/** A merged pull request with one request for each of a few environments. */
async function deploy(scene: Scene, number: number): Promise<string[]> {
  const names = Array.from({ length: REQUESTS_A_MERGE }, (_, each) => ENVIRONMENTS[(number * 5 + each) % ENVIRONMENTS.length]!)
  const paths = names.map((name) => `requests/shop/${name}/${String(number).padStart(5, '0')}.yaml`)
  const files = Object.fromEntries(paths.map((path) => [path, requestFile('branch: develop')]))
  await scene.merge(await scene.propose(files))
  return paths
}

/** Jobs that the forge has not seen a finished run of; `over` ended without one. */
function openJobs(scene: Scene, paths: readonly string[], over: ReadonlySet<string>): string[] {
  const finished = new Set(scene.forge.liveRuns().flatMap((run) => (run.endedAt === null ? [] : [run.jobId])))
  return paths.filter((path) => !over.has(path) && !finished.has(scene.jobId(path)))
}

/** What this machine takes to load the program and do nothing, in ms: the least of three. */
function bareLoadMs(): number {
  const program = new URL('../../controller/main.js', import.meta.url).href
  const times = [1, 2, 3].map(() => {
    const from = performance.now()
    spawnSync(process.execPath, ['--input-type=module', '-e', `await import(${JSON.stringify(program)})`])
    return Math.round(performance.now() - from)
  })
  return Math.min(...times)
}

interface Start {
  /** From its beginning to its first /readyz that says yes. */
  ms: number
  /** What it waited for, and how long until that was so, in ms. */
  phases: ReadonlyMap<string, number>
}

/** Null when it died before it was ready. */
async function untilReady(life: Life, url: string): Promise<Start | null> {
  const startedAt = performance.now()
  const phases = new Map<string, number>()
  while (!life.isOver()) {
    const missing = await missingAt(url)
    const ms = Math.round(performance.now() - startedAt)
    if (missing.length === 0) return { ms, phases }
    for (const name of missing) phases.set(name, ms)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return null
}

async function missingAt(url: string): Promise<string[]> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) })
    const { checks } = (await answer.json()) as { checks: { name: string; ok: boolean }[] }
    return checks.filter((check) => !check.ok).map((check) => check.name)
  } catch {
    return ['an answer']
  }
}

function distribution(starts: readonly Start[]): string {
  const sorted = starts.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return `ready after ms (of ${sorted.length}): p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}`
}

async function withStore<T>(database: CrashDatabase, scene: Scene, work: (store: OpenStore) => Promise<T>): Promise<T> {
  const store = await database.open(scene.clock, (error) => {
    throw error
  })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function readAudit(database: CrashDatabase, scene: Scene, problems: string[]): Promise<void> {
  const verdict = await withStore(database, scene, (store) => verifyChain(store.auditRows()))
  if (!verdict.ok) problems.push(`the audit is broken at row ${verdict.seq}: ${verdict.problem}`)
}

async function readJobs(database: CrashDatabase, scene: Scene, paths: readonly string[]): Promise<(Job | null)[]> {
  return withStore(database, scene, (store) =>
    store.state.unit('crash.read', async (tx) => {
      const jobs = []
      for (const path of paths) jobs.push(await tx.jobs.get(scene.jobId(path)))
      return jobs
    }),
  )
}

async function judge(scene: Scene, database: CrashDatabase, paths: readonly string[], problems: string[]): Promise<void> {
  await readAudit(database, scene, problems)
  const jobs = await readJobs(database, scene, paths)
  const locks = await withStore(database, scene, (store) => store.state.unit('crash.read', (tx) => tx.locks.all()))
  const outcomes = new Map<string, number>()
  for (const [each, job] of jobs.entries()) {
    const outcome = `${scene.forge.triggerCount(scene.jobId(paths[each]!))} run, ${job?.status} ${job?.reason.code}`
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  for (const [outcome, count] of outcomes) {
    process.stdout.write(`${count} jobs: ${outcome}\n`)
    const fine = outcome === '1 run, success run_succeeded' || outcome === '0 run, failed trigger_outcome_unknown'
    if (!fine) problems.push(`${count} jobs ended as: ${outcome}`)
  }
  if (locks.length > 0) problems.push(`${locks.length} locks are left`)

  const stored = await database.storedDeliveries()
  let acknowledged = 0
  for (const repo of [CONFIG_REPO, SHOP_REPO]) {
    for (const { guid, event, statusCode, body } of scene.forge.deliveries(repo)) {
      const branch = { fullName: CONFIG_REPO, branch: 'main' }
      if (statusCode !== 202 || !githubSender.isWatched(event) || githubSender.nudge(event, JSON.parse(body), branch) === null)
        continue
      acknowledged++
      if (!stored.has(guid)) problems.push(`the acknowledged delivery ${guid} (${event}) is lost`)
    }
  }
  process.stdout.write(`${acknowledged} deliveries were acknowledged\n`)
  try {
    scene.forge.assertClean()
  } catch (error) {
    problems.push(String(error))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
