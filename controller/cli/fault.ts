import { CommanderError } from 'commander'
import { ConfigFault, RefusedFault, TransientFault } from '../errors.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'

/** A command cannot go on: what is wrong, what to do, and the exit code that says which kind of trouble it is. */
export class CommandFault extends Error {
  override readonly name = 'CommandFault'
  readonly exit: ExitCode
  readonly fix: string
  constructor(exit: ExitCode, message: string, fix: string) {
    super(message)
    this.exit = exit
    this.fix = fix
  }
}

/** Tells the person what went wrong, on stderr, and gives the exit code. Only a defect of ours shows a stack. */
export function reportFault(error: unknown, io: Io): ExitCode {
  // commander has written its own message already; help and version come here too, as exit 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof CommandFault) return tell(io, error.exit, error.message, error.fix)
  if (error instanceof ConfigFault) return tell(io, EXIT.usage, error.message, error.fix)
  if (error instanceof RefusedFault)
    return tell(io, EXIT.unreachable, error.message, 'Mend that first; `draven doctor` checks it again.')
  if (error instanceof TransientFault)
    return tell(io, EXIT.unreachable, error.message, 'Try again; `draven doctor` checks the connections.')
  io.stderr.write(`draven: this is a defect of draven itself: ${error instanceof Error ? error.stack : String(error)}\n`)
  return EXIT.findings
}

function tell(io: Io, exit: ExitCode, message: string, fix: string): ExitCode {
  io.stderr.write(`draven: ${message}\n   fix: ${fix}\n`)
  return exit
}
