import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

/** A test, or a row of one, by the words in its file. */
export interface NamedTest {
  title: string
  /** Absolute. */
  file: string
}

/** Fails when the file has no such title, or when what bears it is not run. */
export function expectToBeRun({ title, file }: NamedTest): void {
  expect(existsSync(file), file).toBe(true)
  const text = readFileSync(file, 'utf8')
  const literals = [`'${title.replaceAll("'", "\\'")}'`, `"${title}"`, `\`${title}\``].filter((each) => text.includes(each))
  expect(literals, `${title} in ${file}`).not.toEqual([])
  for (const literal of literals) {
    const before = text.slice(0, text.indexOf(literal)).trimEnd().slice(-12)
    expect(before, title).not.toMatch(/\.(?:skip|fails|todo)\($/)
  }
}
