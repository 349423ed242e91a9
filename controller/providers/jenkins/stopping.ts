import { type Clock, type Instant, SECOND_MS } from '../../clock.ts'
import { unlessMissing } from '../json-calls.ts'
import { type JenkinsClient, jobPath } from './client.ts'

/** How long each way to stop a build is given before the next, which is ruder. */
const PATIENCE_MS = 30 * SECOND_MS
/** Runs that are remembered; one that is forgotten is only asked politely again. */
const MAX_REMEMBERED = 1_000

/** `stop` interrupts; `term` ends the steps that go on all the same; `kill` gives the build up (only pipelines have the last two). */
const WAYS = ['stop', 'term', 'kill'] as const

export type Stopping = (queueId: number, selector: string, number: number) => Promise<void>

/** Asks builds to stop: each time that it is called for the same one, as rudely as the time since the first suggests. */
export function stopping(client: JenkinsClient, clock: Clock): Stopping {
  const firstAsked = new Map<number, Instant>()
  return async (queueId, selector, number) => {
    const now = clock.now()
    const since = firstAsked.get(queueId) ?? now
    firstAsked.set(queueId, since)
    const oldest = firstAsked.keys().next()
    if (firstAsked.size > MAX_REMEMBERED && !oldest.done) firstAsked.delete(oldest.value)
    const way = WAYS[Math.min(Math.floor(Math.max(now - since, 0) / PATIENCE_MS), WAYS.length - 1)]!
    const build = `${jobPath(selector)}/${number}`
    // Heard or not, Jenkins answers with a redirect to a page. 404: this kind of job has no such way.
    const ask = (word: string) => unlessMissing(() => client.post(`${build}/${word}`, {}), [302, 303])
    if (way === 'stop') await ask('stop')
    else await unlessMissing(() => ask(way))
  }
}
