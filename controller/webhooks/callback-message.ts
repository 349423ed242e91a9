import type { CallbackMessage } from '../jobs/callback.ts'
import { isCommitSha } from '../model/names.ts'
import { field } from './payload.ts'

/** Lines of one call; a longer log comes in several. */
export const MAX_CALL_LINES = 200
/** Longer lines are cut. */
export const MAX_LINE_BYTES = 2_000
const MAX_RUN_LENGTH = 200

/** What a pipeline said, or a sentence about what is wrong with it. Keys that we do not know are ignored: a newer script may send them. */
export function callbackMessage(body: unknown): CallbackMessage | string {
  const run = runOf(field(body, 'run'))
  if (run === undefined) return `run must be a text of 1 to ${MAX_RUN_LENGTH} characters`
  switch (field(body, 'type')) {
    case 'claim':
      return claimMessage(run, field(body, 'sha'))
    case 'progress': {
      const text = field(body, 'text')
      return typeof text === 'string' ? { type: 'progress', run, text: shownLine(text) } : 'progress needs a text'
    }
    case 'log':
      return logMessage(run, field(body, 'lines'))
    case 'result':
      return resultMessage(run, field(body, 'result'), field(body, 'text'))
    default:
      return 'type must be claim, progress, log or result'
  }
}

function claimMessage(run: string | null, sha: unknown): CallbackMessage | string {
  if (run === null) return 'a claim must name its run'
  if (sha === undefined || sha === null) return { type: 'claim', run, sha: null }
  if (typeof sha === 'string' && isCommitSha(sha)) return { type: 'claim', run, sha }
  return 'sha must be the whole id of a commit, 40 or 64 lower-case hex digits; leave it out when there is none'
}

/** Undefined: not one. */
function runOf(run: unknown): string | null | undefined {
  if (run === undefined || run === null) return null
  return typeof run === 'string' && run !== '' && run.length <= MAX_RUN_LENGTH && !/[\x00-\x1f\x7f]/.test(run) ? run : undefined
}

function logMessage(run: string | null, lines: unknown): CallbackMessage | string {
  if (!Array.isArray(lines) || lines.length > MAX_CALL_LINES) return `lines must be a list of at most ${MAX_CALL_LINES}`
  const kept: { stream: 'stdout' | 'stderr'; text: string }[] = []
  for (const line of lines as unknown[]) {
    const [stream, text] = [field(line, 'stream'), field(line, 'text')]
    if ((stream !== 'stdout' && stream !== 'stderr') || typeof text !== 'string') {
      return 'a line needs a stream (stdout or stderr) and a text'
    }
    kept.push({ stream, text: shownLine(text) })
  }
  return { type: 'log', run, lines: kept }
}

function resultMessage(run: string | null, result: unknown, text: unknown): CallbackMessage | string {
  if (result !== 'succeeded' && result !== 'failed' && result !== 'canceled')
    return 'result must be succeeded, failed or canceled'
  return { type: 'result', run, result, text: typeof text === 'string' && text !== '' ? shownLine(text) : null }
}

/** Colours and cursor moves of a terminal (ECMA-48 CSI, and OSC up to its end), then all other controls but the tab. */
const TERMINAL = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?/g
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f]/g

function shownLine(text: string): string {
  const bytes = Buffer.from(text.replace(TERMINAL, '').replace(CONTROLS, ' '))
  if (bytes.length <= MAX_LINE_BYTES) return bytes.toString()
  // A character that was cut in two shows as U+FFFD, which is dropped.
  return `${bytes
    .subarray(0, MAX_LINE_BYTES - 3)
    .toString()
    .replace(/\uFFFD+$/, '')}…`
}
