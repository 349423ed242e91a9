import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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
const FATES = `${FOLDER}/fates.json`
/** A mutant's test that takes this much longer than without it hangs. */
const PATIENCE_MS = 20_000

/**
 * Runs a file's tests as ever, and then, in the same process, again for each mutant that they meet: only the tests that meet it,
 * the fastest first, until one fails. Starting a process for each mutant, as Stryker's own runner does, takes ten times as long.
 */
export default class MutationRunner extends TestRunner {
  readonly #tookMs = new Map<string, number>()
  #begunAt = 0

  override onBeforeTryTask(test: Task): void {
    super.onBeforeTryTask(test)
    board.currentTestId = test.id
    this.#begunAt = performance.now()
  }

  override onAfterTryTask(test: Test): void {
    this.#tookMs.set(test.id, performance.now() - this.#begunAt)
    board.currentTestId = undefined
    super.onAfterTryTask(test)
  }

  override async onAfterRunFiles(files: readonly File[] = []): Promise<void> {
    super.onAfterRunFiles()
    const fates = new Map<string, Fate>(existsSync(FATES) ? JSON.parse(readFileSync(FATES, 'utf8')) : [])
    const { static: loaded, perTest } = board.mutantCoverage ?? { static: {}, perTest: {} }
    board.mutantCoverage = undefined
    const tests = new Map(files.flatMap(testsOf).map((test) => [test.id, test]))
    const unsound = [...tests.values()].find(({ result }) => result?.state !== 'pass')
    if (unsound !== undefined) throw new Error(`fails without any mutant: ${unsound.name}`)
    // A test that fails when it is run twice would kill whatever it meets.
    for (const id of Object.keys(perTest)) {
      if (await this.#fails(tests.get(id)!)) throw new Error(`fails when it is run again: ${tests.get(id)!.name}`)
    }

    for (const [mutant, hitsByTest] of meetings(perTest)) {
      if (fates.get(mutant) === 'killed') continue
      const met = this.#fastestFirst([...hitsByTest.keys()].map((id) => tests.get(id)!))
      fates.set(mutant, (await this.#oneFails(met, mutant, hitsByTest)) ? 'killed' : 'survived')
    }
    // Met while the modules were loaded, so they are loaded again with it.
    const witnesses = witnessesOf(perTest)
    for (const mutant of Object.keys(loaded)) {
      if (fates.get(mutant) === 'killed' || !files.flatMap(testsOf).some(({ id }) => witnesses(mutant, id))) continue
      const fails = await this.#failsAnew(files, mutant, (test) => witnesses(mutant, test.id))
      fates.set(mutant, fails ? 'killed' : 'survived')
    }
    writeFileSync(FATES, JSON.stringify([...fates]))
  }

  async #failsAnew(files: readonly File[], mutant: string, isAsked: (test: Test) => boolean): Promise<boolean> {
    vi.resetModules()
    Object.assign(board, { activeMutant: mutant, hitCount: 0, hitLimit: Number.POSITIVE_INFINITY })
    const anew = await collectTests(
      files.map(({ filepath }) => filepath),
      this,
    )
    if (anew.some(({ result }) => result?.state === 'fail')) return true
    return this.#oneFails(this.#fastestFirst(anew.flatMap(testsOf).filter(isAsked)), mutant, new Map())
  }

  #fastestFirst(tests: readonly Test[]): Test[] {
    return tests.toSorted((one, other) => (this.#tookMs.get(one.id) ?? 0) - (this.#tookMs.get(other.id) ?? 0))
  }

  async #oneFails(tests: readonly Test[], mutant: string, hits: ReadonlyMap<string, number>): Promise<boolean> {
    for (const test of tests) if (await this.#fails(test, mutant, hits.get(test.id))) return true
    return false
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
      await inTime(Promise.resolve(TestRunner.getTestFn(test)()), PATIENCE_MS + 5 * (this.#tookMs.get(test.id) ?? 0))
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

async function inTime(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), limitMs)
  })
  await Promise.race([work, tooLate]).finally(() => clearTimeout(timer))
}
