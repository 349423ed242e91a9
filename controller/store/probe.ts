import type { Clock } from '../clock.ts'
import type { Db } from './db.ts'
import { asOperatingFault } from './trouble.ts'

const THE_ROW = { id: 1 }

/**
 * Tries whether the store takes a write: one row, committed to disk, then removed. Callers that come while one try is under way
 * share its outcome, so that asking often costs no more.
 */
export function storeProbe(db: Db, clock: Clock): () => Promise<void> {
  let trying: Promise<void> | null = null

  async function tryOnce(): Promise<void> {
    try {
      await db.probe.upsert({ where: THE_ROW, create: { ...THE_ROW, at: clock.now() }, update: { at: clock.now() } })
      await db.probe.deleteMany()
    } catch (error) {
      throw asOperatingFault(error)
    }
  }

  return () => {
    trying ??= tryOnce().finally(() => {
      trying = null
    })
    return trying
  }
}
