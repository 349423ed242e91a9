import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectToBeRun, type NamedTest } from '../named-tests.ts'
import { ROOT } from './documents.ts'

interface Row {
  id: number
  what: string
  stops: string
  /** Titles of tests with the file in which each stands. */
  shownBy: NamedTest[]
  /** Why it does not apply yet; null: it does. */
  notYet: string | null
}

const THREATS = 70
/** Decided one by one; whoever builds what these are about has to show the defence, too. */
const NOT_YET = [55, 69]

const rows: Row[] = readFileSync(join(ROOT, 'docs/threats.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => {
    const [, id, what, stops, shown] = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
    return {
      id: Number(id),
      what: what!,
      stops: stops!,
      shownBy: [...shown!.matchAll(/\[(.+?)\]\((\.\.\/test\/[\w./-]+\.ts)\)/g)].map(([, title, file]) => ({
        title: title!,
        file: resolve(ROOT, 'docs', file!),
      })),
      notYet: /^\*Does not apply yet:\* (.+)$/.exec(shown!)?.[1] ?? null,
    }
  })

describe('the table of threats', () => {
  it(`has each of the ${THREATS} rows once, in words of its own`, () => {
    const ids = rows.map(({ id }) => id).toSorted((a, b) => a - b)
    expect(ids).toEqual(Array.from({ length: THREATS }, (_, index) => index + 1))
    expect(rows.filter(({ what }) => what.length < 20).map(({ id }) => id)).toEqual([])
  })

  it('says of every row what stops it and which test shows that, or why it does not apply yet', () => {
    const open = rows.filter(({ notYet }) => notYet !== null)
    expect(open.map(({ id }) => id)).toEqual(NOT_YET)
    expect(open.filter(({ notYet }) => notYet!.length < 30)).toEqual([])
    const shown = rows.filter(({ notYet }) => notYet === null)
    expect(shown.filter(({ stops, shownBy }) => stops.length < 10 || shownBy.length === 0).map(({ id }) => id)).toEqual([])
  })

  it.each(rows.filter(({ notYet }) => notYet === null))('row $id names tests that exist and are run', ({ shownBy }) => {
    for (const named of shownBy) expectToBeRun(named)
  })
})
