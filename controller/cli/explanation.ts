import type { Ref, RequestType } from '../model/desired-state.ts'
import type { CommitSha } from '../model/names.ts'
import { refLabel, shaLabel } from '../policy/wording.ts'
import type { EnvironmentFacts } from '../status-page/environment-facts.ts'
import type { JobFacts, ReasonFacts } from '../status-page/facts.ts'
import type { GateFacts, JobPageFacts } from '../status-page/job-facts.ts'
import { distanceText } from '../status-page/moments.ts'
import { GATE_WORDS, STATUS_WORDS } from '../status-page/words.ts'
import { minuteText, oneLine, type Paint, table } from './output.ts'

/** An environment and its open jobs for a terminal: first what is so, then for each job why it waits and what to do. */
export function explanation(facts: EnvironmentFacts, jobs: readonly JobPageFacts[], paint: Paint): string {
  return [head(facts, jobs, paint), ...jobs.map((job) => jobText(job, facts.frame.at, paint))].join('\n')
}

function head(facts: EnvironmentFacts, jobs: readonly JobPageFacts[], paint: Paint): string {
  const { frame, current, lock, stop, closed } = facts
  const [last] = facts.history
  const now = frame.at
  const holder = lock && facts.open.find((job) => job.id === lock.jobId)
  const lines: string[][] = [
    [
      'current',
      current === null
        ? 'nothing was deployed yet'
        : `${targetText(current)}, ${sinceText(current.endedAt, now)}, asked for by ${asker(current)}`,
    ],
    [
      'lock',
      lock === null
        ? 'free'
        : `held by ${holder ? `${targetText(holder)}, ` : ''}job ${lock.jobId}, fence ${lock.fence}, ${sinceText(lock.since, now)}`,
    ],
  ]
  // What went wrong since then is the next question.
  if (last !== undefined && last.id !== current?.id) {
    lines.splice(1, 0, [
      'last',
      `${targetText(last)}: ${STATUS_WORDS[last.status].word.toLowerCase()}, ${sinceText(last.endedAt, now)}: ${last.reason.text}`,
    ])
  }
  if (stop !== null) {
    const until = stop.until === null ? 'until it is deleted' : `until ${minuteText(stop.until)}`
    lines.push([stop.kind, `${stop.name} ${until}: ${stop.reason}`])
  }
  if (closed !== null) lines.push(['closed', closed])
  if (frame.config.frozen !== null) lines.push(['frozen', frame.config.frozen.text])
  if (frame.config.stale)
    lines.push([
      'stale',
      `the config repository was last read ${frame.config.seenAt === null ? 'never' : distanceText(frame.config.seenAt, now)}`,
    ])
  lines.push(['queue', queueText(jobs)])
  return `${paint('strong', `${facts.project}/${facts.environment}`)}${facts.description === '' ? '' : `  ${oneLine(facts.description)}`}\n${indented(lines)}`
}

function queueText(jobs: readonly JobPageFacts[]): string {
  const waiting = jobs
    .filter(({ queuePosition }) => queuePosition !== null)
    .sort((a, b) => a.queuePosition! - b.queuePosition!)
    .map(({ job, queuePosition }) => `${queuePosition}. ${targetText(job)}`)
  return waiting.length === 0 ? 'empty' : waiting.join(', ')
}

function jobText({ job, gates, approvals, runs }: JobPageFacts, now: string, paint: Paint): string {
  const tone = job.status === 'running' ? 'good' : 'warn'
  const run = runs.at(-1)
  const title = `${oneLine(`${targetText(job)} by ${asker(job)}`)}: ${paint(tone, STATUS_WORDS[job.status].word.toLowerCase())}`
  const lines: string[][] = [
    ['job', job.id],
    ['file', job.requestPath],
    ...(job.pullRequest === null ? [] : [['pull', `#${job.pullRequest.number} ${job.pullRequest.url}`]]),
    ...(run === undefined ? [] : [['run', `${run.state}, attempt ${run.attempt}${run.url === null ? '' : `, ${run.url}`}`]]),
    ...reasonLines(job.reason, now),
  ]
  return [
    `${title}\n${indented(lines)}`,
    gates.length === 0 ? '' : `  gates\n${indented(gates.map(gateRow), 4)}`,
    approvals.length === 0 ? '' : `  reviews\n${indented(approvals.map(reviewRow), 4)}`,
  ].join('')
}

function reasonLines(reason: ReasonFacts, now: string): string[][] {
  const waits = reason.waitingFor.map(({ label, done }) => (done ? `${label} (done)` : label))
  return [
    ['why', `${reason.text} (${reason.code})`],
    ['since', `${minuteText(reason.since)}, ${distanceText(reason.since, now)}`],
    ...(reason.until === null ? [] : [['until', `${minuteText(reason.until)}, ${distanceText(reason.until, now)}`]]),
    ...(waits.length === 0 ? [] : [['waits for', waits.join(', ')]]),
    ...(reason.action === null
      ? []
      : [['do', [reason.action.text, reason.action.command, reason.action.url].filter(Boolean).join(' ')]]),
  ]
}

const VERDICTS = { allow: 'ok', wait: 'waits', deny: 'no' } as const

function gateRow({ gate, verdict, saw, wanted, forced }: GateFacts): string[] {
  const want = verdict === 'allow' || wanted === '' ? '' : `; wanted: ${wanted}`
  return [forced ? 'forced' : VERDICTS[verdict], GATE_WORDS[gate], `${saw}${want}`]
}

function reviewRow({ name, account, state, counted, text }: JobPageFacts['approvals'][number]): string[] {
  const who = name === account ? account : `${name} (${account})`
  return [who, state.replaceAll('_', ' '), counted ? 'counts' : `does not count: ${text}`]
}

function targetText({ type, ref, sha }: { type: RequestType; ref: Ref | null; sha: string | null }): string {
  const named = ref === null ? 'the one before' : refLabel(ref)
  const commit = sha === null || ref?.type === 'sha' ? '' : ` at ${shaLabel(sha as CommitSha)}`
  return `${type.replace('_', ' ')} of ${named}${commit}`.replace('rollback of', 'rollback to')
}

function asker({ requester }: Pick<JobFacts, 'requester'>): string {
  return requester === null ? 'somebody not known yet' : requester.name
}

function sinceText(iso: string | null, now: string): string {
  return iso === null ? 'time not known' : `since ${minuteText(iso)} (${distanceText(iso, now)})`
}

function indented(rows: readonly (readonly string[])[], by = 2): string {
  const clean = rows.map((row) => row.map(oneLine))
  return table(clean).replace(/^(?=.)/gm, ' '.repeat(by))
}
