// npm run mutation [-- decide lock verify parse controller/jobs/plan-queue.ts …]
// How many of the wrong operators, conditions and values that could stand in what decides, locks, verifies and parses make a test
// fail; test/mutation/groups.mjs says which files and which tests. Lists those that do not, and fails where they are more than a tenth.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { globSync } from 'tinyglobby'
import { GROUPS } from '../test/mutation/groups.mjs'

const WANTED_PERCENT = 90
const FOLDER = 'node_modules/.cache/mutation'

const asked = process.argv.slice(2)
const files = new Set(globSync(asked.filter((word) => !Object.hasOwn(GROUPS, word))))
let failed = false
for (const [name, { mutated }] of Object.entries(GROUPS)) {
  const own = globSync([...mutated]).sort()
  const chosen = asked.length === 0 || asked.includes(name) ? own : own.filter((file) => files.has(file))
  if (chosen.length > 0 && !judge(name, chosen)) failed = true
}
process.exit(failed ? 1 : 0)

/** Prints one group's score, and what survived. */
function judge(group, chosen) {
  const folder = `${FOLDER}/${group}`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const began = performance.now()
  const env = { ...process.env, MUTATION_GROUP: group, MUTATION_FILES: chosen.join(), MUTATION_FOLDER: folder }
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/mutation/vitest.config.ts']
  const run = spawnSync(process.execPath, vitest, { encoding: 'utf8', env })
  if (run.status !== 0) {
    console.log(run.stdout, run.stderr)
    return false
  }
  const mutants = JSON.parse(readFileSync(`${folder}/mutants.json`, 'utf8')).filter(({ status }) => status !== 'Ignored')
  const fates = new Map(JSON.parse(readFileSync(`${folder}/fates.json`, 'utf8')))
  for (const file of chosen)
    report(
      file,
      mutants.filter(({ fileName }) => fileName.endsWith(`/${file}`)),
      fates,
    )
  const score = percent(mutants, fates)
  const seconds = Math.round((performance.now() - began) / 1_000)
  console.log(`${group}: ${score.toFixed(1)} % of ${mutants.length} mutants killed in ${seconds} s\n`)
  return score >= WANTED_PERCENT
}

function report(file, mutants, fates) {
  if (mutants.length === 0) return
  console.log(`${percent(mutants, fates).toFixed(1).padStart(5)} % of ${mutants.length}  ${file}`)
  const lines = readFileSync(file, 'utf8').split('\n')
  for (const { id, location, replacement } of mutants) {
    if (fates.get(id) === 'killed') continue
    const { start, end } = location
    const source = lines.slice(start.line, end.line + 1).join('\n')
    const last = end.line === start.line ? end.column : source.length
    const short = (text) => text.replaceAll(/\s+/g, ' ').slice(0, 100)
    const unmet = fates.has(id) ? '' : ', which no test meets'
    console.log(
      `         ${start.line + 1}:${start.column + 1} ${short(source.slice(start.column, last))} → ${short(replacement)}${unmet}`,
    )
  }
}

function percent(mutants, fates) {
  return (100 * mutants.filter(({ id }) => fates.get(id) === 'killed').length) / mutants.length
}
