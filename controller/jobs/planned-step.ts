import type { DeployRequest } from '../model/desired-state.ts'
import type { Reason } from '../model/reason.ts'
import type { Decided } from './decide.ts'
import type { PastRun } from './evidence.ts'
import type { Job, Run, TerminalStatus } from './job.ts'

/** One next step. Steps of different jobs are independent; a job has at most one. */
export type PlannedStep =
  /** Look at the facts of a job, then plan again. `fresh`: each must be read anew, because something will rest on it. */
  | { kind: 'gather'; job: Job; request: DeployRequest; fresh: boolean }
  /** Keep waiting, with this reason and view. */
  | { kind: 'wait'; job: Job; request: DeployRequest; status: 'queued' | 'waiting_approval'; decided: Decided; reason: Reason }
  /** Leave it as it is, with this reason: nothing is known by which anything could be decided about it. */
  | { kind: 'stay'; job: Job; reason: Reason }
  /** It ran before, unseen: take that run over instead of starting one. */
  | { kind: 'adopt'; job: Job; request: DeployRequest; decided: Decided; past: Extract<PastRun, { found: true }> }
  /** All gates are open: lock, intend, trigger. */
  | { kind: 'start'; job: Job; request: DeployRequest; decided: Decided }
  /** End a job that never ran, or whose runs are all over. */
  | { kind: 'end'; job: Job; run: Run | null; status: TerminalStatus; reason: Reason; decided: Decided | null }
  /** Find out whether an intended run exists at the provider. */
  | { kind: 'look_up'; job: Job; run: Run }
  | { kind: 'observe'; job: Job; run: Run }
  | { kind: 'cancel'; job: Job; run: Run; reason: Reason }
  /** The last attempt was definitively refused and may be repeated now. */
  | { kind: 'retry'; job: Job; run: Run }
