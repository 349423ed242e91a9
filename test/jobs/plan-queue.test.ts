import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../controller/clock.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import type { Observed } from '../../controller/jobs/observed-state.ts'
import { plan } from '../../controller/jobs/plan.ts'
import { takesLock } from '../../controller/jobs/plan-desired.ts'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import type { ReasonCode } from '../../controller/model/reason.ts'
import {
  BLOB,
  ciEvidence,
  deployWindow,
  environment,
  finding,
  freeze,
  hold,
  known,
  NOW,
  OTHER_SHA,
  policy,
  prodPolicy,
  resolved,
  SHA,
  success,
  unknown,
} from '../policy/fixtures.ts'
import { evidence, jobFor, observed, openDesired, requestNumber, runFor, TIMING } from './fixtures.ts'
import { first, heldBy, running, second, steps, third } from './plan-fixtures.ts'

describe('the queue of an environment', () => {
  it('starts the oldest ready job and tells the others their place', () => {
    const jobs = [first, second, third].map((request) => jobFor(request))
    expect(steps(openDesired([first, second, third]), observed(jobs))).toEqual([
      'r1 start',
      'r2 waits as queued: queue_position',
      'r3 waits as queued: queue_position',
    ])
  })

  it('lets a ready job pass one that waits for approval', () => {
    const prod = environment({ policy: prodPolicy({ window: null, requireCiSuccess: false }) })
    const open = environment({ name: 'stage', policy: policy() })
    const waiting = jobFor(first)
    const ready = jobFor(requestNumber(2, { environment: 'stage' }))
    const desired = openDesired([first, requestNumber(2, { environment: 'stage' })], {
      environments: new Map([
        [prod.key, prod],
        [open.key, open],
      ]),
    })
    expect(steps(desired, observed([waiting, ready]))).toEqual(['r1 waits as waiting_approval: approval_missing', 'r2 start'])
  })

  it('holds every job back while another one has the lock', () => {
    const holder = running()
    const desired = openDesired([first, second])
    const seen = observed([holder, jobFor(second)], {
      locks: heldBy(holder),
      runs: new Map([[holder.id, [runFor(holder, { observedAt: NOW })]]]),
    })
    expect(steps(desired, seen)).toEqual(['r2 waits as queued: lock_held'])
  })

  it('lets nobody overtake a job whose facts are still being read', () => {
    const jobs = [jobFor(first), jobFor(second)]
    const seen = observed(jobs, { evidence: new Map([[jobs[1]!.id, evidence()]]) })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 gather', 'r2 waits as queued: queue_position'])
  })

  it('holds them back while one runs that began without a lock, and for no dry run', () => {
    const desired = openDesired([first, second])
    const beside = (type: 'deploy' | 'dry_run') => {
      const runner = running(first, { type })
      const runs = new Map([[runner.id, [runFor(runner, { fence: null, observedAt: NOW })]]])
      return steps(desired, observed([runner, jobFor(second)], { runs }))
    }
    expect(beside('deploy')).toEqual(['r2 waits as queued: lock_held'])
    expect(beside('dry_run')).toEqual(['r2 start'])
  })

  it('starts every job at once where the environment takes no lock', () => {
    const free = environment({ policy: policy(), lockStrategy: 'none' })
    const jobs = [jobFor(first), jobFor(second)]
    expect(steps(openDesired([first, second], { environments: new Map([[free.key, free]]) }), observed(jobs))).toEqual([
      'r1 start',
      'r2 start',
    ])
  })

  it('lets a dry run go while the environment is locked', () => {
    const holder = running()
    const dry = requestNumber(2, { type: 'dry_run' })
    const seen = observed([holder, jobFor(dry)], {
      locks: heldBy(holder),
      runs: new Map([[holder.id, [runFor(holder, { observedAt: NOW })]]]),
    })
    expect(steps(openDesired([first, dry]), seen)).toEqual(['r2 start'])
  })
})

describe('a dry run in the queue', () => {
  const dry = requestNumber(1, { type: 'dry_run' })
  const jobs = [jobFor(dry), jobFor(second)]
  const desired = openDesired([dry, second])

  it('stands in nobody’s way, whether its facts are still read, read once more, or let it start', () => {
    const unread = observed(jobs, { evidence: new Map([[jobs[1]!.id, evidence()]]) })
    expect(steps(desired, unread)).toEqual(['r1 gather', 'r2 start'])
    const before = evidence({ at: NOW - SECOND_MS })
    const reread = observed(jobs, {
      evidence: new Map([jobs[0]!.id, jobs[1]!.id].map((id, index) => [id, index === 0 ? before : evidence()])),
    })
    expect(steps(desired, reread)).toEqual(['r1 gather', 'r2 start'])
    expect(steps(desired, observed(jobs))).toEqual(['r1 start', 'r2 start'])
  })

  it('starts while it is not known whether another job runs', () => {
    const unasked = evidence({ past: unknown('GitHub answered 502') })
    const seen = observed(jobs, { evidence: new Map(jobs.map(({ id }, index) => [id, index === 0 ? evidence() : unasked])) })
    expect(steps(desired, seen)).toEqual(['r1 start', 'r2 waits as queued: check_unavailable'])
  })

  it('takes no lock, nor does a request for an environment that is not there', () => {
    expect(takesLock(desired, dry)).toBe(false)
    expect(takesLock(desired, second)).toBe(true)
    expect(takesLock({ ...desired, environments: new Map() }, second)).toBe(false)
  })
})

describe('a job that is not ready', () => {
  const green = environment({ policy: policy({ requireCiSuccess: true }) })
  const desired = openDesired([first, second, third], { environments: new Map([[green.key, green]]) })
  const jobs = [first, second, third].map((request) => jobFor(request))

  it('is passed by one behind it on its own environment', () => {
    const red = evidence({ ci: ciEvidence([]) })
    const seen = observed(jobs, { evidence: new Map(jobs.map(({ id }, index) => [id, index === 0 ? red : evidence()])) })
    expect(steps(desired, seen)).toEqual(['r1 waits as queued: ci_missing', 'r2 start', 'r3 waits as queued: queue_position'])
  })

  it('but for the lock keeps its place before those behind it', () => {
    const holder = running(requestNumber(4))
    const seen = observed([holder, ...jobs.slice(0, 2)], {
      locks: heldBy(holder),
      runs: new Map([[holder.id, [runFor(holder, { observedAt: NOW })]]]),
    })
    const all = { ...desired, requests: new Map([...desired.requests, [holder.requestPath, requestNumber(4)]]) }
    expect(steps(all, seen)).toEqual(['r1 waits as queued: lock_held', 'r2 waits as queued: queue_position'])
  })

  it('begins to wait anew when it waits for something else, and goes on waiting for the same', () => {
    const since = NOW - HOUR_MS
    const about = (code: 'ci_missing' | 'ci_pending') => {
      const one = jobFor(first, { reason: reasonOf(code, 'before', since) })
      const [step] = plan(
        desired,
        observed([one], { evidence: new Map([[one.id, evidence({ ci: ciEvidence([]) })]]) }),
        TIMING,
        NOW,
      )
      return step?.kind === 'wait' ? step.reason : null
    }
    expect(about('ci_missing')).toMatchObject({ code: 'ci_missing', since })
    expect(about('ci_pending')).toMatchObject({ code: 'ci_missing', since: NOW })
  })

  it('starts from the queue: one that waited for approvals goes there first, without its facts being read again', () => {
    const at = NOW - SECOND_MS
    const waited = jobFor(first, { status: 'waiting_approval', reason: reasonOf('frozen', 'x', at) })
    const seen = observed([waited], { evidence: new Map([[waited.id, evidence({ at, lookedAt: at })]]) })
    expect(plan(openDesired([first]), seen, TIMING, NOW)).toMatchObject([
      {
        kind: 'wait',
        status: 'queued',
        reason: { code: 'ready', since: NOW, text: expect.stringContaining('it starts next'), action: null },
      },
    ])
  })
})

describe('a refusal', () => {
  const off = environment({ policy: policy(), enabled: false })
  const desired = openDesired([first], { environments: new Map([[off.key, off]]) })
  const refusedAfter = (age: number, code: 'frozen' | 'queue_position' | 'lock_held' = 'frozen') => {
    const at = NOW - age
    const one = jobFor(first, { reason: reasonOf(code, 'x', at) })
    return steps(desired, observed([one], { evidence: new Map([[one.id, evidence({ at, lookedAt: at })]]) }))
  }

  it('needs facts that are young, but not those of this very moment', () => {
    expect(refusedAfter(SECOND_MS)).toEqual(['r1 ends failed: environment_disabled'])
    expect(refusedAfter(TIMING.evidenceMaxAgeMs)).toEqual(['r1 ends failed: environment_disabled'])
    expect(refusedAfter(TIMING.evidenceMaxAgeMs + 1)).toEqual(['r1 gather'])
  })

  it('of what stood in line needs facts of this moment, since nobody reads any there', () => {
    expect(refusedAfter(SECOND_MS, 'queue_position')).toEqual(['r1 gather'])
    expect(refusedAfter(SECOND_MS, 'lock_held')).toEqual(['r1 gather'])
  })
})

describe('a rollback without a ref', () => {
  it('goes to the commit before the present one', () => {
    const back = requestNumber(1, { type: 'rollback', ref: null })
    const seen = observed([jobFor(back)], {
      successes: new Map([[back.key, [success(), success({ jobId: 'older', sha: OTHER_SHA })]]]),
      evidence: new Map([[jobFor(back).id, evidence({ ref: resolved({ sha: OTHER_SHA }) })]]),
    })
    expect(plan(openDesired([back]), seen, TIMING, NOW)).toMatchObject([
      { kind: 'start', decided: { target: { type: 'sha', name: OTHER_SHA } } },
    ])
  })
})

describe('an environment without a lock', () => {
  const free = environment({ policy: policy(), lockStrategy: 'none' })
  const desired = openDesired([first, second], { environments: new Map([[free.key, free]]) })
  const jobs = [jobFor(first), jobFor(second)]

  it('lets a job whose facts are being read stand in nobody’s way', () => {
    const unread = observed(jobs, { evidence: new Map([[jobs[1]!.id, evidence()]]) })
    expect(steps(desired, unread)).toEqual(['r1 gather', 'r2 start'])
    const old = evidence({ at: NOW - HOUR_MS, lookedAt: NOW - HOUR_MS })
    const inLine = jobFor(first, { reason: reasonOf('queue_position', 'behind', NOW) })
    const aged = observed([inLine, jobs[1]!], {
      evidence: new Map([
        [inLine.id, old],
        [jobs[1]!.id, evidence()],
      ]),
    })
    expect(steps(desired, aged)).toEqual(['r1 gather', 'r2 start'])
  })
})

describe('a job that waited in line', () => {
  it('has its facts read anew before it starts, and keeps its place meanwhile', () => {
    const before = evidence({ at: NOW - SECOND_MS, lookedAt: NOW - SECOND_MS })
    const jobs = [first, second].map((request) => jobFor(request, { reason: reasonOf('lock_held', 'held', NOW - HOUR_MS) }))
    const seen = observed(jobs, { evidence: new Map(jobs.map((one) => [one.id, before])) })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 gather', 'r2 waits as queued: queue_position'])
  })

  it('is looked at when something in its project stirred, and let alone between two polls', () => {
    const at = NOW - SECOND_MS
    const job = jobFor(first, { reason: reasonOf('ready', 'next', NOW) })
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at, lookedAt: at })]]) })
    expect(steps(openDesired([first]), { ...seen, stirred: new Set([job.id]) })).toEqual(['r1 gather'])
    expect(steps(openDesired([first]), { ...seen, stirred: new Set(), tickStartedAt: at })).toEqual(['r1 start'])
  })

  it('starts only on facts of the present look: an approval may have been dismissed a moment ago', () => {
    const at = NOW - SECOND_MS
    const job = jobFor(first, { reason: reasonOf('ci_missing', 'no result', NOW) })
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at, lookedAt: at })]]) })
    expect(plan(openDesired([first]), seen, TIMING, NOW)).toMatchObject([{ kind: 'gather', fresh: true }])
    expect(steps(openDesired([first]), { ...seen, tickStartedAt: at })).toEqual(['r1 start'])
  })
})

describe('a promotion', () => {
  const stage = environment({ name: 'stage', policy: policy() })
  const prod = environment({ policy: policy(), promoteFrom: 'stage' })
  const desired = openDesired([first], {
    environments: new Map([
      [stage.key, stage],
      [prod.key, prod],
    ]),
  })

  it('asks for a success of this commit in the environment before', () => {
    const seen = observed([jobFor(first)])
    expect(steps(desired, seen)).not.toContain('r1 start')
    expect(steps(desired, { ...seen, successes: new Map([[stage.key, [success({ sha: SHA })]]]) })).toEqual(['r1 start'])
  })
})

describe('facts', () => {
  const about = (code: ReasonCode, overrides: Partial<Observed>, lookedAt: number) => {
    const job = jobFor(first, { reason: reasonOf(code, 'x', NOW - HOUR_MS) })
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at: NOW, lookedAt })]]), ...overrides })
    return plan(openDesired([first]), seen, TIMING, NOW).map((step) =>
      step.kind === 'gather' ? `gather, fresh: ${step.fresh}` : step.kind,
    )
  }
  const id = jobFor(first).id

  it('are all read anew where there are none, and after a nudge, unless they were looked at in this very pass', () => {
    expect(plan(openDesired([first]), observed([jobFor(first)], { evidence: new Map() }), TIMING, NOW)).toMatchObject([
      { kind: 'gather', fresh: true },
    ])
    expect(about('frozen', { nudged: new Set([id]) }, NOW - 1)).toEqual(['gather, fresh: true'])
    expect(about('frozen', { nudged: new Set([id]) }, NOW)).toEqual(['start'])
  })

  it('are only looked at when something stirred, or half a poll after the last look while an answer is awaited', () => {
    expect(about('frozen', { stirred: new Set([id]) }, NOW - 1)).toEqual(['gather, fresh: false'])
    expect(about('frozen', {}, NOW - HOUR_MS)).toEqual(['start'])
    expect(about('ci_pending', {}, NOW - TIMING.pollMs / 2)).toEqual(['gather, fresh: false'])
    expect(about('ci_pending', {}, NOW - TIMING.pollMs / 2 + 1)).toEqual(['start'])
  })

  it.each([
    'approval_missing',
    'ci_pending',
    'ci_missing',
    'check_unavailable',
    'evidence_stale',
    'ready',
    'requester_unknown',
    'ref_missing',
  ] as const)('are looked at again and again while a job waits because of %s', (code) => {
    expect(about(code, {}, NOW - TIMING.pollMs)).toEqual(['gather, fresh: false'])
  })

  it('are read again before a start when they have grown old', () => {
    const job = jobFor(first)
    const old = NOW - 31 * SECOND_MS
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at: old, lookedAt: old })]]) })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 gather'])
  })

  it('are read again after a nudge and after an edit of the request', () => {
    const job = jobFor(first, { reason: reasonOf('lock_held', 'held', NOW) })
    const other = jobFor(second, { requestBlob: BLOB })
    const seen = observed([job, other], {
      nudged: new Set([job.id]),
      evidence: new Map([job, other].map((one) => [one.id, evidence({ at: NOW - SECOND_MS, lookedAt: NOW - SECOND_MS })])),
    })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 gather', 'r2 gather'])
  })

  it('that cannot be read make a job wait, never start', () => {
    const job = jobFor(first)
    for (const broken of [evidence({ ref: unknown() }), evidence({ origin: unknown() })]) {
      expect(steps(openDesired([first]), observed([job], { evidence: new Map([[job.id, broken]]) }))).toEqual([
        'r1 waits as queued: check_unavailable',
      ])
    }
  })
})

describe('requests that cannot run', () => {
  it.each([
    ['deleted', openDesired([]), 'r1 ends canceled: request_deleted'],
    [
      'unusable',
      openDesired([], {
        unusableRequests: new Map([
          [
            first.path,
            { path: first.path, blob: first.blob, project: 'shop', environment: 'prod', findings: [finding(first.path)] },
          ],
        ]),
      }),
      'r1 ends failed: invalid_request',
    ],
    ['for an unknown environment', openDesired([first], { environments: new Map() }), 'r1 ends failed: environment_unknown'],
    [
      'for an unusable environment',
      openDesired([first], {
        environments: new Map(),
        unusableEnvironments: new Map([[first.key, [finding('policies/prod.yaml')]]]),
      }),
      'r1 ends failed: environment_unusable',
    ],
    [
      'for an unknown project',
      openDesired([first], { environments: new Map(), projects: new Map() }),
      'r1 ends failed: project_unknown',
    ],
  ])('end with their reason when %s', (_name, desired, expected) => {
    expect(steps(desired, observed([jobFor(first)]))).toEqual([expected])
  })

  it('end when they were pushed without a pull request', () => {
    const job = jobFor(first)
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ origin: known({ kind: 'direct_push' }) })]]) })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 ends failed: requester_unknown'])
  })

  it('end when their pull request changed the rules as well', () => {
    const job = jobFor(first)
    const origin = evidence().origin
    if (!origin.known || origin.value.kind !== 'pull_request') throw new Error('fixture')
    const seen = observed([job], {
      evidence: new Map([[job.id, evidence({ origin: known({ ...origin.value, changesRules: true }) })]]),
    })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 ends failed: rules_changed_together'])
  })

  it('stay while rules that may bring what they need are not in force yet', () => {
    const seen = observed([jobFor(first)])
    const held = reasonOf('rules_change_unapproved', 'projects/new is not approved', NOW - DAY_MS)
    const without = openDesired([first], { environments: new Map(), projects: new Map() })
    const frozen = { ...seen, config: { ...seen.config, frozen: held } }
    expect(plan(without, frozen, TIMING, NOW)).toMatchObject([
      { kind: 'stay', reason: { code: 'rules_change_unapproved', since: NOW } },
    ])
    expect(steps(without, seen)).toEqual(['r1 ends failed: project_unknown'])
  })

  it('wait while the config repository is frozen', () => {
    const seen = observed([jobFor(first)])
    const frozen = { ...seen, config: { ...seen.config, frozen: reasonOf('config_frozen', 'rewritten', NOW) } }
    expect(steps(openDesired([first]), frozen)).toEqual(['r1 waits as queued: config_frozen'])
  })

  it('wait while it is frozen also as dry runs, whose pipeline runs code that nobody can vouch for', () => {
    const dryRun = { ...first, type: 'dry_run' as const }
    const seen = observed([jobFor(dryRun)])
    const frozen = { ...seen, config: { ...seen.config, frozen: reasonOf('config_frozen', 'rewritten', NOW) } }
    expect(steps(openDesired([dryRun]), frozen)).toEqual(['r1 waits as queued: config_frozen'])
  })

  it('expire after waiting too long for one and the same thing', () => {
    const prod = environment({ policy: prodPolicy({ window: null, requireCiSuccess: false }) })
    const desired = openDesired([first], { environments: new Map([[prod.key, prod]]) })
    const since = (age: number) =>
      observed([jobFor(first, { status: 'waiting_approval', reason: reasonOf('approval_missing', 'x', NOW - age) })])
    expect(steps(desired, since(7 * DAY_MS - 1))).toEqual(['r1 waits as waiting_approval: approval_missing'])
    expect(steps(desired, since(7 * DAY_MS))).toEqual(['r1 ends expired: approval_expired'])
  })

  it('expire as late when they wait for a window or the end of a freeze', () => {
    const shut = environment({ policy: policy({ window: deployWindow({ days: ['Sun'] }) }) })
    const aged = (age: number, code: ReasonCode, desired: DesiredState) =>
      steps(desired, observed([jobFor(first, { reason: reasonOf(code, 'x', NOW - age) })]))
    const closed = openDesired([first], { environments: new Map([[shut.key, shut]]) })
    expect(aged(7 * DAY_MS - 1, 'window_closed', closed)).toEqual(['r1 waits as queued: window_closed'])
    expect(aged(7 * DAY_MS, 'window_closed', closed)).toEqual(['r1 ends expired: queue_expired'])
    const held = openDesired([first], { holds: [hold()] })
    expect(aged(7 * DAY_MS - 1, 'held', held)).toEqual(['r1 waits as queued: held'])
    expect(aged(7 * DAY_MS, 'held', held)).toEqual(['r1 ends expired: queue_expired'])
  })

  it('wait from when they came, not from when what they wait for began', () => {
    const late = { reason: reasonOf('approval_missing', 'x', NOW - 6 * DAY_MS), createdAt: NOW - 6 * DAY_MS }
    const frozen = reasonOf('config_frozen', 'rewritten', NOW - 8 * DAY_MS)
    const cases: [DesiredState, Partial<Observed>][] = [
      [openDesired([first], { freezes: [freeze({ fromAt: NOW - 8 * DAY_MS })] }), {}],
      [openDesired([first]), { config: { ...observed([]).config, frozen } }],
      [openDesired([first]), { locks: heldBy(running(second), NOW - 2 * DAY_MS) }],
    ]
    for (const [desired, overrides] of cases) {
      const [step] = plan(desired, observed([jobFor(first, late)], overrides), TIMING, NOW)
      expect(step).toMatchObject({ kind: 'wait', reason: { since: NOW } })
      if (step?.kind !== 'wait') throw new Error('it does not wait')
      const later = observed([jobFor(first, { ...late, reason: step.reason })], overrides)
      expect(plan(desired, later, TIMING, NOW + HOUR_MS)).toMatchObject([{ kind: 'wait', reason: { since: NOW } }])
    }
  })

  it('expire sooner when they wait for a machine, and say that it was the queue', () => {
    const held = jobFor(first, { reason: reasonOf('check_unavailable', 'x', NOW - DAY_MS) })
    const seen = observed([held], { evidence: new Map([[held.id, evidence({ ref: unknown() })]]) })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 ends expired: queue_expired'])
  })

  it('say so without a finding, too', () => {
    const unusable = { path: first.path, blob: first.blob, project: 'shop', environment: 'prod', findings: [] }
    const reasonIn = (desired: DesiredState) => {
      const [step] = plan(desired, observed([jobFor(first)]), TIMING, NOW)
      return step?.kind === 'end' ? step.reason : null
    }
    expect(reasonIn(openDesired([], { unusableRequests: new Map([[first.path, unusable]]) }))).toMatchObject({
      text: 'The request file cannot be used.',
      action: null,
    })
    expect(
      reasonIn(openDesired([first], { environments: new Map(), unusableEnvironments: new Map([[first.key, []]]) })),
    ).toMatchObject({ text: 'shop/prod cannot be used.', action: null })
  })
})

describe('the end of a request that cannot run', () => {
  const mistaken = { ...finding('projects/shop/x.yaml', 'the key `polcy` is not known'), help: 'did you mean `policy`?' }
  const unusable = { path: first.path, blob: first.blob, project: 'shop', environment: 'prod', findings: [mistaken] }
  const where = 'the key `polcy` is not known (projects/shop/x.yaml:1)'
  it.each<[string, DesiredState, string, string | null]>([
    ['deleted', openDesired([]), 'The request file requests/shop/prod/r1.yaml was deleted.', null],
    [
      'unusable',
      openDesired([], { unusableRequests: new Map([[first.path, unusable]]) }),
      `The request file cannot be used: ${where}.`,
      'did you mean `policy`?',
    ],
    [
      'unusable of its environment',
      openDesired([first], { environments: new Map(), unusableEnvironments: new Map([[first.key, [mistaken]]]) }),
      `shop/prod cannot be used: ${where}.`,
      'did you mean `policy`?',
    ],
    ['environment', openDesired([first], { environments: new Map() }), 'Project shop has no environment prod.', null],
    ['project', openDesired([first], { environments: new Map(), projects: new Map() }), 'There is no project shop.', null],
  ])('names what is wrong: %s', (_, desired, text, help) => {
    const [step] = plan(desired, observed([jobFor(first)]), TIMING, NOW)
    const action = help === null ? null : { text: help, command: null, url: null }
    expect(step).toMatchObject({ kind: 'end', run: null, decided: null })
    expect(step?.kind === 'end' && step.reason).toMatchObject({ text, action, since: NOW, until: null, waitingFor: [] })
  })

  it('by waiting says since when and for what', () => {
    const held = jobFor(first, { reason: reasonOf('check_unavailable', 'x', NOW - DAY_MS) })
    const seen = observed([held], { evidence: new Map([[held.id, evidence({ ref: unknown() })]]) })
    expect(plan(openDesired([first]), seen, TIMING, NOW)).toMatchObject([
      {
        reason: {
          text: expect.stringMatching(
            /^It waited since 2026-11-17T10:00:00.000Z and nothing changed: Where .* points could not be read/,
          ),
          action: { text: 'Add a new request if it is still wanted.', command: null, url: null },
        },
      },
    ])
  })
})
