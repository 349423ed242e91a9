import { expect, test } from 'vitest'
import { formatFindings, formatFindingsJson } from '../../controller/cli/format-findings.ts'
import type { Finding } from '../../controller/model/finding.ts'

const FINDING: Finding = {
  code: 'DRV1301',
  severity: 'error',
  message: 'there is no policy `prd`',
  place: { file: 'projects/shop/environments/prod.yaml', line: 12, column: 9, endColumn: 12 },
  excerpt: 'policy: prd',
  allowed: 'demo, prod, stage',
  related: { label: 'policies', place: { file: 'policies/prod.yaml', line: 2, column: 1, endColumn: 5 } },
  help: 'did you mean `prod`?',
}

test('a finding shows what, where, the line, what is allowed, a related place and the fix', () => {
  expect(formatFindings([FINDING], { color: false, max: 20 })).toBe(
    [
      'error[DRV1301]: there is no policy `prd`',
      '   --> projects/shop/environments/prod.yaml:12:9',
      '   |',
      '12 | policy: prd',
      '   |         ^^^ allowed: demo, prod, stage',
      '   = policies: policies/prod.yaml:2:1',
      '   = help: did you mean `prod`?',
      '',
      '1 error',
      '',
    ].join('\n'),
  )
})

test('without a line to show, what is allowed is still told', () => {
  const text = formatFindings([{ ...FINDING, excerpt: null, related: null }], { color: false, max: 20 })
  expect(text).toContain('  --> projects/shop/environments/prod.yaml:12:9\n  = allowed: demo, prod, stage\n  = help:')
})

test('at most so many are shown, and the rest are counted', () => {
  const many = [FINDING, FINDING, { ...FINDING, severity: 'warning' as const }]
  const text = formatFindings(many, { color: false, max: 1 })
  expect(text.match(/DRV1301/g)).toHaveLength(1)
  expect(text).toMatch(/… and 2 more not shown; 2 errors and 1 warning in all\n$/)
  expect(formatFindings([], { color: false, max: 20 })).toBe('no findings\n')
})

test('a place far to the right stays on the screen, with the caret under it', () => {
  const excerpt = `${'x'.repeat(300)}HERE`
  const lines = formatFindings([{ ...FINDING, excerpt, place: { ...FINDING.place, column: 301, endColumn: 305 } }], {
    color: false,
    max: 1,
  }).split('\n')
  const [source, caret] = [lines[3]!, lines[4]!]
  expect(source.length).toBeLessThan(140)
  expect(source.slice(caret.indexOf('^'), caret.indexOf('^') + 4)).toBe('HERE')
})

test('colour adds codes and changes no words', () => {
  const plain = formatFindings([FINDING], { color: false, max: 20 })
  const colored = formatFindings([FINDING], { color: true, max: 20 })
  expect(colored).toContain('\u001b[1;31m')
  expect(colored.replace(/\u001b\[[\d;]*m/g, '')).toBe(plain)
})

test('JSON holds the findings as they are', () => {
  expect(JSON.parse(formatFindingsJson([FINDING]))).toEqual([FINDING])
})
