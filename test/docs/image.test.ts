import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from './documents.ts'

const run = promisify(execFile)

/** The image's /app, put together by the Dockerfile's own lines from what is built here. */
function imageFolder(): string {
  if (!existsSync(join(ROOT, 'dist')))
    execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { cwd: ROOT, stdio: 'ignore' })
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  const app = mkdtempSync(join(tmpdir(), 'draven-image-'))
  onTestFinished(() => rmSync(app, { recursive: true, force: true }))
  for (const [, from = '', to = ''] of dockerfile.matchAll(/^COPY --from=build \/app\/(\S+) (\S+)$/gm)) {
    if (from === 'node_modules') continue
    const target = to === './' ? join(app, from) : join(app, to)
    mkdirSync(dirname(target), { recursive: true })
    cpSync(join(ROOT, from), target, { recursive: true })
  }
  const removed = new Set([...dockerfile.matchAll(/node_modules\/(\S+)/g)].map(([, name]) => name))
  for (const name of packages().filter((each) => !removed.has(each) && !removed.has(dirname(each)))) {
    mkdirSync(dirname(join(app, 'node_modules', name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name))
  }
  return app
}

function packages(): string[] {
  const modules = join(ROOT, 'node_modules')
  return readdirSync(modules).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  )
}

it('the image holds every file that the command needs, and no more than the Dockerfile copies', async () => {
  const app = imageFolder()
  const draven = (...args: string[]) => run(process.execPath, [join(app, 'dist/controller/cli/main.js'), ...args], { cwd: app })
  expect((await draven('validate', join(ROOT, 'example-config'))).stdout).toContain('no findings')
  expect(existsSync(join(app, 'node_modules/typescript'))).toBe(false)
  expect(existsSync(join(app, 'node_modules/prisma'))).toBe(false)
  const store = await draven('doctor', '--json').catch((error: { stdout: string }) => error)
  expect(JSON.parse(store.stdout)).toBeTruthy()
})
