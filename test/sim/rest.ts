import type { Job } from '../../controller/jobs/job.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import type { Checks, Truth } from './checks.ts'
import { parsed } from './oracle.ts'
import { APP_REPOS, windowIsOpen } from './rules.ts'

const ENDED = new Set(['success', 'failed', 'canceled', 'expired'])

/** What is still under way although nothing hinders it, or waits for a reason that is not so; null when all is at rest. */
export async function whatIsRestless(truth: Truth, checks: Checks, store: OpenStore, sends: boolean): Promise<string | null> {
  const { config } = checks.shadow
  // Nothing can be taken over from a repository that was never readable.
  if (config === null && truth.remote.head().rules.broken === 'draven.yaml') return null
  const counts = await store.views.counts()
  if (counts.inboxPending > 0) return `${counts.inboxPending} deliveries were not looked at`
  if (sends && counts.outboxPending > 0) return `${counts.outboxPending} messages were not sent`
  const { shadow } = checks
  const unshown = sends ? [...shadow.messages.values()].find((message) => !checks.wasShown(message)) : undefined
  if (unshown !== undefined) return `${unshown.key} was never told`
  if (config === null) return 'no commit was ever accepted'
  for (const job of shadow.jobs.values()) {
    const why = ENDED.has(job.status) ? null : whyRestless(truth, checks, job)
    if (why !== null)
      return `job ${job.id} (${job.requestPath}) is ${job.status}, ${job.reason.code} (${job.reason.text}): ${why}`
  }
  if (counts.locks > 0) return 'a lock is held by nobody who runs'
  const head = truth.remote.head()
  if (config.head === head.id) {
    const paths = new Set([...shadow.jobs.values()].map((job) => job.requestPath))
    for (const path of head.requests.keys()) if (!paths.has(path)) return `${path} never became a job`
  } else if (config.frozen === null) return 'the newest commit was not looked at'
  for (const run of truth.pipelines.runs) {
    // What ran before the records were lost is only looked for where something may still start.
    if (checks.lostAt !== null && run.createdAt <= checks.lostAt) continue
    if (run.copyOf !== null) continue
    const job = shadow.jobs.get(run.trigger.jobId)
    const recorded = shadow.runs.get(`${run.trigger.jobId}#${run.trigger.attempt}`)
    const unknown = job?.reason.code === 'provider_unreachable' || job?.reason.code === 'trigger_outcome_unknown'
    if (recorded?.externalId !== run.id && !unknown && run.vanishedAt === null)
      return `run ${run.id} was never adopted (${job?.reason.code})`
  }
  return null
}

/** A reason to wait must be one that a person can do something about, or that time ends, and it must be so. */
function whyRestless({ now, remote, forge }: Truth, { shadow }: Checks, job: Job): string | null {
  const config = shadow.config!
  const rules = remote.commit(config.rulesCommit)!.rules
  const request = parsed(remote.commit(config.head)!.requests.get(job.requestPath) ?? '')
  const policy = rules.policies[rules.environments[job.key]?.policy ?? '']
  const not = (holds: boolean) => (holds ? null : 'that is not so')
  switch (job.reason.code) {
    case 'approval_missing':
      return not((policy?.approvals ?? 1) > 0)
    case 'ci_pending':
    case 'ci_missing': {
      const sha = request?.ref ? forge.refAt(APP_REPOS[job.project]!, request.ref, now()) : job.pin?.sha
      return not(sha !== null && sha !== undefined && forge.ciAt(sha as never, now()) !== 'success')
    }
    case 'window_closed':
      return not(policy?.window === true && !windowIsOpen(now()))
    case 'frozen':
      return not(Object.values(rules.freezes).some(({ from, to }) => from <= now() && now() < to))
    case 'held':
      return not(Object.values(rules.holds).some((hold) => hold.environment === job.environment))
    case 'config_frozen':
    case 'rules_change_unapproved':
      return not(config.frozen !== null)
    case 'config_unreadable':
      return not(config.frozen !== null || rules.broken !== null || remote.head().rules.broken !== null)
    case 'not_promoted':
      return not(rules.environments[job.key]?.promoteFrom !== null)
    default:
      return 'nobody can do anything about that, and it should have gone on by itself'
  }
}
