import type { Instant } from '../clock.ts'

/** Closed list of what is worth remembering. */
export const AUDIT_ACTIONS = [
  'config_accepted',
  'config_bootstrapped',
  'config_frozen',
  'config_thawed',
  'rules_change_held',
  'request_accepted',
  'request_refused',
  'request_changed',
  'subject_pinned',
  'approvals_decided',
  'status_changed',
  'lock_acquired',
  'lock_released',
  'trigger_intended',
  'trigger_sent',
  'trigger_refused',
  'trigger_unknown',
  'run_adopted',
  'run_recorded',
  'run_claimed',
  'claim_refused',
  'run_ended',
  'run_duplicate',
  'run_late',
  'cancel_requested',
  'forced',
  'outbox_given_up',
  'controller_started',
  'controller_stopped',
  'leadership_taken',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** One fact for the record, before it is numbered and chained. `data` holds only JSON values and never a secret. */
export interface AuditEvent {
  at: Instant
  action: AuditAction
  /** Who acted: a person id, `provider:login`, or `controller`. */
  actor: string
  jobId: string | null
  environment: string | null
  commit: string | null
  data: Readonly<Record<string, unknown>>
}

/** An audit event in its place in the chain: `hash = sha256(previousHash ‖ canonical(seq, event))`, hex. */
export interface AuditRow extends AuditEvent {
  seq: number
  previousHash: string
  hash: string
}
