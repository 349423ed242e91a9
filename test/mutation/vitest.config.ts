import { writeFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { GROUPS } from './groups.mjs'
import { instrument } from './instrument.mjs'

/** Runs the tests of one group on files with all their mutants in them; scripts/mutation.mjs starts it and reads what it wrote. */
const { MUTATION_GROUP = '', MUTATION_FILES, MUTATION_FOLDER = '', MUTATION_ANEW = 'false' } = process.env
const group = GROUPS[MUTATION_GROUP]
if (group === undefined) throw new Error(`there is no group ${MUTATION_GROUP}`)

const { files, mutants } = await instrument(MUTATION_FILES?.split(',') ?? group.mutated)
writeFileSync(`${MUTATION_FOLDER}/mutants.json`, JSON.stringify(mutants))

export default defineConfig({
  plugins: [
    {
      name: 'mutants',
      enforce: 'pre',
      transform: (_, id) => {
        const code = files.get(id.split('?')[0]!)
        return code === undefined ? undefined : { code, map: null }
      },
    },
  ],
  test: {
    root: process.cwd(),
    include: [...group.tests],
    ...(group.named === undefined ? {} : { testNamePattern: group.named }),
    runner: './test/mutation/runner.ts',
    pool: 'threads',
    // Each file goes on where the one before it left off.
    fileParallelism: false,
    // The runner has limits of its own. One of vitest's would go off long after the test that it belongs to was given up.
    testTimeout: 0,
    hookTimeout: 0,
    // The hooks that wait for a file's end wait for all its mutants.
    teardownTimeout: 3_600_000,
    reporters: ['dot'],
    env: { TZ: 'UTC', NO_COLOR: '1', MUTATION_FOLDER, MUTATION_ANEW },
  },
})
