import { verifyChain } from '../../../controller/audit/chain.ts'
import type { Job } from '../../../controller/jobs/job.ts'
import { expectThat } from '../cast.ts'
import { numbered, refusalOf, type Show } from '../show.ts'
import { leftOpen } from './left-open.ts'

/** The end of the story: what was recorded, held against what the forge itself has in its books. */
export async function books(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  await tell.heading('8. The books')
  const pull = await leftOpen(show)
  await tell.say(
    'Emil',
    `asks for four more things in ${stage.forge.words.pull} ${numbered(show, pull)}, Bob approves: they are left open for you to look at`,
  )
  if (stage.forge.words.refusesLateApprovals) await lateApproval(show, pull)
  const jobs: Job[] = []
  for (const path of show.requests) {
    const job = await cast.job(path)
    expectThat(job !== null, `a job of ${path}`, job)
    jobs.push(job)
  }
  const verdict = await verifyChain(stage.controller.store.auditRows())
  expectThat(verdict.ok, 'an unbroken audit chain', verdict)
  await tell.say('audit', `✓ verified: ${verdict.rows} rows in an unbroken hash chain, head ${verdict.head?.hash}`)
  const triggers = jobs.map((job) => [job, stage.forge.triggerCount(job.id)] as const)
  for (const [job, count] of triggers) {
    expectThat(
      count === (job.startedAt === null ? 0 : 1),
      `${job.requestPath} to be triggered exactly once, or never if it did not start`,
      count,
    )
  }
  const started = triggers.filter(([job]) => job.startedAt !== null).length
  await tell.say(
    'forge',
    `✓ ${started} jobs started, each of them triggered exactly once; ${jobs.length - started} still wait, none of them triggered`,
  )
  const kept = stage.forge.contractKept()
  if (kept !== null) await tell.say('forge', `✓ ${kept}`)
  await tell.line()
  await tell.table([
    ['JOB', 'ENVIRONMENT', 'WHAT', 'STATUS', 'APPROVALS', 'REASON'],
    ...jobs.map((job) => [job.id, job.key, whatOf(job), job.status, approvalsOf(job), job.reason.text]),
  ])
}

/** Where a forge takes no approval after the merge, what was merged too early has to be asked for again. */
async function lateApproval(show: Show, pull: number): Promise<void> {
  const { name } = show.stage.forge.words
  const refusal = await refusalOf(show, pull, 'carla')
  expectThat(refusal !== null, `${name} to refuse an approval after the merge`, refusal)
  await show.tell.say(
    'Carla',
    `tries to approve ${numbered(show, pull)}, but ${name} says “${refusal}”: what still lacks her approval must be asked for again`,
  )
}

function whatOf({ type, ref }: Job): string {
  return type === 'deploy' ? (ref?.name ?? '') : `${type}${ref === null ? '' : ` ${ref.name}`}`
}

function approvalsOf({ approvals }: Job): string {
  const people = (counted: boolean) =>
    approvals.filter((each) => each.counted === counted).map((each) => each.person ?? each.account)
  const [yes, no] = [people(true), people(false)]
  return [yes.join(', ') || '–', no.length === 0 ? '' : `(not ${no.join(', ')})`].join(' ').trim()
}
