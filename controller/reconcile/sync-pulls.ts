import type { PullRequestSummary } from '../approvals/evidence.ts'
import { ageMs, DAY_MS, MINUTE_MS } from '../clock.ts'
import { isOperatingFault, messageOf, TransientFault } from '../errors.ts'
import type { Nudge, PullRow, StateTx } from '../jobs/state-store.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { judgePull, rowOf } from './judge-pull.ts'
import { forgetOldReads, type TickFacts } from './tick-facts.ts'

/** An open pull request is judged again this often even when nothing about it changed: CI, windows and queues move on. */
const JUDGE_AGAIN_MS = MINUTE_MS
/** One that could not be judged for its own sake (too large, not readable) is tried again this often while its head stays. */
const FAILED_AGAIN_MS = 10 * MINUTE_MS
/** Lists are read with this much overlap, because forges' lists lag behind. */
const LIST_OVERLAP_MS = 2 * MINUTE_MS

/** Looks at the pull requests of the config repository: new ones are judged, merged ones are remembered by what they brought. */
export async function syncPulls(
  engine: Engine,
  facts: TickFacts,
  accepted: AcceptedConfig,
  nudges: readonly Nudge[],
): Promise<void> {
  if (engine.host === null) return
  try {
    const { memory } = engine
    const since = memory.pullsReadUpTo ?? engine.clock.now() - DAY_MS
    const { value: summaries } = await facts.pullsSince(since)
    const { known, rows } = await engine.store.unit('pulls.open', (tx) => rowsOf(tx, summaries))
    for (const summary of summaries) {
      const nudged = isNudged(nudges, summary.number)
      await alone(engine, summary, () => look(engine, facts, accepted, summary, rows.get(summary.number) ?? null, nudged))
    }
    const listed = new Set(summaries.map((summary) => summary.number))
    for (const row of known) if (!listed.has(row.number)) await alone(engine, row, () => leaveRetargeted(engine, facts, row))
    const newest = Math.max(0, ...summaries.map((summary) => summary.updatedAt))
    // Never further back than it was: an old pull request that is still open is listed whatever this says.
    memory.pullsReadUpTo = Math.max(since, newest - LIST_OVERLAP_MS)
    forgetOldReads(memory.pulls, engine.clock.now())
  } catch (error) {
    // Jobs go on whatever is wrong here: what they rest on is read for each of them.
    if (isOperatingFault(error)) engine.log.warn('the pull requests could not be read', { error: messageOf(error) })
    else engine.log.error('looking at the pull requests failed', { error: error instanceof Error ? error.stack : String(error) })
  }
}

/**
 * One pull request that cannot be read or judged, whatever is wrong with it, keeps none of the others waiting, and is not
 * asked about again at every poll. Only a host that asks to be left alone ends the round.
 */
async function alone(
  { memory, clock, log }: Engine,
  { number, headSha, state }: Pick<PullRequestSummary, 'number' | 'headSha' | 'state'>,
  work: () => Promise<void>,
): Promise<void> {
  const failed = memory.pullFailures.get(number)
  const leftMs = (failed?.againAt ?? 0) - clock.now()
  // More than was ever set: the clock was set back.
  if (failed?.headSha === headSha && failed.state === state && leftMs > 0 && leftMs <= FAILED_AGAIN_MS) return
  try {
    await work()
    memory.pullFailures.delete(number)
  } catch (error) {
    if (error instanceof TransientFault && error.retryAfterMs > 0) throw error
    const againAt = clock.now() + (error instanceof TransientFault ? JUDGE_AGAIN_MS : FAILED_AGAIN_MS)
    memory.pullFailures.set(number, { headSha, state, againAt })
    const why = isOperatingFault(error) || !(error instanceof Error) ? messageOf(error) : error.stack
    log.error('a pull request could not be judged', { pullRequest: number, error: why })
  }
}

/** What is remembered of open pull requests, and of those that the forge lists. */
async function rowsOf(
  tx: StateTx,
  summaries: readonly PullRequestSummary[],
): Promise<{ known: readonly PullRow[]; rows: ReadonlyMap<number, PullRow> }> {
  const known = await tx.pulls.open()
  const rows = new Map(known.map((row) => [row.number, row]))
  for (const { number } of summaries) {
    const row = rows.has(number) ? null : await tx.pulls.get(number)
    if (row !== null) rows.set(number, row)
  }
  return { known, rows }
}

function isNudged(nudges: readonly Nudge[], number: number): boolean {
  return nudges.some((nudge) => nudge.kind === 'pull_request' && nudge.number === number)
}

async function look(
  engine: Engine,
  facts: TickFacts,
  accepted: AcceptedConfig,
  summary: PullRequestSummary,
  row: PullRow | null,
  nudged: boolean,
): Promise<void> {
  const { memory, store, clock } = engine
  const changed =
    row === null || row.headSha !== summary.headSha || row.updatedAt !== summary.updatedAt || row.state !== summary.state
  if (summary.state === 'open') {
    const judgedAt = memory.pullJudgedAt.get(summary.number)
    if (!changed && !nudged && judgedAt !== undefined && ageMs(judgedAt, clock.now()) < JUDGE_AGAIN_MS) return
    await judgePull(engine, facts, accepted, await facts.pull(summary.number, { fresh: nudged }), row)
    memory.pullJudgedAt.set(summary.number, clock.now())
    return
  }
  if (!changed) return
  const pull = (await facts.pull(summary.number, { fresh: true })).value
  if (pull.state === 'merged')
    for (const file of pull.files) if (file.path.startsWith('requests/')) memory.pullByPath.set(file.path, pull.number)
  await store.unit('pull.closed', (tx) => tx.pulls.save({ ...rowOf(pull), pins: row?.pins ?? new Map() }))
  memory.pullJudgedAt.delete(summary.number)
}

/** A pull request that is not listed any more and may want to go elsewhere: what was approved there is not approved here. */
async function leaveRetargeted(engine: Engine, facts: TickFacts, row: PullRow): Promise<void> {
  const pull = (await facts.pull(row.number, { fresh: true })).value
  const leaves = pull.baseRef !== engine.config.branch
  if (!leaves && pull.state === 'open') return
  await engine.store.unit('pull.left', (tx) => tx.pulls.save({ ...rowOf(pull), pins: leaves ? new Map() : row.pins }))
  engine.memory.pullJudgedAt.delete(row.number)
}
