import type { Command } from 'commander'
import type { EnvironmentFacts } from '../status-page/environment-facts.ts'
import type { JobPageFacts } from '../status-page/job-facts.ts'
import type { MatrixFacts } from '../status-page/matrix-facts.ts'
import { DEFAULT_URL, readController, withUrlOption } from './controller-api.ts'
import { explanation } from './explanation.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { painter, writeJson } from './output.ts'

interface ExplainOptions {
  url?: string
  json?: true
}

const AFTER_HELP = `
Asks a running controller; nothing is changed.

Examples:
  draven explain shop/prod
  draven explain shop/prod --url https://draven.acme.example
`

export function addExplain(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const command = program
    .command('explain')
    .description('what runs in an environment, who has its lock, what waits there, why, and what to do')
    .argument('<project/environment>', 'for example shop/prod')
    .option('--json', 'print the facts as JSON')
    .addHelpText('after', AFTER_HELP)
  withUrlOption(command, `DRAVEN_URL, else ${DEFAULT_URL}`).action(async (key: string, options: ExplainOptions) =>
    done(await explain(io, key, options)),
  )
}

async function explain(io: Io, key: string, options: ExplainOptions): Promise<ExitCode> {
  const match = /^([^/\s]+)\/([^/\s]+)$/.exec(key)
  if (match === null) {
    throw new CommandFault(
      EXIT.usage,
      `${JSON.stringify(key)} is not an environment.`,
      'Write project/environment, like shop/prod.',
    )
  }
  const url = options.url ?? io.env['DRAVEN_URL'] ?? DEFAULT_URL
  const [project, environment] = [match[1]!, match[2]!].map(encodeURIComponent)
  const facts = await readController<EnvironmentFacts>(io, url, `/api/v1/environments/${project}/${environment}`)
  if (facts === null) throw await unknownEnvironment(io, url, key)
  const jobs: JobPageFacts[] = []
  for (const { id } of facts.open) {
    const job = await readController<JobPageFacts>(io, url, `/api/v1/jobs/${encodeURIComponent(id)}`)
    if (job !== null) jobs.push(job)
  }
  if (options.json) writeJson(io, { environment: facts, jobs })
  else io.stdout.write(explanation(facts, jobs, painter(io)))
  return EXIT.ok
}

async function unknownEnvironment(io: Io, url: string, key: string): Promise<CommandFault> {
  const matrix = await readController<MatrixFacts>(io, url, '/api/v1/matrix')
  const { didYouMean } = await import('../model/suggest.ts')
  const known = (matrix?.projects ?? []).flatMap(({ cells }) =>
    cells.flatMap((cell) => (cell === null ? [] : [`${cell.project}/${cell.environment}`])),
  )
  const hint =
    didYouMean(key, known) ?? (known.length === 0 ? 'The controller knows no environment yet.' : `It knows ${known.join(', ')}.`)
  return new CommandFault(EXIT.usage, `The controller knows no environment ${key}.`, hint)
}
