import { Command } from 'commander'
import { SECRET_PREFIX } from '../secrets/references.ts'
import { databasePasswords } from '../settings.ts'
import { VERSION } from '../version.ts'
import { addAudit } from './audit-verify.ts'
import { addDoctor } from './doctor.ts'
import { addExplain } from './explain.ts'
import { reportFault } from './fault.ts'
import { addInit } from './init.ts'
import { EXIT, type ExitCode, type Io, type Output } from './io.ts'
import { addPlan } from './plan.ts'
import { addRequest } from './request.ts'
import { addServe } from './serve.ts'
import { addStoreBackup } from './store-backup.ts'
import { addStoreCopy } from './store-copy.ts'
import { addValidate } from './validate.ts'

/** Adds one command. Heavy rooms are imported by its action, so that a quick command stays quick. */
type AddCommand = (program: Command, io: Io, done: (code: ExitCode) => void) => void

const addStore: AddCommand = (program, io, done) => {
  const store = program.command('store').description('the database of the controller')
  addStoreBackup(store, io, done)
  addStoreCopy(store, io, done)
}

const COMMANDS: readonly AddCommand[] = [
  addInit,
  addValidate,
  addRequest,
  addPlan,
  addExplain,
  addServe,
  addDoctor,
  addAudit,
  addStore,
]

const AFTER_HELP = `
Exit codes:
  0  fine
  1  findings: the config, the audit or the set-up has errors
  2  wrong use: arguments or settings
  3  something cannot be reached or read
  4  refused: the policy can never allow it

Examples:
  draven init deploys --from ../shop           begin a config repository
  draven validate                              check the config repository you stand in
  draven request shop prod v1.4.2 --reason "November release"
  draven explain shop/prod                     what runs there, what waits, and why
  draven serve                                 start the controller (settings: DRAVEN_… variables)
`

/** Runs one command line (without `node` and the script) to its end and gives the exit code. Never throws. */
export async function runCli(args: readonly string[], plain: Io): Promise<ExitCode> {
  const io = withoutSecrets(plain)
  let code: ExitCode = EXIT.ok
  const program = new Command('draven')
    .description('Deploys by pull request: requests, policies and approvals live in Git.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', AFTER_HELP)
    .showHelpAfterError('(--help tells how to use it)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
  for (const add of COMMANDS) {
    add(program, io, (exit) => {
      code = exit
    })
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    return reportFault(error, io)
  }
}

/** Nothing that is written may carry a secret, also not one that was never asked for. */
function withoutSecrets(io: Io): Io {
  for (const [name, value] of Object.entries(io.env)) {
    if (name.startsWith(SECRET_PREFIX) && value !== undefined) io.redactor.learn(value.trim())
  }
  for (const password of databasePasswords(io.env)) io.redactor.learn(password)
  const clean = (output: Output): Output => ({ isTTY: output.isTTY, write: (text) => output.write(io.redactor.redact(text)) })
  return { ...io, stdout: clean(io.stdout), stderr: clean(io.stderr) }
}
