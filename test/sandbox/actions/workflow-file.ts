import { parse } from 'yaml'

/** A workflow file, as far as the emulator runs it. */
export interface Workflow {
  name: string
  runName: string | null
  /** Null when the file cannot be dispatched by hand. */
  inputs: Readonly<Record<string, WorkflowInput>> | null
  env: Readonly<Record<string, string>>
  concurrency: { group: string; cancelInProgress: boolean } | null
  jobs: readonly WorkflowJob[]
}

export interface WorkflowInput {
  required: boolean
  default: string | null
}

export interface WorkflowJob {
  name: string
  env: Readonly<Record<string, string>>
  steps: readonly WorkflowStep[]
}

export interface WorkflowStep {
  name: string
  /** Null for a `uses:` step: actions are not fetched, the step passes without doing anything. */
  run: string | null
  /** The action of a `uses:` step, and what it is told. */
  uses: string | null
  with: Readonly<Record<string, string>>
  env: Readonly<Record<string, string>>
  /** `if: always()`: runs also after a failure or a cancel. */
  always: boolean
}

type Mapping = Readonly<Record<string, unknown>>

/** Reads a workflow file; throws on YAML that is none, as GitHub would refuse the file. */
export function parseWorkflow(text: string, path: string): Workflow {
  const root = mapping(parse(text))
  // YAML 1.1 readers turn the key `on` into true; ours does not, but files written for them may quote it.
  const triggers = root['on']
  const dispatch =
    typeof triggers === 'string' || Array.isArray(triggers) ? hasTrigger(triggers) : mapping(triggers)['workflow_dispatch']
  return {
    name: scalar(root['name']) ?? path,
    runName: scalar(root['run-name']),
    inputs: dispatch === undefined || dispatch === false ? null : inputsOf(mapping(mapping(dispatch)['inputs'])),
    env: texts(root['env']),
    concurrency: concurrencyOf(root['concurrency']),
    jobs: Object.entries(mapping(root['jobs'])).map(([id, job]) => jobOf(id, mapping(job))),
  }
}

function hasTrigger(triggers: string | unknown[]): boolean {
  return triggers === 'workflow_dispatch' || (Array.isArray(triggers) && triggers.includes('workflow_dispatch'))
}

function inputsOf(declared: Mapping): Record<string, WorkflowInput> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, input]) => {
      const { required, default: otherwise } = mapping(input)
      return [name, { required: required === true, default: scalar(otherwise) }]
    }),
  )
}

function concurrencyOf(value: unknown): Workflow['concurrency'] {
  if (typeof value === 'string') return { group: value, cancelInProgress: false }
  const group = scalar(mapping(value)['group'])
  return group === null ? null : { group, cancelInProgress: mapping(value)['cancel-in-progress'] === true }
}

function jobOf(id: string, job: Mapping): WorkflowJob {
  const steps = Array.isArray(job['steps']) ? job['steps'] : []
  return { name: scalar(job['name']) ?? id, env: texts(job['env']), steps: steps.map((step) => stepOf(mapping(step))) }
}

function stepOf(step: Mapping): WorkflowStep {
  const run = scalar(step['run'])
  const title = scalar(step['name']) ?? (run === null ? `Run ${scalar(step['uses']) ?? ''}` : `Run ${run.split('\n')[0]}`)
  const action = { uses: scalar(step['uses']), with: texts(step['with']) }
  return { name: title, run, ...action, env: texts(step['env']), always: /always\(\)/.test(scalar(step['if']) ?? '') }
}

/** What `${{ … }}` may ask for, by its full name: `inputs.JOB_ID`, `github.run_id`. */
export type ExpressionContext = Readonly<Record<string, string>>

/** Fills in `${{ inputs.X }}`, `${{ github.event.inputs.X }}` and `${{ github.X }}`; what is not known becomes empty. */
export function expand(text: string, context: ExpressionContext): string {
  return text.replace(
    /\$\{\{\s*([\w.-]+)\s*\}\}/g,
    (_, name: string) => context[name.replace(/^github\.event\.inputs\./, 'inputs.')] ?? '',
  )
}

function mapping(value: unknown): Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {}
}

function scalar(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(mapping(value)).map(([name, each]) => [name, scalar(each) ?? '']))
}
