import { killWhenStuck } from '../../controller/event-loop.ts'
import { readOptions } from '../options.ts'
import { type Budget, run, type Totals } from './campaign.ts'
import { CAMPAIGNS } from './campaigns.ts'

const USAGE = `Hostile input at everything that reads what others wrote.

  npm run fuzz                          ten seconds each, with a seed of today
  npm run fuzz -- --seconds 60 --campaign yaml --campaign refs
  npm run fuzz -- --ci                  two seconds each
  npm run fuzz -- --campaign webhooks --campaign callbacks --inputs 100000     so many for each sender, and for pipelines
  npm run fuzz -- --nightly             the whole number of inputs
  npm run fuzz -- --campaign refs --seed 123 --inputs 250     the batch that failed, again

Campaigns: ${CAMPAIGNS.map(({ name }) => name).join(', ')}
`
const values = readOptions(USAGE, {
  seconds: { type: 'string' },
  inputs: { type: 'string' },
  seed: { type: 'string' },
  campaign: { type: 'string', multiple: true },
  ci: { type: 'boolean' },
  nightly: { type: 'boolean' },
})
/** Growth beyond this is a leak. */
const MAX_GROWTH_MIB = 50
const STUCK_MS = 30_000

const seed = values.seed === undefined ? Date.now() % 2_000_000_000 : Number(values.seed)
/** A name, or the first half of several. */
const chosen = CAMPAIGNS.filter(
  ({ name }) => values.campaign?.some((wanted) => wanted === name || name.startsWith(`${wanted}:`)) ?? true,
)
if (chosen.length === 0) {
  process.stderr.write(`There is no such campaign, only: ${CAMPAIGNS.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}

function budgetOf(nightly: number): Budget {
  if (values.inputs !== undefined) return { inputs: Number(values.inputs) }
  if (values.nightly) return { inputs: nightly }
  return { seconds: Number(values.seconds ?? (values.ci ? 2 : 10)) }
}

// A loop without an end is ended from outside; what was printed last says where.
const unguard = killWhenStuck(STUCK_MS)
let failed = 0
let inputs = 0
for (const campaign of chosen) {
  let lastShown = 0
  const show = (batch: number) => {
    if (Date.now() - lastShown < 5_000) return
    lastShown = Date.now()
    process.stderr.write(`${campaign.name}: at --seed ${batch}\n`)
  }
  const totals = await run(campaign, seed, budgetOf(campaign.nightly), show)
  inputs += totals.inputs
  const leaks = totals.grownMiB > MAX_GROWTH_MIB
  if (totals.failure !== null || leaks) failed++
  process.stdout.write(`${line(totals)}${leaks ? ' LEAKS' : ''}\n`)
  if (totals.failure !== null) {
    process.stdout.write(`\n${campaign.holds}: NOT SO\n${totals.failure.report}\n`)
    process.stdout.write(`again: npm run fuzz -- --campaign ${campaign.name} --seed ${totals.failure.seed} --inputs 250\n\n`)
  }
}
unguard()
process.stdout.write(`${inputs} inputs in all\n`)
process.stdout.write(failed === 0 ? 'no crash, no hang, no wrong answer\n' : `${failed} of ${chosen.length} failed\n`)
process.exitCode = failed === 0 ? 0 : 1

function line({ name, inputs, seconds, slowestMs, grownMiB, answers, failure }: Totals): string {
  const rate = Math.round(inputs / seconds)
  const facts = `${String(inputs).padStart(9)} inputs  ${String(rate).padStart(6)}/s  slowest ${slowestMs.toFixed(1)} ms  grown ${grownMiB.toFixed(0)} MiB`
  const statuses = [...answers].sort(([one], [other]) => one - other).map(([status, times]) => `${times}×${status}`)
  return `${failure === null ? 'ok  ' : 'FAIL'} ${name.padEnd(23)} ${facts}  seed ${seed}  ${statuses.join(' ')}`.trimEnd()
}
