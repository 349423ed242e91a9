import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** A history as a file: the choices that are not plain, and what they break (or broke, until it was mended). */
export interface ChoiceFile {
  /** What was found by it; null for a history that is kept for another reason. */
  violation: string | null
  /** What it shows, in a sentence. */
  about: string
  /** The bug by its name in `mutants.ts`: planted again, it must break the same invariant. Absent: nobody has planted it. */
  plants?: string
  /** Null: the history decides. */
  controllers: number | null
  /** Place in the list and choice, for each that is not 0. */
  choices: readonly (readonly [number, number])[]
}

export function choicesOf(file: ChoiceFile): number[] {
  const list: number[] = []
  for (const [place, choice] of file.choices) {
    while (list.length < place) list.push(0)
    list.push(choice)
  }
  return list
}

export function sparse(list: readonly number[]): [number, number][] {
  return list.flatMap((choice, place): [number, number][] => (choice === 0 ? [] : [[place, choice]]))
}

export function readChoiceFile(path: string): ChoiceFile {
  return JSON.parse(readFileSync(path, 'utf8')) as ChoiceFile
}

export function writeChoiceFile(path: string, file: ChoiceFile): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(file)}\n`)
}
