import { APPLICABLE, type EffectKind } from './faults.ts'

/** Every effect of the controller, by kind: the steps at which each fault that applies must have struck. */
const STEPS: Readonly<Partial<Record<EffectKind, readonly string[]>>> = {
  store: [
    'nudges',
    'nudges.settle',
    'config.read',
    'config.bootstrap',
    'config.accept',
    'config.freeze',
    'pulls.open',
    'pull.surroundings',
    'pull.judge',
    'pull.closed',
    'pull.left',
    'pull.shown',
    'observe',
    'jobs.open',
    'job.wait',
    'job.end',
    'job.start',
    'job.read',
    'job.successes',
    'job.retry',
    'run.record',
    'run.lookup',
    'run.adopt',
    'run.observe',
    'run.cancel',
    'run.end',
    'run.unreachable',
    'run.known',
    'run.late',
    'outbox due',
    'outbox delivered',
    'outbox failed',
    'outbox refused',
    'leadership.taken',
  ].map((unit) => `store ${unit}`),
  read: ['git fetch', 'git fetch pull', 'forge read pull', 'forge resolve ref', 'forge read ci', 'pipeline observe'],
  list: ['forge list pulls', 'pipeline find'],
  trigger: ['pipeline start'],
  cancel: ['pipeline cancel'],
  send: ['forge publish check', 'forge comment', 'forge mirror deployment'],
  delivery: ['inbox store'],
}

/** Faults that never struck at a step where they can. */
export function uncovered(marks: Readonly<Record<string, number>>): { missing: string[]; possible: number } {
  const wanted = Object.entries(STEPS).flatMap(([kind, labels]) =>
    labels.flatMap((label) => APPLICABLE[kind as EffectKind].map((fault) => `${fault} at ${label}`)),
  )
  return { missing: wanted.filter((mark) => marks[mark] === undefined), possible: wanted.length }
}
