import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { DAY_MS, HOUR_MS } from '../../controller/clock.ts'
import { commitSha } from '../../controller/model/names.ts'
import { checkMessages, type PullReport, pullComment, type RequestReport } from '../../controller/notify/pull-report.ts'
import { localLabel } from '../../controller/policy/zone.ts'
import { HOSTILE } from './hostile.ts'
import { decided, finding, halfTally, JOB, job, MONDAY, NOW, OTHER_JOB, reason, report, request, review } from './reports.ts'

const RUN = { url: 'https://forge.example/acme/shop/actions/runs/42', state: 'started' as const, attempt: 1 }

const approvalMissing = reason('approval_missing', '1 of 2 approvals; carol or dave can approve.', {
  action: { text: 'Ask carol or dave to review the pull request.', command: null, url: null },
})
const windowClosed = reason(
  'window_closed',
  'The deploy window of shop/prod is closed; it opens Mon 2026-11-23 09:00 Europe/Rome.',
  {
    until: MONDAY,
    action: { text: 'Nothing to do: the job starts by itself when the window opens.', command: null, url: null },
  },
)
const frozen = reason('frozen', 'shop/prod is frozen until Thu 2027-01-07 09:00 Europe/Rome: Christmas', {
  until: Date.parse('2027-01-07T08:00:00Z'),
  action: {
    text: 'Nothing to do: the job goes on by itself when the freeze ends (freezes/2026-christmas.yaml).',
    command: null,
    url: null,
  },
})
const lockHeld = reason('lock_held', `Job ${OTHER_JOB} has the lock of shop/prod.`, {
  since: NOW - 4 * HOUR_MS,
  waitingFor: [{ kind: 'lock', ref: OTHER_JOB, done: false }],
})
const closedSight = { saw: `closed at ${localLabel('Europe/Rome', NOW)}`, verdict: 'wait' as const, reason: windowClosed }
const waitingJob = (why: typeof lockHeld) =>
  job(
    'queued',
    { ...why, since: NOW - HOUR_MS },
    { gates: decided({ gate: 'lock', verdict: 'wait', reason: why, saw: `held by job ${OTHER_JOB}` }).gates },
  )

/** One scene a row of the "pull request surfaces": file name, report, state and title of draven/gate. */
const SCENES: readonly [name: string, report: PullReport, state: string, title: string][] = [
  [
    'invalid',
    report({
      findings: [
        finding(),
        finding({
          code: 'DRV1001',
          message: 'unknown key `resaon`',
          allowed: null,
          related: null,
          help: 'did you mean `reason`?',
        }),
      ],
      requests: [request({ type: null, ref: null, sha: null, from: null, policy: null, decision: null })],
    }),
    'failure',
    'this request cannot be used',
  ],
  ['valid', report(), 'success', 'ready: the merge deploys v1.4.2 to shop/prod'],
  [
    'approvals',
    report({
      requests: [
        request({
          tally: halfTally(),
          decision: decided({ gate: 'approval', verdict: 'wait', reason: approvalMissing, saw: '1 approval (bob)' }),
        }),
      ],
    }),
    'pending',
    '1 of 2 approvals',
  ],
  [
    'refused',
    report({
      requests: [
        request({
          decision: decided(
            {
              gate: 'ref',
              verdict: 'deny',
              saw: 'branch main',
              reason: reason('ref_type_not_allowed', 'The policy prod takes tags only.'),
            },
            { gate: 'approval', verdict: 'wait', saw: 'no approval', reason: approvalMissing },
          ),
        }),
      ],
    }),
    'failure',
    'The policy prod takes tags only.',
  ],
  [
    'window',
    report({
      requests: [
        request({
          decision: null,
          job: job('queued', windowClosed, { gates: decided({ gate: 'window', ...closedSight }).gates }),
        }),
      ],
    }),
    'pending',
    'opens Mon 23 Nov 09:00 Europe/Rome (08:00 UTC)',
  ],
  [
    'freeze',
    report({ requests: [request({ job: job('queued', frozen) })] }),
    'pending',
    'frozen until Thu 7 Jan 2027 09:00 Europe/Rome (08:00 UTC)',
  ],
  [
    'lock',
    report({ requests: [request({ job: waitingJob(lockHeld) })] }),
    'pending',
    `Job ${OTHER_JOB} has the lock of shop/prod.`,
  ],
  [
    'queue',
    report({ requests: [request({ job: waitingJob(lockHeld), queue: { position: 2, behind: OTHER_JOB } })] }),
    'pending',
    `2nd in queue behind job ${OTHER_JOB}`,
  ],
  [
    'running',
    report({ requests: [request({ job: job('running', reason('run_active', 'The pipeline is running.')), run: RUN })] }),
    'pending',
    'running',
  ],
  [
    'success',
    report({
      requests: [
        request({ job: job('success', reason('run_succeeded', 'The pipeline succeeded.')), run: { ...RUN, state: 'ended' } }),
      ],
    }),
    'success',
    'deployed v1.4.2 to shop/prod',
  ],
  [
    'failed',
    report({
      requests: [
        request({
          job: job('failed', reason('run_failed', 'The pipeline failed in the step "migrate".')),
          run: { ...RUN, state: 'ended', attempt: 2 },
        }),
      ],
    }),
    'failure',
    'failed: The pipeline failed in the step "migrate".',
  ],
  [
    'canceled',
    report({ requests: [request({ job: job('canceled', reason('request_deleted', 'The request file was deleted.')) })] }),
    'canceled',
    'canceled: The request file was deleted.',
  ],
  [
    'expired',
    report({ requests: [request({ job: job('expired', reason('approval_expired', 'Nobody approved within 7 days.')) })] }),
    'canceled',
    'expired: Nobody approved within 7 days.',
  ],
  [
    'rules',
    report({
      rulesChanged: true,
      rulesReason: reason('rules_change_unapproved', 'The rules need the approval of an admin: frank.'),
      requests: [],
    }),
    'pending',
    'The rules need the approval of an admin: frank.',
  ],
  [
    'several',
    report({
      requests: [
        request(),
        request({
          path: 'requests/blog/stage/2026-11-21-develop.yaml',
          project: 'blog',
          environment: 'stage',
          type: 'dry_run',
          ref: { type: 'branch', name: 'develop' },
          from: null,
          timeZone: null,
          decision: decided({
            gate: 'ci',
            verdict: 'wait',
            saw: 'build pending',
            reason: reason('ci_pending', 'CI is still running on 8f3a2b1c9d0e: build.'),
          }),
        }),
      ],
    }),
    'pending',
    'blog/stage: CI is still running on 8f3a2b1c9d0e: build. (and 1 more)',
  ],
  ['nothing', report({ requests: [] }), 'success', 'no request in this pull request'],
]

describe('a pull request', () => {
  it.each(SCENES)('in the scene "%s" says what stands in its golden file', async (name, scene, state, title) => {
    expect(gate(scene)).toMatchObject({ state, title })
    await expect(rendered(scene)).toMatchFileSnapshot(`../golden/notify/${name}.md`)
  })

  it.each(SCENES)('in the scene "%s" says the same a month later, because nothing happened', (_name, scene) => {
    const later = { ...scene, asOf: scene.asOf + 30 * DAY_MS }
    expect(rendered(later)).toBe(rendered(scene))
  })

  it('is not edited merely because the window gate looked at another time', () => {
    const at = (instant: number) => {
      const decision = decided({ gate: 'window', ...closedSight, saw: `closed at ${localLabel('Europe/Rome', instant)}` })
      return rendered(report({ requests: [request({ decision })] }))
    }
    expect(at(NOW + HOUR_MS)).toBe(at(NOW))
  })

  it('names both checks, with the head commit, in every scene', () => {
    for (const [, scene] of SCENES) {
      expect(checkMessages(scene).map(({ name, sha }) => [name, sha])).toEqual([
        ['draven/validate', scene.headSha],
        ['draven/gate', scene.headSha],
      ])
    }
  })
})

describe('draven/gate', () => {
  it('never waits for the merge that it may itself be required for', () => {
    const notMerged = reason('not_merged', 'The pull request is not merged yet.')
    for (const name of ['request', 'approval', 'lock'] as const) {
      const decision = decided({ gate: name, verdict: 'wait', reason: notMerged })
      expect(gate(report({ requests: [request({ decision, reason: notMerged })] })).state).toBe('success')
    }
  })

  it('looks behind the missing merge at what else is missing', () => {
    const decision = decided(
      { gate: 'request', verdict: 'wait', reason: reason('not_merged', 'not merged') },
      { gate: 'approval', verdict: 'wait', reason: approvalMissing },
    )
    expect(gate(report({ requests: [request({ decision, tally: halfTally() })] }))).toMatchObject({
      state: 'pending',
      title: '1 of 2 approvals',
    })
  })

  it('tells "could not look" from "no"', () => {
    const unseen = (code: 'provider_unreachable' | 'project_unknown') => request({ decision: null, reason: reason(code, 'why') })
    expect(gate(report({ requests: [unseen('provider_unreachable')] })).state).toBe('pending')
    expect(gate(report({ requests: [unseen('project_unknown')] })).state).toBe('failure')
  })

  it('shows the worst of several requests', () => {
    const failed = request({ job: job('failed', reason('run_failed', 'It failed.')) })
    const running = request({ job: job('running', reason('run_active', 'It runs.')) })
    expect(gate(report({ requests: [request(), running, failed] }))).toMatchObject({
      state: 'failure',
      title: 'shop/prod: failed: It failed. (and 2 more)',
    })
    expect(gate(report({ requests: [request(), running] })).state).toBe('pending')
  })

  it('links to the job once there is one', () => {
    expect(gate(report()).detailsUrl).toBe('https://draven.example')
    const running = request({ job: job('running', reason('run_active', 'It runs.')) })
    expect(gate(report({ requests: [running] })).detailsUrl).toBe(`https://draven.example/jobs/${JOB}`)
  })
})

describe('draven/validate', () => {
  it('fails with one annotation for each error, at its place', () => {
    const [check] = checkMessages(report({ findings: [finding(), finding({ severity: 'warning' })] }))
    expect(check).toMatchObject({
      state: 'failure',
      title: '1 error, 1 warning: DRV1203 `v1.2` does not match the tags this policy allows',
    })
    expect(check?.annotations[0]).toEqual({
      path: 'requests/shop/prod/2026-11-21-v1.2.yaml',
      line: 5,
      column: 8,
      endColumn: 12,
      severity: 'error',
      title: 'DRV1203 `v1.2` does not match the tags this policy allows',
      message:
        '`v1.2` does not match the tags this policy allows\nallowed: v\\d+\\.\\d+\\.\\d+|nightly\nhelp: did you mean v1.2.0?',
    })
    expect(check?.annotations).toHaveLength(2)
  })

  it('passes with warnings alone, and not when findings were left out', () => {
    const warning = finding({ severity: 'warning' })
    expect(checkMessages(report({ findings: [warning] }))[0]?.state).toBe('success')
    expect(checkMessages(report({ findings: [warning], truncated: 1 }))[0]?.state).toBe('failure')
  })
})

describe('the comment', () => {
  it('offers a rollback that the schema of requests accepts', () => {
    const comment = pullComment(
      report({ requests: [request({ job: job('success', reason('run_succeeded', 'It succeeded.')) })] }),
    )
    const yaml = /```yaml\n([\s\S]*?)```/.exec(comment)![1]!
    const schema = JSON.parse(readFileSync(new URL('../../schemas/deploy-request.schema.json', import.meta.url), 'utf8'))
    const validate = new Ajv2020({ strict: false }).compile(schema)
    expect([validate(parse(yaml)), validate.errors]).toEqual([true, null])
  })

  it('shows twenty findings and counts the rest', () => {
    const comment = pullComment(report({ findings: Array.from({ length: 30 }, () => finding()), truncated: 5 }))
    expect(comment.match(/DRV1203/g)).toHaveLength(20)
    expect(comment).toContain('… and 15 more.')
  })

  it('stays within what hosts take, however much there is to say', () => {
    const endless = '|'.repeat(5_000)
    const many = Array.from({ length: 300 }, () =>
      request({ path: `requests/${endless}`, tally: { ...halfTally(), reviews: [review(endless)] } }),
    )
    const loud = finding({ message: endless, allowed: endless, help: endless })
    const scene = report({ requests: many, findings: Array.from({ length: 50 }, () => loud) })
    expect(pullComment(scene).length).toBeLessThan(65_000)
    expect(pullComment(scene)).toMatch(/and \d+ more requests/)
    for (const { summary } of checkMessages(scene)) expect(summary.length).toBeLessThan(65_535)
  })
})

describe('a value that somebody else wrote', () => {
  const wild = fc.oneof(
    fc.constantFrom(...HOSTILE),
    fc
      .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 6 })), { maxLength: 4 })
      .map((parts) => parts.join('')),
  )

  it('reaches no surface as markup, mention, link, control character or new line', () => {
    fc.assert(
      fc.property(wild, (value) => {
        const scene = hostileReport(value)
        const calm = hostileReport('calm')
        const [validate, gateCheck] = checkMessages(scene)
        for (const markdown of [pullComment(scene), validate!.summary, gateCheck!.summary]) expectHarmless(markdown)
        for (const plain of [validate!.title, gateCheck!.title, ...validate!.annotations.map(({ title }) => title)]) {
          expect(plain).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
        }
        // The same number of lines and of cells as with a calm value: nothing broke out of its place.
        expect(shapeOf(pullComment(scene))).toEqual(shapeOf(pullComment(calm)))
      }),
      { numRuns: 1_000 },
    )
  })
})

/** `value` in every place that a repository, a person or a provider fills. */
function hostileReport(value: string): PullReport {
  const why = reason('held', value, { action: { text: value, command: value, url: null } })
  const hostile: RequestReport = request({
    path: value,
    project: value,
    environment: value,
    ref: { type: 'branch', name: value },
    from: { ref: { type: 'tag', name: value }, sha: commitSha('1'.repeat(40)) },
    policy: value,
    timeZone: value,
    tally: {
      ...halfTally(),
      reviews: [
        review('x', { account: value, person: null, text: value, counted: false, url: `https://forge.example/${value}` }),
      ],
    },
    job: job('queued', why, {
      gates: decided({ gate: 'freeze', verdict: 'wait', reason: why, saw: value, wanted: value }).gates,
    }),
    run: { ...RUN, url: `javascript:${value}` },
    queue: { position: 1, behind: value },
  })
  const place = { file: value, line: 1, column: 1, endColumn: 2 }
  const bad = finding({ code: value, message: value, allowed: value, help: value, related: { label: value, place }, place })
  return report({
    requests: [hostile],
    findings: [bad],
    rulesChanged: true,
    rulesReason: why,
    statusUrl: 'https://draven.example',
  })
}

/** Markdown with its code taken out, which no forge interprets, must hold nothing but what we wrote ourselves. */
function expectHarmless(markdown: string): void {
  expect(markdown).not.toMatch(/[\p{Cf}\p{Cs}\0-\x09\x0b-\x1f\x7f-\x9f]/u)
  const open = markdown
    .replace(/^(`{3,})[a-z]*\n[\s\S]*?\n\1$/gm, 'FENCE')
    .replace(/<code>[^<]*<\/code>/g, 'CODE')
    .replace(/(?<![`\\])(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, 'CODE')
    .replace(/\]\(https:\/\/(?:forge|draven)\.example\/[^)\s]*\)/g, '](OURS)')
    .replaceAll('<br>', ' ')
    .replace(/&(?:#\d+|amp|lt|gt);/g, ' ')
  expect(open).not.toMatch(/[@#!][\p{L}\p{N}_]/u)
  expect(open).not.toMatch(/:\/\/|<|www\.|GH-\d|&[\p{L}\p{N}]/iu)
  expect(open.replace(/\[[a-zA-Z, ]+\]\(OURS\)/g, '')).not.toMatch(/(?<!\\)(?:\\\\)*\]\(/)
}

/** Lines, and the number of cells of each table row. */
function shapeOf(markdown: string): readonly number[] {
  return markdown.split('\n').map((line) => (line.startsWith('|') ? line.split('|').length : 0))
}

function gate(scene: PullReport) {
  return checkMessages(scene)[1]!
}

/** Everything that a pull request shows, as one page. */
function rendered(scene: PullReport): string {
  const checks = checkMessages(scene).map(({ name, state, title, summary, annotations, detailsUrl }) => {
    const marks = annotations.map(
      (one) => `${one.path}:${one.line}:${one.column}-${one.endColumn} ${one.severity} ${one.title}\n${one.message}\n`,
    )
    return `CHECK ${name} ${state}\nTITLE ${title}\nLINK ${detailsUrl}\n${marks.map((mark) => `ANNOTATION ${mark}`).join('')}SUMMARY\n${summary}\n`
  })
  return [...checks, `COMMENT\n${pullComment(scene)}`].join('\n')
}
