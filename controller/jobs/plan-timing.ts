/** After how long to look again, and how long a run is looked for that gave no answer. */
export interface PlanTiming {
  pollMs: number
  runPollMs: number
  evidenceMaxAgeMs: number
  triggerLookupMs: number
}

/** How long a run may be invisible right after it was created before "not found" is believed. */
export const VISIBILITY_LAG_MS = 120_000
