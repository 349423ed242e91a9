// Everything that can be checked without running the product: types, lint, layers, dead code, drift of generated files.
import { spawnSync } from 'node:child_process'

const CHECKS = [
  ['types', ['scripts/build.mjs']],
  ['lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
  ['schemas and types agree', ['scripts/generate-types.mjs', '--check']],
  ['import table, dead files', ['node_modules/vitest/vitest.mjs', 'run', 'test/tidy.test.ts']],
  ['dead code and dependencies', ['node_modules/knip/bin/knip.js']],
]

let failed = 0
for (const [name, args] of CHECKS) {
  const result = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const ok = result.status === 0
  console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name}`)
  if (ok) continue
  failed++
  console.log(result.stdout, result.stderr)
}
process.exit(failed === 0 ? 0 : 1)
