import type { Instant } from '../clock.ts'

/** Why something waits, was refused or ended: the one record that PR check, comment, CLI, page, notice and metric label show alike. */
export interface Reason {
  code: ReasonCode
  /** One sentence for a person; plain text, never Markdown. Escaping belongs to each surface. */
  text: string
  since: Instant
  /** When it ends by itself (window opening, freeze end, expiry); null when it does not. */
  until: Instant | null
  waitingFor: readonly WaitingFor[]
  action: ReasonAction | null
}

export interface WaitingFor {
  kind: 'person' | 'group' | 'time' | 'lock' | 'ci' | 'provider' | 'job'
  /** Who or what: a person id, a group name, a job id, a check name, an ISO time. */
  ref: string
  done: boolean
}

export interface ReasonAction {
  /** What a person can do, e.g. `Ask an approver to review the pull request`. */
  text: string
  command: string | null
  url: string | null
}

/** Closed list: a new reason is a new row here and in docs/reasons.md; a code never changes its meaning. */
export const REASON_CODES = [
  // the request itself
  'invalid_request',
  'request_changed',
  'request_deleted',
  'rules_changed_together',
  'request_path_reused',
  // project and environment
  'project_unknown',
  'project_inactive',
  'environment_unknown',
  'environment_unusable',
  'environment_disabled',
  // people
  'requester_unknown',
  'requester_not_allowed',
  'force_not_allowed',
  'force_not_admin',
  // refs
  'ref_type_not_allowed',
  'ref_not_allowed',
  'ref_missing',
  'ref_not_reachable',
  'ref_moved',
  'rollback_not_allowed',
  'rollback_no_target',
  'rollback_not_proven',
  'not_promoted',
  // evidence
  'ci_pending',
  'ci_missing',
  'ci_failed',
  'check_unavailable',
  'evidence_stale',
  'approval_missing',
  'approval_impossible',
  'not_merged',
  // time and human stops
  'window_closed',
  'frozen',
  'held',
  'config_frozen',
  'config_unreadable',
  'rules_change_unapproved',
  // queue and lock
  'lock_held',
  'queue_position',
  // the run
  'trigger_pending',
  'trigger_outcome_unknown',
  'trigger_refused',
  'provider_unreachable',
  'run_queued',
  'run_active',
  'run_blocked_at_provider',
  'run_succeeded',
  'run_failed',
  'run_canceled',
  'run_timed_out',
  'run_vanished',
  'commit_mismatch',
  'cancel_pending',
  // ends
  'approval_expired',
  'queue_expired',
  'past_unknown',
  'ready',
] as const
export type ReasonCode = (typeof REASON_CODES)[number]
