// npm run mutation [-- decide lock verify parse controller/jobs/plan-queue.ts …]
// How many of the wrong operators, conditions and values that could stand in what decides, locks, verifies and parses make a test
// fail; test/mutation/groups.mjs says which files and which tests. Lists those that do not, and fails where they are more than a tenth.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { globSync } from 'tinyglobby'
import { GROUPS } from '../test/mutation/groups.mjs'

const WANTED_PERCENT = 90
const FOLDER = 'node_modules/.cache/mutation'
/** More than a single test with a mutant in it may take, also beside other work. */
const PATIENCE_MS = 180_000

const asked = process.argv.slice(2)
const files = new Set(globSync(asked.filter((word) => !Object.hasOwn(GROUPS, word))))
let failed = false
for (const [name, { mutated }] of Object.entries(GROUPS)) {
  const own = globSync([...mutated]).sort()
  const chosen = asked.length === 0 || asked.includes(name) ? own : own.filter((file) => files.has(file))
  if (chosen.length > 0 && !(await judge(name, chosen))) failed = true
}
process.exit(failed ? 1 : 0)

/** Prints one group's score, and what survived. */
async function judge(group, chosen) {
  const folder = `${FOLDER}/${group}`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const began = performance.now()
  const env = { ...process.env, NO_COLOR: '1', MUTATION_GROUP: group, MUTATION_FILES: chosen.join(), MUTATION_FOLDER: folder }
  let ended = 0
  for (const MUTATION_ANEW of ['false', 'true']) {
    const passEnv = { ...env, MUTATION_ANEW }
    for (let run = await runTests(folder, passEnv); run.status !== 0; run = await runTests(folder, passEnv)) {
      // Ended within a mutant, by the watch or by itself: that is a way of failing, and the next process goes on behind it.
      if (!existsSync(`${folder}/now.json`)) {
        console.log(run.output)
        return false
      }
      const mutant = JSON.parse(readFileSync(`${folder}/now.json`, 'utf8'))
      appendFileSync(`${folder}/fates.jsonl`, `${JSON.stringify([...mutant, 'killed'])}\n`)
      rmSync(`${folder}/now.json`)
      ended++
    }
  }
  const mutants = JSON.parse(readFileSync(`${folder}/mutants.json`, 'utf8')).filter(({ status }) => status !== 'Ignored')
  const fates = fatesIn(folder)
  for (const file of chosen)
    report(
      file,
      mutants.filter(({ fileName }) => fileName.endsWith(`/${file}`)),
      fates,
    )
  const score = percent(mutants, fates)
  const seconds = Math.round((performance.now() - began) / 1_000)
  const restarts = ended > 0 ? `; ${ended} of them ended the process or kept it busy` : ''
  console.log(`${group}: ${score.toFixed(1)} % of ${mutants.length} mutants killed in ${seconds} s${restarts}\n`)
  return score >= WANTED_PERCENT
}

/** Runs the group's tests for what is left of its mutants. A mutant that loops for ever shows no sign of life: its process is ended. */
async function runTests(folder, env) {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/mutation/vitest.config.ts']
  const run = spawn(process.execPath, vitest, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = Promise.all([text(run.stdout), text(run.stderr)])
  const watch = setInterval(() => {
    const seen = statSync(`${folder}/now.json`, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY
    if (Date.now() - seen > PATIENCE_MS) run.kill('SIGKILL')
  }, 1_000)
  const [status] = await once(run, 'exit')
  clearInterval(watch)
  return { status, output: (await output).join('\n') }
}

/** By mutant: `killed` where any look at it says so. */
function fatesIn(folder) {
  const fates = new Map()
  for (const line of readFileSync(`${folder}/fates.jsonl`, 'utf8').split('\n').filter(Boolean)) {
    const [, mutant, fate] = JSON.parse(line)
    if (fates.get(mutant) !== 'killed') fates.set(mutant, fate)
  }
  return fates
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
