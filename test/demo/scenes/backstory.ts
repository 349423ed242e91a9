import { requestFile } from '../../scenarios/config-files.ts'
import { expectThat } from '../cast.ts'
import { PRODUCTS, type Product } from '../config/repositories.ts'
import { numbered, type Show } from '../show.ts'

/** Saturday 21 November 2026, 11:00 in Rome. */
const SATURDAY = Date.parse('2026-11-21T10:00:00Z')

/** The day on which everything was deployed once, so that the page has something to show. Told in one line. */
export async function backstory({ stage, cast, tell }: Show): Promise<void> {
  await tell.note('Setting the stage …')
  const files = Object.fromEntries(PRODUCTS.flatMap(firstDeploys))
  const { pull } = await cast.propose('alice', files, 'Deploy everything once')
  await cast.seen(pull, 'both checks', () => true)
  await cast.approve(pull, 'bob', 'carla')
  await cast.merge(pull, 'alice')
  const jobs = await Promise.all(Object.keys(files).map((path) => cast.ended(path)))
  const good = jobs.filter((job) => job.status === 'success').length
  expectThat(good === jobs.length, `${jobs.length} successful deploys to begin with`, good)
  stage.travelTo(SATURDAY)
  await tell.note(
    `So far: on Tuesday, ACME moved its ${PRODUCTS.length} products to DRAVEN and deployed each of them to stage, demo and prod (${stage.forge.words.pull} ${numbered({ stage }, pull)}, ${good} deploys). Today is Saturday 21 November 2026, 11:00 in Rome.`,
  )
}

function firstDeploys({ name, released }: Product): [path: string, text: string][] {
  return [
    [`requests/${name}/stage/2026-11-17-develop.yaml`, requestFile('branch: develop', { reason: 'What we work on' })],
    [`requests/${name}/demo/2026-11-17-main.yaml`, requestFile('branch: main', { reason: 'For the sales team' })],
    [`requests/${name}/prod/2026-11-17-${released}.yaml`, requestFile(`tag: ${released}`, { reason: 'Mid-November release' })],
  ]
}
