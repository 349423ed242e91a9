import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { formatFindings } from '../../controller/cli/format-findings.ts'
import { FINDING_CODES } from '../../controller/model/finding-codes.ts'
import { load, readDirectory } from './snapshot-directory.ts'

const MISTAKES = fileURLToPath(new URL('../fixtures/config/mistakes/', import.meta.url))
const GOLDEN = fileURLToPath(new URL('../golden/validate-mistakes.txt', import.meta.url))

test('thirty kinds of mistakes are told with place, what is allowed and what to do', async () => {
  const { findings } = await load(readDirectory(MISTAKES))
  const text = formatFindings(findings, { color: false, max: 1000 })
  if (process.env['UPDATE_GOLDEN']) writeFileSync(GOLDEN, text)
  expect(text).toBe(readFileSync(GOLDEN, 'utf8'))
  expect(new Set(findings.map((finding) => finding.code)).size).toBeGreaterThanOrEqual(30)
})

test('every finding says what to do and has a code of the table', async () => {
  const { findings } = await load(readDirectory(MISTAKES))
  expect(findings.filter((finding) => !finding.help)).toEqual([])
  expect(findings.filter((finding) => !Object.hasOwn(FINDING_CODES, finding.code))).toEqual([])
})
