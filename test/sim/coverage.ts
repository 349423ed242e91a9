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
    'job.adopt',
    'job.wait',
    'job.stay',
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
    'run.duplicate',
    'run.known',
    'run.late',
    'outbox due',
    'outbox delivered',
    'outbox failed',
    'outbox refused',
    'outbox given up',
    'leadership.taken',
    'views.config',
    'callback',
    'callbacks.of',
  ].map((unit) => `store ${unit}`),
  lease: ['lease take', 'lease renew', 'lease holder', 'lease release'],
  read: [
    'git fetch',
    'git fetch commit',
    'git fetch pull',
    'forge read pull',
    'forge resolve ref',
    'forge read ci',
    'pipeline observe',
  ],
  list: ['forge list pulls', 'pipeline find'],
  trigger: ['pipeline start'],
  cancel: ['pipeline cancel'],
  send: ['forge publish check', 'forge comment', 'forge mirror deployment'],
  delivery: ['inbox store'],
}

/** Faults that never struck at a step where they can, and effects that the list of steps does not know. */
export function uncovered(marks: Readonly<Record<string, number>>): { missing: string[]; unlisted: string[]; possible: number } {
  const wanted = Object.entries(STEPS).flatMap(([kind, labels]) =>
    labels.flatMap((label) => APPLICABLE[kind as EffectKind].map((fault) => `${fault} at ${label}`)),
  )
  const steps = new Set(Object.values(STEPS).flat())
  const seen = new Set(Object.keys(marks).map((mark) => mark.slice(mark.indexOf(' at ') + ' at '.length)))
  return {
    missing: wanted.filter((mark) => marks[mark] === undefined),
    unlisted: [...seen].filter((label) => !steps.has(label)),
    possible: wanted.length,
  }
}
