import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'

/** One kind of hostile input and what must hold for each of it. */
export interface Campaign<Value = unknown> {
  name: string
  /** What holds, as a sentence. */
  holds: string
  /** Inputs of a whole night. */
  nightly: number
  input: fc.Arbitrary<Value>
  /** Makes what the check needs. */
  open(): Promise<Attack<Value>>
}

export interface Attack<Value> {
  /** Throws when the input did harm or was judged wrongly. What takes longer than HANG_MS each time is a hang. */
  check(value: Value): void | Promise<void>
  /** How often each status was answered, where there are any. */
  answers?: Answers
  close(): Promise<void>
}

export type Answers = ReadonlyMap<number, number>

/** Statuses, counted. */
export function counted(): Map<number, number> & { add(status: number): void } {
  const counts = new Map<number, number>()
  return Object.assign(counts, { add: (status: number) => void counts.set(status, (counts.get(status) ?? 0) + 1) })
}

export const HANG_MS = 100
const MOST_WAITING_MS = 20 * HANG_MS
const ROUNDS = 8
const REST_MS = 50
const BATCH = 250

export interface Budget {
  /** Ends at whichever comes first. */
  inputs?: number
  seconds?: number
}

export interface Totals {
  name: string
  inputs: number
  seconds: number
  /** Of a single input. */
  slowestMs: number
  /** Memory that is still held at the end and was not after the first batches. */
  grownMiB: number
  answers: Answers
  /** First failure: how to see it again, and what it was. */
  failure: { seed: number; report: string } | null
}

/** Runs batches of `BATCH` inputs, each with its own seed counted up from `seed`, until the budget is used or one fails. */
export async function run<Value>(
  campaign: Campaign<Value>,
  seed: number,
  budget: Budget,
  onBatch: (seed: number) => void = () => {},
): Promise<Totals> {
  const attack = await campaign.open()
  const totals: Totals = {
    name: campaign.name,
    inputs: 0,
    seconds: 0,
    slowestMs: 0,
    grownMiB: 0,
    answers: attack.answers ?? new Map(),
    failure: null,
  }
  const began = performance.now()
  let memory = 0
  const property = fc.asyncProperty(campaign.input, async (value) => {
    totals.inputs++
    totals.slowestMs = Math.max(totals.slowestMs, await timed(() => attack.check(value)))
  })
  try {
    for (let batch = 0; totals.failure === null && within(budget, totals.inputs, began); batch++) {
      onBatch(seed + batch)
      // Checks that wait for nothing never let the event loop turn, which looks like standing still from outside.
      await new Promise((turn) => setImmediate(turn))
      const numRuns = Math.min(BATCH, (budget.inputs ?? Number.POSITIVE_INFINITY) - totals.inputs)
      const result = await fc.check(property, { seed: seed + batch, numRuns, endOnFailure: false })
      if (result.failed)
        totals.failure = {
          seed: seed + batch,
          report: shortened(`${result.errorInstance}\n${await fc.asyncDefaultReportMessage(result)}`),
        }
      // What the first batches load and compile is no growth.
      if (batch === 3) memory = keptBytes()
    }
  } finally {
    await attack.close()
  }
  totals.seconds = (performance.now() - began) / 1_000
  totals.grownMiB = memory === 0 ? 0 : (keptBytes() - memory) / 1024 / 1024
  return totals
}

/** What cannot be collected: of the resident size, garbage of the moment is the larger part. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function within({ inputs, seconds }: Budget, done: number, began: number): boolean {
  return done < (inputs ?? Number.POSITIVE_INFINITY) && performance.now() - began < (seconds ?? Number.POSITIVE_INFINITY) * 1_000
}

/** Again when it was slow: the machine may have been busy with something else, a hang comes every time. */
async function timed(work: () => void | Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS && best > HANG_MS; round++) {
    if (round > 0) await new Promise((rested) => setTimeout(rested, REST_MS))
    best = Math.min(best, await busyMs(work))
  }
  if (best > HANG_MS) throw new Error(`took ${Math.round(best)} ms and longer, ${ROUNDS} times`)
  return best
}

/**
 * Time that work kept the processor busy: on a crowded machine the clock on the wall tells about the others. Time that it only
 * waited counts when it is long.
 */
async function busyMs(work: () => void | Promise<void>): Promise<number> {
  const begin = performance.now()
  const before = process.cpuUsage()
  await work()
  const wall = performance.now() - begin
  const { user, system } = process.cpuUsage(before)
  return wall > MOST_WAITING_MS ? wall : Math.min(wall, (user + system) / 1_000)
}

/** The seed brings an input back; of a large one its beginning is enough to know it again. */
function shortened(report: string): string {
  return report.replaceAll(/^(.{1000}).+$/gm, '$1…')
}

export function assert(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what())
}

export const nothingToClose = async (): Promise<void> => {}
