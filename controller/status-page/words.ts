import type { DismissalCode } from '../approvals/tally.ts'
import type { AuditAction } from '../audit/event.ts'
import type { JobStatus, RunState } from '../jobs/job.ts'
import type { ReasonCode } from '../model/reason.ts'
import type { GateName, Verdict } from '../policy/decision.ts'
import type { IconName } from './icons.ts'

/** Colour family of a state. Colour only repeats what glyph and word already say. */
export const TONES = ['ok', 'bad', 'wait', 'run', 'idle'] as const
export type Tone = (typeof TONES)[number]

/** What the page knows of a state's looks: glyph, word and colour, always together. */
export interface StateWords {
  word: string
  icon: IconName
  tone: Tone
}

export const STATUS_WORDS: Readonly<Record<JobStatus, StateWords>> = {
  queued: { word: 'Queued', icon: 'queue', tone: 'wait' },
  waiting_approval: { word: 'Waiting for approval', icon: 'people', tone: 'wait' },
  running: { word: 'Running', icon: 'play', tone: 'run' },
  success: { word: 'Success', icon: 'check', tone: 'ok' },
  failed: { word: 'Failed', icon: 'cross', tone: 'bad' },
  canceled: { word: 'Canceled', icon: 'slash', tone: 'idle' },
  expired: { word: 'Expired', icon: 'hourglass', tone: 'idle' },
}

export const VERDICT_WORDS: Readonly<Record<Verdict, StateWords>> = {
  allow: { word: 'Allowed', icon: 'check', tone: 'ok' },
  wait: { word: 'Waiting', icon: 'hourglass', tone: 'wait' },
  deny: { word: 'Denied', icon: 'cross', tone: 'bad' },
}

export const GATE_WORDS: Readonly<Record<GateName, string>> = {
  request: 'Request is valid',
  role: 'Requester may ask',
  ref: 'Ref is allowed',
  order: 'Promotion order',
  ci: 'CI is green',
  approval: 'Approvals',
  window: 'Deploy window',
  freeze: 'No freeze or hold',
  lock: 'Queue and lock',
}

export const RUN_WORDS: Readonly<Record<RunState, StateWords>> = {
  intended: { word: 'About to trigger', icon: 'clock', tone: 'run' },
  unknown: { word: 'Outcome unknown', icon: 'warning', tone: 'wait' },
  started: { word: 'Started', icon: 'play', tone: 'run' },
  refused: { word: 'Refused', icon: 'cross', tone: 'bad' },
  ended: { word: 'Ended', icon: 'check', tone: 'idle' },
}

export const DISMISSAL_WORDS: Readonly<Record<DismissalCode, string>> = {
  author: 'wrote the change',
  committer: 'committed to the change',
  co_author: 'co-wrote the change',
  pusher: 'pushed to the branch',
  requester: 'asked for it',
  bot: 'is a bot',
  account_gone: 'account is gone',
  unknown_person: 'not in access.yaml',
  not_in_role: 'not an approver here',
  stale_subject: 'approved other content',
  before_pin: 'given before this content',
  expired: 'too old',
  dismissed: 'dismissed',
  changes_requested: 'asks for changes',
  later_review: 'replaced by a later review',
  not_a_stance: 'only a comment',
  committers_unknown: 'committers not known',
  wrong_base: 'reviewed for another branch',
}

export const AUDIT_WORDS: Readonly<Record<AuditAction, string>> = {
  config_accepted: 'Config accepted',
  config_bootstrapped: 'Config read for the first time',
  config_frozen: 'Config frozen',
  config_thawed: 'Config in force again',
  rules_change_held: 'Rules change held back',
  request_accepted: 'Request accepted',
  request_refused: 'Request refused',
  request_changed: 'Request changed',
  subject_pinned: 'Content pinned',
  approvals_decided: 'Approvals counted',
  status_changed: 'Status changed',
  lock_acquired: 'Lock taken',
  lock_released: 'Lock released',
  trigger_intended: 'Trigger intended',
  trigger_sent: 'Pipeline triggered',
  trigger_refused: 'Trigger refused',
  trigger_unknown: 'Trigger outcome unknown',
  run_adopted: 'Run found and adopted',
  run_recorded: 'Run recorded',
  run_claimed: 'Run told to go on',
  claim_refused: 'Run told to stop',
  run_ended: 'Run ended',
  run_duplicate: 'Second run seen',
  run_late: 'Late news of a run',
  cancel_requested: 'Cancel requested',
  forced: 'Gates skipped by force',
  outbox_given_up: 'Message given up',
  controller_started: 'Controller started',
  leadership_taken: 'Leadership taken',
  controller_stopped: 'Controller stopped',
}

/** Waits that are the ordinary course of things and need nobody's attention. */
const ORDINARY_WAITS: ReadonlySet<ReasonCode> = new Set([
  'ready',
  'lock_held',
  'queue_position',
  'ci_pending',
  'trigger_pending',
  'run_queued',
  'run_active',
  'cancel_pending',
])

/** Waits that end when a person says yes. */
const PEOPLE_WAITS: ReadonlySet<ReasonCode> = new Set(['approval_missing', 'not_merged', 'rules_change_unapproved'])

export type Attention = 'people' | 'blocked' | 'running' | 'in_line'

/** Where an open job stands in the attention strip. A running job that is stuck at its provider is blocked, not merely running. */
export function attentionOf(job: { status: JobStatus; reason: { code: ReasonCode } }): Attention {
  if (job.status === 'waiting_approval' && ORDINARY_WAITS.has(job.reason.code)) return 'people'
  if (PEOPLE_WAITS.has(job.reason.code)) return 'people'
  if (!ORDINARY_WAITS.has(job.reason.code)) return 'blocked'
  return job.status === 'running' ? 'running' : 'in_line'
}
