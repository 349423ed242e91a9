import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import type { Mode } from './store-process.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export interface StoreProcess {
  pid: number
  /** Every line it said so far. */
  lines: readonly string[]
  said(line: RegExp): Promise<void>
  /** Resolves when the process is gone. */
  kill(): Promise<void>
  ended: Promise<void>
}

export interface StoreProcesses {
  start(mode: Mode, file: string, word?: string): StoreProcess
  remove(): void
}

/** Node 20 cannot run TypeScript, so the process is compiled first; inside the repository, where its packages are found. */
export async function compileStoreProcess(): Promise<StoreProcesses> {
  mkdirSync(join(ROOT, '.draven'), { recursive: true })
  const folder = mkdtempSync(join(ROOT, '.draven/test-store-'))
  const compilerOptions = { outDir: './out', rootDir: ROOT, noEmitOnError: false, incremental: false, noCheck: true }
  const files = [join(import.meta.dirname, 'store-process.ts')]
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: [], files }),
  )
  await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder])

  return {
    start(mode, file, word = '') {
      const script = join(folder, 'out/test/store/store-process.js')
      return watched(spawn(process.execPath, [script, mode, file, word], { stdio: ['ignore', 'pipe', 'inherit'] }))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function watched(child: ChildProcessByStdio<null, Readable, null>): StoreProcess {
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(line))
  // `close` comes after the last byte of output was read.
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  return {
    pid: child.pid!,
    lines,
    ended,
    said: (wanted) =>
      new Promise((done, fail) => {
        const look = () => lines.some((line) => wanted.test(line)) && done()
        reader.on('line', look)
        look()
        child.once('close', () => fail(new Error(`ended without saying ${wanted}: ${lines.slice(-3).join(' | ')}`)))
      }),
    kill() {
      child.kill('SIGKILL')
      return ended
    },
  }
}
