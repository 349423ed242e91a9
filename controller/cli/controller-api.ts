import { type Command, Option } from 'commander'
import { messageOf } from '../errors.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type Io } from './io.ts'

export const DEFAULT_URL = 'http://127.0.0.1:8080'
const TIMEOUT_MS = 10_000

/** `--url`: where the controller answers. The variable is read from `io`, not by commander, which knows only the process's. */
export function withUrlOption(command: Command, defaultText: string): Command {
  return command.addOption(new Option('--url <url>', `address of the controller (default: ${defaultText})`))
}

/** Reads one JSON answer of a running controller; null for 404. Redirects are followed as by a browser. */
export async function readController<Facts>(io: Io, url: string, path: string): Promise<Facts | null> {
  const address = `${url.replace(/\/+$/, '')}${path}`
  if (!URL.canParse(address) || !/^https?:/.test(address)) {
    throw new CommandFault(EXIT.usage, `${JSON.stringify(url)} is not an http(s) address.`, `Write it like ${DEFAULT_URL}.`)
  }
  const response = await ask(io, url, address)
  if (response.status === 404) return null
  if (response.status === 421) {
    throw new CommandFault(
      EXIT.unreachable,
      `The controller does not answer under ${new URL(url).host}.`,
      'Use the address of its DRAVEN_PUBLIC_URL: --url https://…, or set DRAVEN_URL.',
    )
  }
  try {
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    return (await response.json()) as Facts
  } catch (error) {
    throw new CommandFault(
      EXIT.unreachable,
      `${address} does not answer like a controller: ${messageOf(error)}.`,
      'Check the address; the status page of the controller is there when you open it in a browser.',
    )
  }
}

async function ask(io: Io, url: string, address: string): Promise<Response> {
  try {
    return await io.fetch(address, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
    throw new CommandFault(
      EXIT.unreachable,
      `No controller answers at ${url} (${cause || 'no connection'}).`,
      'Start one with `draven serve`, or name its address with --url or DRAVEN_URL.',
    )
  }
}
