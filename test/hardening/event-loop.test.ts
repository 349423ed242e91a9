import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { watchEventLoop } from '../../controller/event-loop.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const BUILT = join(ROOT, 'dist/controller/event-loop.js')

beforeAll(() => promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: ROOT }).catch(() => {}), 180_000)

function standStill(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('a process that stands still', () => {
  it('is found out afterwards, by about how long it did', async () => {
    const watch = watchEventLoop()
    onTestFinished(() => watch.stop())
    standStill(1_200)
    await expect.poll(() => watch.lagMs()).toBeGreaterThan(600)
    expect(watch.lagMs()).toBeLessThan(5_000)
  })

  it.each([
    ['for ever', 'while (true);', { killed: true, words: 'the process stood still and is ended' }],
    ['for a moment', 'const end = Date.now() + 150; while (Date.now() < end);', { killed: false, words: '' }],
  ])('%s is ended from outside, or let be', { timeout: 20_000 }, async (_long, stall, { killed, words }) => {
    const program = `import { killWhenStuck } from ${JSON.stringify(BUILT)}
      const stop = killWhenStuck(3_000)
      setTimeout(() => { ${stall} }, 300)
      setTimeout(stop, 2500)`
    const run = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]).then(
      ({ stderr }) => ({ signal: null, stderr }),
      ({ signal, stderr }: { signal: string; stderr: string }) => ({ signal, stderr }),
    )
    expect(run.signal).toBe(killed ? 'SIGKILL' : null)
    expect(run.stderr).toContain(words)
  })
})
