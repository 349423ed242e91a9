import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Script } from 'node:vm'
import { collectTests, type File, type Suite, type Task, type Test } from '@vitest/runner'
import { TestRunner, vi } from 'vitest'

type Fate = 'killed' | 'survived'

/** What the instrumented sources and their tests tell each other. */
interface Switchboard {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  /** Hits by mutant, and by test and mutant. */
  mutantCoverage?: { static: Hits; perTest: Record<string, Hits> } | undefined
  hitCount?: number | undefined
  /** More hits than this are taken for a loop that never ends. */
  hitLimit?: number | undefined
}
type Hits = Record<string, number>

const board: Switchboard = {}
Object.assign(globalThis, { __stryker__: board })
const FOLDER = process.env['MUTATION_FOLDER']
/** A line for each look at a mutant, `[look, mutant, fate]`, so that what a process did that had to be ended stays done. */
const FATES = `${FOLDER}/fates.jsonl`
/** `[look, mutant]` that is being judged, written again while its tests pass; scripts/mutation.mjs ends what stands still. */
const NOW = `${FOLDER}/now.json`
const SIGN_OF_LIFE_MS = 500
/**
 * In a second pass modules are loaded anew with each mutant that is left: it was met while they were loaded, or what one of them
 * remembered hid it. That takes a second each, so the tests of all files are asked before.
 */
const ANEW = process.env['MUTATION_ANEW'] === 'true'
/** A mutant's test that works without a pause for this much longer than twenty times as long as without it loops. */
const LOOP_MS = 4_000
/** A mutant's test that waits this much longer than without it hangs. */
const PATIENCE_MS = 20_000

/**
 * Runs a file's tests as ever, and then, in the same process, again for each mutant that they meet: only the tests that meet it,
 * what kills most for its time first, until one fails. Starting a process for each mutant, as Stryker's own runner does, takes ten
 * times as long.
 */
export default class MutationRunner extends TestRunner {
  readonly #tookMs = new Map<string, number>()
  /** By test: how many mutants it was asked about, and how many of them made it fail. */
  readonly #record = new Map<string, { asked: number; failed: number }>()
  #now = ''
  #seenAt = 0

  override onBeforeTryTask(test: Task): void {
    super.onBeforeTryTask(test)
    board.currentTestId = test.id
  }

  override onAfterTryTask(test: Test): void {
    board.currentTestId = undefined
    super.onAfterTryTask(test)
  }

  override async onAfterRunFiles(files: readonly File[] = []): Promise<void> {
    super.onAfterRunFiles()
    const { static: whileLoading, perTest } = board.mutantCoverage ?? { static: {}, perTest: {} }
    // The sources go on counting in it, and what is run from here on is no loading.
    const loaded = Object.keys(whileLoading)
    const tests = new Map(files.flatMap(testsOf).map((test) => [test.id, test]))
    const unsound = [...tests.values()].find(({ result }) => result?.state !== 'pass')
    if (unsound !== undefined) throw new Error(`fails without any mutant: ${unsound.name}`)
    // A test that fails when it is run twice would kill whatever it meets.
    for (const id of Object.keys(perTest)) {
      this.#tookMs.set(id, tests.get(id)!.result!.duration!)
      const begunAt = performance.now()
      if (await this.#fails(tests.get(id)!)) throw new Error(`fails when it is run again: ${tests.get(id)!.name}`)
      this.#tookMs.set(id, performance.now() - begunAt)
    }

    const paths = files.map(({ filepath }) => filepath)
    const met = meetings(perTest)
    if (!ANEW) {
      await this.#judge(`met by ${paths}`, met.keys(), (mutant) => {
        const hits = met.get(mutant)!
        return this.#oneFails(
          [...hits.keys()].map((id) => tests.get(id)!),
          mutant,
          hits,
        )
      })
      return
    }
    const witnesses = witnessesOf(perTest)
    const seen = [...new Set([...loaded, ...met.keys()])].filter((mutant) =>
      [...tests.keys()].some((id) => witnesses(mutant, id)),
    )
    await this.#judge(`loaded by ${paths}`, seen, (mutant) => this.#failsAnew(paths, mutant, ({ id }) => witnesses(mutant, id)))
  }

  async #judge(look: string, mutants: Iterable<string>, fails: (mutant: string) => Promise<boolean>): Promise<void> {
    const settled = settledFor(look)
    for (const mutant of mutants) {
      if (settled.has(mutant)) continue
      this.#now = JSON.stringify([look, mutant])
      this.#seenAt = Number.NEGATIVE_INFINITY
      const fate: Fate = (await fails(mutant)) ? 'killed' : 'survived'
      appendFileSync(FATES, `${JSON.stringify([look, mutant, fate])}\n`)
    }
    rmSync(NOW, { force: true })
  }

  async #failsAnew(paths: string[], mutant: string, isAsked: (test: Test) => boolean): Promise<boolean> {
    this.#showAlive()
    vi.resetModules()
    Object.assign(board, { activeMutant: mutant, hitCount: 0, hitLimit: Number.POSITIVE_INFINITY })
    const anew = await collectTests(paths, this)
    if (anew.some(({ result }) => result?.state === 'fail')) return true
    return this.#oneFails(anew.flatMap(testsOf).filter(isAsked), mutant, new Map())
  }

  async #oneFails(tests: readonly Test[], mutant: string, hits: ReadonlyMap<string, number>): Promise<boolean> {
    for (const test of tests.toSorted((one, other) => this.#dearness(one) - this.#dearness(other))) {
      this.#showAlive()
      const fails = await this.#fails(test, mutant, hits.get(test.id))
      const { asked, failed } = this.#record.get(test.id) ?? { asked: 0, failed: 0 }
      this.#record.set(test.id, { asked: asked + 1, failed: failed + Number(fails) })
      if (fails) return true
    }
    return false
  }

  /** Milliseconds for each mutant that it kills, by its record; of one that was never asked, as if it killed every second one. */
  #dearness({ id }: Test): number {
    const { asked, failed } = this.#record.get(id) ?? { asked: 0, failed: 0 }
    return ((this.#tookMs.get(id) ?? 0) * (asked + 2)) / (failed + 1)
  }

  #showAlive(): void {
    if (performance.now() - this.#seenAt < SIGN_OF_LIFE_MS) return
    writeFileSync(NOW, this.#now)
    this.#seenAt = performance.now()
  }

  /** Does it, with the hooks around it, while this mutant is switched on? */
  async #fails(test: Test, mutant?: string, hits = Number.POSITIVE_INFINITY): Promise<boolean> {
    Object.assign(board, { activeMutant: mutant, hitCount: 0, hitLimit: 1_000 + 100 * hits })
    const suites = suitesAround(test)
    const cleanups: (() => unknown)[] = []
    try {
      for (const suite of suites) {
        for (const hook of TestRunner.getSuiteHooks(suite).beforeEach) {
          const cleanup: unknown = await hook(test.context, suite)
          if (typeof cleanup === 'function') cleanups.push(() => cleanup())
        }
      }
      const tookMs = this.#tookMs.get(test.id) ?? 0
      const work = interruptibly(() => TestRunner.getTestFn(test)(), LOOP_MS + 20 * tookMs)
      await inTime(Promise.resolve(work), PATIENCE_MS + 5 * tookMs)
      if (board.hitCount! > board.hitLimit!) return true
    } catch {
      return true
    } finally {
      board.activeMutant = undefined
      for (const suite of suites.toReversed()) {
        for (const hook of TestRunner.getSuiteHooks(suite).afterEach) cleanups.unshift(() => hook(test.context, suite))
      }
      for (const cleanup of cleanups) await Promise.resolve(cleanup()).catch(() => {})
    }
    return false
  }
}

/** Which tests can tell that a mutant was there while its module was loaded: those that run code of the same source. */
function witnessesOf(perTest: Record<string, Hits>): (mutant: string, test: string) => boolean {
  const mutants: { id: string; fileName: string }[] = JSON.parse(readFileSync(`${FOLDER}/mutants.json`, 'utf8'))
  const sources = new Map(mutants.map(({ id, fileName }) => [id, fileName]))
  const run = new Map(
    Object.entries(perTest).map(([test, hits]) => [test, new Set(Object.keys(hits).map((id) => sources.get(id)))]),
  )
  // Of a source that holds nothing but values, all of them.
  const values = new Set([...new Set(sources.values())].filter((source) => !/=>|\bfunction\b/.test(readFileSync(source, 'utf8'))))
  return (mutant, test) => values.has(sources.get(mutant)!) || run.get(test)?.has(sources.get(mutant)) === true
}

/** What need not be judged: what something killed, and what was looked at like this. */
function settledFor(look: string): Set<string> {
  const lines = existsSync(FATES) ? readFileSync(FATES, 'utf8').split('\n').filter(Boolean) : []
  const fates: [look: string, mutant: string, fate: Fate][] = lines.map((line) => JSON.parse(line))
  return new Set(fates.filter(([had, , fate]) => fate === 'killed' || had === look).map(([, mutant]) => mutant))
}

/** By mutant: how often each test hits it. */
function meetings(perTest: Record<string, Hits>): Map<string, Map<string, number>> {
  const meetings = new Map<string, Map<string, number>>()
  for (const [test, hits] of Object.entries(perTest)) {
    for (const [mutant, count] of Object.entries(hits)) {
      meetings.set(mutant, (meetings.get(mutant) ?? new Map<string, number>()).set(test, count))
    }
  }
  return meetings
}

function testsOf(task: Task): Test[] {
  if (task.type === 'test') return task.mode === 'run' || task.mode === 'queued' ? [task] : []
  return task.tasks.flatMap(testsOf)
}

/** From the file inwards. */
function suitesAround(test: Test): Suite[] {
  const suites: Suite[] = []
  for (let suite = test.suite; suite !== undefined; suite = suite.suite) suites.unshift(suite)
  return [test.file, ...suites.filter((suite) => suite !== test.file)]
}

/** Calls it, and throws when it works for longer than that without a pause, be it in a loop. */
function interruptibly<Result>(work: () => Result, limitMs: number): Result {
  Object.assign(globalThis, { __interruptible__: work })
  const call = new Script('__interruptible__()')
  for (let timeout = Math.ceil(limitMs); ; timeout *= 4) {
    const before = process.cpuUsage()
    try {
      return call.runInThisContext({ timeout })
    } catch (error) {
      // On a machine that is busy with other things it was hardly at work.
      const { user, system } = process.cpuUsage(before)
      const isLate = (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
      if (!isLate || (user + system) / 1_000 > limitMs / 2) throw error
    }
  }
}

async function inTime(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), limitMs)
  })
  await Promise.race([work, tooLate]).finally(() => clearTimeout(timer))
}
