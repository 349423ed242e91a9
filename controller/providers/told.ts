import type { Trigger } from '../jobs/executor.ts'

/** What every pipeline is told, by the agreed names. */
export function told(trigger: Trigger): Readonly<Record<string, string>> {
  const { jobId, environment, ref, type, sha, callback } = trigger
  const agreed = { JOB_ID: jobId, ENV: environment, REF: ref, TYPE: type, SHA: sha }
  return callback === null ? agreed : { ...agreed, CALLBACK_URL: callback.url, CALLBACK_TOKEN: callback.token }
}
