import type { Instant } from '../clock.ts'
import type { EnvironmentKey, JobId } from '../model/names.ts'
import type { Success } from '../policy/facts.ts'
import type { Evidence } from './evidence.ts'
import type { Job, Lock, Run } from './job.ts'
import type { ConfigState } from './state-store.ts'

/** Rows and evidence at one moment: everything `plan` may look at. */
export interface Observed {
  config: ConfigState
  configProvider: string | null
  configBranch: string
  /** Jobs that have not ended, by seq. */
  jobs: readonly Job[]
  runs: ReadonlyMap<JobId, readonly Run[]>
  locks: ReadonlyMap<string, Lock>
  evidence: ReadonlyMap<JobId, Evidence>
  /** Facts read since then are as fresh as they get. */
  tickStartedAt: Instant
  /** Jobs about whose facts or run somebody said "look now". */
  nudged: ReadonlySet<JobId>
  /** Jobs in whose project's repository something happened; what is known of their pull request is not touched by that. */
  stirred?: ReadonlySet<JobId>
  successes: ReadonlyMap<EnvironmentKey, readonly Success[]>
  /** Jobs whose trigger call is under way in this process. */
  inFlight: ReadonlySet<JobId>
  /** Jobs that cannot have run unseen; of any other, the provider is asked before anything starts on its environment. */
  witnessed?: ReadonlySet<JobId>
  /** Jobs about whose run this process lately asked the provider, without an answer. */
  unanswered: ReadonlySet<JobId>
}
