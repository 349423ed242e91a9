// Runs git for the emulated forge, in a process that is small: see programs.ts. One message asks, one message answers.
// @ts-check
import { spawn } from 'node:child_process'

process.on('message', (/** @type {import('./programs.ts').Question} */ { id, args, cwd, env, input }) => {
  const child = spawn('git', args, { cwd, env })
  /** @type {Buffer[]} */
  const out = []
  /** @type {Buffer[]} */
  const err = []
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => err.push(chunk))
  child.on('error', (error) => answer({ id, code: null, out: Buffer.alloc(0), err: Buffer.from(String(error)) }))
  child.on('close', (code) => answer({ id, code, out: Buffer.concat(out), err: Buffer.concat(err) }))
  // A command that stops early closes its end; its exit code tells what happened.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
})
// The forge has ended, in whatever way: nobody is left to ask.
process.on('disconnect', () => process.exit())

/** @param {import('./programs.ts').Answer} message */
function answer(message) {
  if (process.connected) process.send?.(message)
}
