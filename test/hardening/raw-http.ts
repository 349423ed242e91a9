import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { HttpLimits } from '../../controller/http-server.ts'
import { type RawHttpTarget, startTarget } from './http-target.ts'

/** A target that is closed at the end of the test. */
export async function target(limits: Partial<HttpLimits> = {}): Promise<RawHttpTarget> {
  const started = await startTarget(limits)
  onTestFinished(() => started.close())
  return started
}

export interface RawAnswer {
  /** Everything that came back. */
  text: string
  /** Status codes of the answers in it, in order. */
  statuses: number[]
  /** The server ended the connection before our patience did. */
  closed: boolean
  tookMs: number
}

/** Writes bytes as they are and listens until the server ends the connection, or nothing new came for `quietMs`. */
export function rawExchange(port: number, bytes: string | Uint8Array, quietMs = 150): Promise<RawAnswer> {
  const began = performance.now()
  const socket = open(port)
  socket.write(bytes)
  return heard(socket, quietMs).then((answer) => ({ ...answer, tookMs: performance.now() - began }))
}

/** A connection whose resets are no error of the test. */
export function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  return socket
}

/** Listens to what the server says on this connection; ends it afterwards. */
export async function heard(socket: Socket, quietMs: number): Promise<Omit<RawAnswer, 'tookMs'>> {
  let text = ''
  const closed = await new Promise<boolean>((resolve) => {
    let quiet = setTimeout(() => resolve(false), quietMs)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      clearTimeout(quiet)
      quiet = setTimeout(() => resolve(false), quietMs)
    })
    socket.once('close', () => {
      clearTimeout(quiet)
      resolve(true)
    })
  })
  socket.destroy()
  return { text, statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)), closed }
}
