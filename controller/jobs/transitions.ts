import type { JobStatus } from './job.ts'

/** Every legal move between statuses. What is not in this table cannot happen; terminal statuses have no exits. */
export const TRANSITIONS: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  queued: ['waiting_approval', 'running', 'failed', 'canceled', 'expired'],
  waiting_approval: ['queued', 'failed', 'canceled', 'expired'],
  running: ['success', 'failed', 'canceled'],
  success: [],
  failed: [],
  canceled: [],
  expired: [],
}

export function mayMove(from: JobStatus, to: JobStatus): boolean {
  return from === to ? TRANSITIONS[from].length > 0 : TRANSITIONS[from].includes(to)
}

/** For places where an illegal move would be a bug of ours: better to stop than to write it. */
export function assertMove(from: JobStatus, to: JobStatus): void {
  if (!mayMove(from, to)) throw new Error(`illegal job transition ${from} → ${to}`)
}
