import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkState, statusState } from '../../../controller/providers/github/ci.ts'
import { nextPage } from '../../../controller/providers/github/client.ts'
import { account } from '../../../controller/providers/github/reviews.ts'
import { runState, runsWorkflow, workflowFile } from '../../../controller/providers/github/workflow.ts'
import { coAuthorEmails, cut, namesJob, webUrl } from '../../../controller/providers/text.ts'

const STATUSES = ['queued', 'requested', 'waiting', 'pending', 'in_progress', 'action_required'] as const
const CONCLUSIONS = [
  'success',
  'failure',
  'neutral',
  'cancelled',
  'skipped',
  'timed_out',
  'action_required',
  'stale',
  'startup_failure',
] as const

describe('the state of a workflow run', () => {
  it.each([
    ['queued', 'queued'],
    ['requested', 'queued'],
    ['pending', 'queued'],
    ['waiting', 'blocked'],
    ['action_required', 'blocked'],
    ['in_progress', 'active'],
  ])('%s is %s', (status, state) => {
    expect(runState(status, null)).toBe(state)
  })

  it.each([
    ['success', 'success'],
    ['failure', 'failed'],
    ['startup_failure', 'failed'],
    ['stale', 'failed'],
    ['skipped', 'failed'],
    ['neutral', 'failed'],
    ['cancelled', 'canceled'],
    ['timed_out', 'timed_out'],
    ['action_required', 'blocked'],
    [null, 'active'],
  ])('completed with %s is %s', (conclusion, state) => {
    expect(runState('completed', conclusion)).toBe(state)
  })

  it('is never over before the status says completed', () => {
    for (const status of STATUSES) {
      for (const conclusion of CONCLUSIONS) expect(['queued', 'active', 'blocked']).toContain(runState(status, conclusion))
    }
  })

  it('is a success for no word but success', () => {
    fc.assert(
      fc.property(fc.option(fc.string()), fc.option(fc.string()), (status, conclusion) => {
        fc.pre(!(status === 'completed' && conclusion === 'success'))
        expect(runState(status, conclusion)).not.toBe('success')
      }),
    )
    for (const word of ['constructor', '__proto__', 'toString'])
      expect(['active', 'failed']).toContain(runState('completed', word))
    for (const word of ['constructor', '__proto__', 'toString']) expect(runState(word, null)).toBe('active')
  })
})

describe('the state of a CI result', () => {
  it.each(['queued', 'in_progress', 'waiting', 'requested', 'pending'])('an unfinished check (%s) is pending', (status) => {
    expect(checkState(status, null)).toBe('pending')
    expect(checkState(status, 'success')).toBe('pending')
  })
  it.each(CONCLUSIONS)('a check that completed with %s passes only if it is success, neutral or skipped', (conclusion) => {
    expect(checkState('completed', conclusion)).toBe(
      ['success', 'neutral', 'skipped'].includes(conclusion) ? 'success' : 'failed',
    )
  })
  it.each([
    ['success', 'success'],
    ['pending', 'pending'],
    ['failure', 'failed'],
    ['error', 'failed'],
    ['anything', 'failed'],
  ])('a status %s is %s', (state, expected) => {
    expect(statusState(state)).toBe(expected)
  })
})

describe('kinds of accounts', () => {
  it.each([
    [{ login: 'alice', id: 1, type: 'User' }, 'user'],
    [{ login: 'renovate[bot]', id: 2, type: 'Bot' }, 'bot'],
    [{ login: 'sly[bot]', id: 3, type: 'User' }, 'bot'],
    [{ login: 'robot', id: 4, type: 'Bot' }, 'bot'],
    [{ login: 'ghost', id: 10137, type: 'User' }, 'gone'],
    [{ login: 'acme', id: 5, type: 'Organization' }, 'gone'],
    [{ login: 'old-name', id: 6, type: 'Mannequin' }, 'gone'],
    [{ login: 'odd', id: 7 }, 'gone'],
  ])('%o is a %s', (user, kind) => {
    expect(account(user)).toEqual({ provider: 'github', login: user.login, id: String(user.id), kind })
  })
  it.each([null, undefined, {}, { login: 'x' }])('%o is nobody', (user) => {
    expect(account(user)).toBeNull()
  })
})

describe('small readers', () => {
  it('finds every co-author, wherever and however the line is written', () => {
    const message =
      'Title\n\nCo-authored-by: Ann <Ann@Acme.test>\r\nco-AUTHORED-by: Bob <bob@acme.test>\nText\n  Co-authored-by: <c@acme.test>\nCo-authored-by: nobody\nnot Co-authored-by: X <x@acme.test>'
    expect(coAuthorEmails(message)).toEqual(['ann@acme.test', 'bob@acme.test', 'c@acme.test'])
  })

  const id = '3f2504e0-4f89-51d3-9a0c-0305e82c3301'
  it.each([
    [`deploy shop ${id}`, true],
    [id, true],
    [`[${id}] prod`, true],
    [`deploy-${id}`, true],
    [`deploy ${id}0`, false],
    [`deploy a${id}`, false],
    [`deploy ${id.slice(0, -1)}`, false],
    ['deploy', false],
  ])('the title %j names the job: %s', (title, names) => {
    expect(namesJob(title, id)).toBe(names)
  })

  it('knows a workflow by its path, with or without the ref it was read at', () => {
    expect(workflowFile('deploy.yml')).toEqual(workflowFile('.github/workflows/deploy.yml'))
    expect(runsWorkflow('.github/workflows/deploy.yml@refs/heads/main', '.github/workflows/deploy.yml')).toBe(true)
    expect(runsWorkflow('.github/workflows/deploy.yml.yml', '.github/workflows/deploy.yml')).toBe(false)
  })

  it('reads the next page from a Link header', () => {
    expect(nextPage('<https://x.test/a?page=1>; rel="prev", <https://x.test/a?page=3>; rel="next"')?.href).toBe(
      'https://x.test/a?page=3',
    )
    expect(nextPage('<https://x.test/a?page=1>; rel="prev"')).toBeNull()
    expect(nextPage(undefined)).toBeNull()
  })

  it.each([
    ['https://github.com/x', 'https://github.com/x'],
    ['javascript:alert(1)', null],
    [undefined, null],
    ['https://', null],
  ])('the address %j is shown as %j', (text, shown) => {
    expect(webUrl(text)).toBe(shown)
  })

  it('cuts no text longer than asked and through no character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, max) => {
        const short = cut(text, max)
        expect(short.length).toBeLessThanOrEqual(max)
        expect(Buffer.from(short).toString()).toBe(short)
        if (text.length <= max) expect(short).toBe(text)
      }),
    )
  })
})
