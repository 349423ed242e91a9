import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { firstName, type Login } from '../config/files.ts'
import { CONFIG_REPO, productNamed } from '../config/repositories.ts'
import { checkLine, factOf, reviewLines } from '../pull-view.ts'
import { approvals, expectStatus, numbered, refusalOf, request, type Show, tellChecks, tellEnd } from '../show.ts'

const PATH = 'requests/shop/prod/2026-11-21-v1.4.2.yaml'
/** Monday 23 November 2026, 09:00 in Rome. */
const MONDAY_NINE = Date.parse('2026-11-23T08:00:00Z')

/** Two others must approve, whoever had a hand in it does not count, and prod opens on Monday. */
export async function prodDeploy(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  await tell.heading('2. Prod: two others approve, and the window must be open')
  await tell.note('The policy of prod: tags only, two approvals by others, green CI, Mon–Fri 09:00–19:00 Europe/Rome.')
  await stage.release(productNamed('shop'), 'v1.4.2')
  const asked = await request(
    show,
    'alice',
    PATH,
    requestFile('tag: v1.4.2', { reason: 'Novembre release' }),
    'Release shop v1.4.2',
  )
  await tellChecks(show, asked.view)
  await tell.say(
    'DRAVEN',
    `comments the plan: from → to ${factOf(asked.view.comment, 'from → to')}, policy ${factOf(asked.view.comment, 'policy')}`,
  )

  await tell.say('Dana', 'mends “Novembre”: she pushes a commit to that branch')
  const mended = requestFile('tag: v1.4.2', { reason: 'November release' })
  const before = await stage.forge.headOf(CONFIG_REPO, asked.pull)
  const head = await stage.forge.commit(CONFIG_REPO, asked.branch, { [PATH]: mended }, { as: 'dana', message: 'Mend a typo' })
  expectThat(head !== before, 'a new head', head)
  await cast.seen(asked.pull, 'the new head', () => true)

  await selfApproval(show, asked.pull)
  await cast.approve(asked.pull, 'dana')
  await tell.say('Dana', 'approves')
  const dana = await cast.seen(asked.pull, "Dana's review", ({ comment }) =>
    reviewLines(comment).some(({ who }) => who === 'dana'),
  )
  const line = reviewLines(dana.comment).find(({ who }) => who === 'dana')
  expectThat(line?.counted === false, "Dana's approval not to count", line)
  await tell.say('DRAVEN', `${checkLine('gate', dana.gate)}. ${line.text}`)

  await approvals(show, asked.pull, ['bob'], ({ gate }) => gate.title.startsWith('1 of 2'))
  await approvals(show, asked.pull, ['carla'], ({ gate }) => gate.title.startsWith('opens '))
  await knownAs(show, 'bob')
  await cast.merge(asked.pull, 'alice')
  await tell.say('Alice', `merges ${numbered(show, asked.pull)}`)
  const waiting = await cast.until(PATH, 'a job that waits for the window', (job) => job.reason.code === 'window_closed')
  expectThat(waiting.reason.until === MONDAY_NINE, 'the window to open Mon 23 Nov 09:00 in Rome', waiting.reason)
  await tell.say('DRAVEN', `… ${waiting.status}: ${waiting.reason.text}`)

  stage.travelTo(MONDAY_NINE)
  await tell.note('The clock is moved to Monday 09:00 in Rome. Nobody touches anything.')
  const job = await cast.ended(PATH)
  expectStatus(job, 'success')
  await tellEnd(show, job)
}

/** Where accounts are known by something else than a name, `access.yaml` says whose is whose. */
async function knownAs({ stage, tell }: Show, login: Login): Promise<void> {
  const { words, documents } = stage.forge
  const account = documents.account(login)
  if (account !== login)
    await tell.note(`To ${words.name}, ${firstName(login)} is ${account}: \`access.yaml\` says whose account that is.`)
}

/** Some forges refuse an approval by the author; where one takes it, DRAVEN does not count it. */
async function selfApproval(show: Show, pull: number): Promise<void> {
  const { stage, cast, tell } = show
  const { name } = stage.forge.words
  const refusal = await refusalOf(show, pull, 'alice')
  if (refusal !== null) return tell.say('Alice', `tries to approve her own request; ${name} says “${refusal}”`)
  await tell.say('Alice', `approves her own request, and ${name} lets her`)
  const view = await cast.seen(pull, "Alice's review", ({ comment }) => reviewLines(comment).some(({ who }) => who === 'alice'))
  const line = reviewLines(view.comment).find(({ who }) => who === 'alice')
  expectThat(line?.counted === false, "Alice's approval not to count", line)
  await tell.say('DRAVEN', `${checkLine('gate', view.gate)}. ${line.text}`)
}
