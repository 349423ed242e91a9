import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import pLimit from 'p-limit'
import { ConfigFault, RefusedFault, TransientFault } from '../errors.ts'
import type { BlobId } from '../model/names.ts'
import { type GitSurroundings, gitEnvironment, gitSettings, WORKING_DIRECTORY } from './git-environment.ts'

/** No document is larger; see model's reader. */
export const MAX_BLOB_BYTES = 64 * 1024

export interface BlobReader {
  /** Contents by id, in one conversation. Throws RefusedFault for a blob over MAX_BLOB_BYTES, whose content is then not read. */
  read(ids: readonly BlobId[]): Promise<ReadonlyMap<BlobId, Uint8Array>>
  close(): Promise<void>
}

export interface BlobReaderOptions extends GitSurroundings {
  damagedFix: string
}

/**
 * Reads blobs through one long-lived `git cat-file --batch`, 70 times cheaper than a process per file.
 * Protocol (git-cat-file(1), "BATCH OUTPUT"): one id a line in; `<id> blob <size>\n<bytes>\n` or `<id> missing\n` out.
 * A child that died is replaced, and after any fault the child is ended, so that no answer is ever taken for another's.
 */
export function openBlobReader(options: BlobReaderOptions): BlobReader {
  const oneAtATime = pLimit(1)
  let child: ChildProcessWithoutNullStreams | null = null
  let closed = false

  function living(): ChildProcessWithoutNullStreams {
    if (closed) throw new TransientFault('The config repository was closed.')
    if (child && child.exitCode === null && child.signalCode === null && child.stdin.writable) return child
    child = startCatFile(options)
    return child
  }

  async function end(): Promise<void> {
    const last = child
    child = null
    if (!last || last.exitCode !== null || last.signalCode !== null) return
    const ended = new Promise((resolve) => last.once('close', resolve))
    last.kill('SIGKILL')
    await ended
  }

  async function converse(ids: readonly BlobId[]): Promise<ReadonlyMap<BlobId, Uint8Array>> {
    try {
      return await readBatch(living(), ids, options)
    } catch (error) {
      await end()
      throw error
    }
  }

  return {
    read(ids) {
      const wanted = [...new Set(ids)]
      if (wanted.length === 0) return Promise.resolve(new Map())
      return oneAtATime(async () => {
        try {
          return await converse(wanted)
        } catch (error) {
          if (!(error instanceof ChildGone)) throw error
        }
        return converse(wanted)
      })
    },
    async close() {
      closed = true
      await end()
    },
  }
}

/** The child ended under our hands: worth one more try with a new one. */
class ChildGone extends TransientFault {}

function startCatFile(options: BlobReaderOptions): ChildProcessWithoutNullStreams {
  const settings = gitSettings(options).flatMap((setting) => ['-c', setting])
  const child = spawn('git', [...settings, 'cat-file', '--batch'], {
    cwd: WORKING_DIRECTORY,
    env: gitEnvironment(options, null),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // Its complaints are about missing objects, which the protocol tells as well; an unread pipe would block it.
  child.stderr.resume()
  // Without listeners a dying child would end the process; readBatch learns of the death by `close`.
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  return child
}

function readBatch(
  child: ChildProcessWithoutNullStreams,
  ids: readonly BlobId[],
  options: BlobReaderOptions,
): Promise<ReadonlyMap<BlobId, Uint8Array>> {
  return new Promise((resolve, reject) => {
    const answers = batchAnswers(ids, options.damagedFix)
    const deadline = setTimeout(() => settle(new TransientFault('git cat-file gave no answer in time.')), options.timeoutMs)
    function settle(error: Error | null): void {
      clearTimeout(deadline)
      child.stdout.off('data', onData)
      child.off('close', onClose)
      child.stdout.pause()
      if (error) reject(error)
      else resolve(answers.blobs)
    }
    function onData(chunk: Buffer): void {
      try {
        if (answers.take(chunk)) settle(null)
      } catch (error) {
        settle(error as Error)
      }
    }
    function onClose(): void {
      settle(new ChildGone('git cat-file ended before it had answered.'))
    }
    child.stdout.on('data', onData)
    child.once('close', onClose)
    child.stdout.resume()
    child.stdin.write(ids.map((id) => `${id}\n`).join(''))
  })
}

/** Takes the answers apart as they come; holds at most one blob and one chunk at a time beside the results. */
function batchAnswers(ids: readonly BlobId[], damagedFix: string) {
  const blobs = new Map<BlobId, Uint8Array>()
  let pending: Buffer = Buffer.alloc(0)

  /** True when every id has been answered. */
  function take(chunk: Buffer): boolean {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    while (blobs.size < ids.length) {
      const id = ids[blobs.size]!
      const headerEnd = pending.indexOf('\n')
      if (headerEnd < 0) return false
      const size = sizeOf(pending.toString('latin1', 0, headerEnd), id, damagedFix)
      const start = headerEnd + 1
      if (pending.length < start + size + 1) return false
      // A copy, so that one small document does not keep a whole chunk alive.
      blobs.set(id, new Uint8Array(pending.subarray(start, start + size)))
      pending = pending.subarray(start + size + 1)
    }
    return true
  }
  return { blobs, take }
}

/** Judged by the header alone, before any content is waited for. */
function sizeOf(header: string, id: BlobId, damagedFix: string): number {
  const [answered, type, size] = header.split(' ')
  if (answered !== id || type !== 'blob')
    throw new ConfigFault(`The blob ${id} is not there: ${header.slice(0, 120)}`, damagedFix)
  const bytes = Number(size)
  if (!(bytes <= MAX_BLOB_BYTES)) throw new RefusedFault(`The blob ${id} has ${size} bytes; at most ${MAX_BLOB_BYTES} are read.`)
  return bytes
}
