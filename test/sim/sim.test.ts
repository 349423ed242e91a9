import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Choices, drawnChoices, replayedChoices } from './choices.ts'
import { choicesOf, readChoiceFile } from './corpus.ts'
import { runHistory } from './history.ts'
import { MUTANTS, RARE_MUTANTS } from './mutants.ts'
import { invariantOf, shrink } from './shrink.ts'
import { memoryTier } from './tiers.ts'

const CORPUS = join(import.meta.dirname, 'corpus')
const COMPILED = join(import.meta.dirname, '../../dist/test/sim')
const PROGRAM = join(COMPILED, 'main.js')
const SEED = 900_000

function history(choices: Choices, controllers: number | null = null) {
  return runHistory({ choices, tier: memoryTier(), controllers })
}

describe('the simulator', () => {
  it('tells the same history for the same seed, again and in another process', async () => {
    const hashes: [number, string][] = []
    for (let seed = SEED; seed < SEED + 5; seed++) {
      const choices = drawnChoices(seed)
      const first = await history(choices)
      expect((await history(drawnChoices(seed))).traceHash).toBe(first.traceHash)
      expect((await history(replayedChoices(choices.made))).traceHash).toBe(first.traceHash)
      hashes.push([seed, first.traceHash])
    }
    const batch = { tier: 'memory', seed: SEED, worker: 0, workers: 1, histories: 5, seconds: 60, controllers: null }
    const told = JSON.parse(execFileSync(process.execPath, [PROGRAM, '--batch', JSON.stringify(batch)], { encoding: 'utf8' }))
    expect(told.hashes).toEqual(hashes)
  })

  it('finds nothing broken in as many histories as six seconds hold', () => {
    const batch = ['--histories', '1000', '--seed', String(SEED + 100), '--seconds', '6', '--workers', '1']
    const told = execFileSync(process.execPath, [PROGRAM, ...batch], { encoding: 'utf8' })
    expect(told).toMatch(/memory: \d+ of 1000 histories from/)
    expect(told).not.toContain('BROKEN')
  })

  it('catches planted bugs, and none of them has lost the text that it changes', () => {
    const told = execFileSync(process.execPath, [PROGRAM, '--mutants', '--workers', '2', '--only', 'a start without'], {
      encoding: 'utf8',
    })
    expect(told).toContain('1 of 1 planted bugs caught')
  })

  it('makes a list of choices as plain as it can be without losing what it breaks', async () => {
    const breaks = async (choices: readonly number[]) => choices[3] === 2 && choices.length > 3
    const { choices } = await shrink([1, 4, 0, 2, 5, 5, 0, 1], breaks, 200)
    expect(choices).toEqual([0, 0, 0, 2])
  })
})

describe('a bug that was found before', () => {
  it.each(readdirSync(CORPUS))('does not come back: %s', async (name) => {
    const file = readChoiceFile(join(CORPUS, name))
    const result = await history(replayedChoices(choicesOf(file)), file.controllers)
    expect(result.violation).toBeNull()
  })

  // A history is told by what the controller asks for, in its order: one that was found long ago may have come to tell of something else.
  it.each(
    readdirSync(CORPUS).flatMap((name) => {
      const { plants, violation } = readChoiceFile(join(CORPUS, name))
      return plants === undefined ? [] : [{ name, plants, violation }]
    }),
  )('would be seen, were it planted again: $name', ({ name, plants, violation }) => {
    const mutant = [...MUTANTS, ...RARE_MUTANTS].find((each) => each.name === plants)
    expect(mutant).toBeDefined()
    const replay = ['--import', join(COMPILED, 'mutant-register.js'), PROGRAM, '--replay', join(CORPUS, name)]
    const env = { ...process.env, SIM_MUTANT: JSON.stringify(mutant) }
    const { status, stdout } = spawnSync(process.execPath, replay, { encoding: 'utf8', env, maxBuffer: 64 << 20 })
    expect(status, stdout.slice(-500)).toBe(1)
    expect(stdout.trimEnd().split('\n').at(-1)).toContain(`: ${invariantOf(violation!)}: `)
  })
})
