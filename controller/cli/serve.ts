import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MINUTE_MS } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { jsonLogger } from '../log.ts'
import { readSettings, type Settings } from '../settings.ts'
import { VERSION } from '../version.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { writeJson } from './output.ts'

const AFTER_HELP = `
Settings are DRAVEN_… environment variables; \`draven doctor\` checks them and everything they lead to.
SIGTERM or Ctrl-C ends it after what is under way; a second one ends it at once.

Examples:
  DRAVEN_CONFIG_DIR=./deploy-config draven serve
  DRAVEN_CONFIG_REPO_URL=https://github.com/acme/deploy-config.git DRAVEN_CONFIG_REPO=acme/deploy-config draven serve
`

/** Nothing that is right takes this long without a pause. */
const STUCK_MS = MINUTE_MS

export function addServe(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('serve')
    .description('start the controller: it follows the config repository, runs the jobs and shows the status page')
    .option('--json', 'print where it listens as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (options: { json?: true }) => done(await serve(io, options)))
}

async function serve(io: Io, { json }: { json?: true }): Promise<ExitCode> {
  const settings = withAbsolutePaths(readSettings(io.env), io.cwd)
  const { startController } = await import('../main.ts')
  crashVisibly(io, settings)
  const unguard = io.killWhenStuck(STUCK_MS)
  const stopping = stopSignal(io)
  try {
    const controller = await startController(settings, {
      clock: io.clock,
      fetch: io.fetch,
      env: io.env,
      write: (line) => io.stderr.write(line),
      redactor: io.redactor,
    })
    if (json) writeJson(io, { version: VERSION, url: controller.url, watches: watched(settings) })
    else io.stdout.write(`DRAVEN ${VERSION} is up at ${controller.url} and watches ${watched(settings)}. Ctrl-C stops it.\n`)
    await stopping.asked
    if (!json) io.stdout.write('Stopping after what is under way; once more stops at once.\n')
    await controller.stop()
    return EXIT.ok
  } finally {
    unguard()
    stopping.forget()
  }
}

/** Where the controller would look: relative paths start at the working directory of the command. */
export function withAbsolutePaths(settings: Settings, cwd: string): Settings {
  const { config } = settings
  return {
    ...settings,
    dataDirectory: resolve(cwd, settings.dataDirectory),
    secretsDirectory: settings.secretsDirectory === null ? null : resolve(cwd, settings.secretsDirectory),
    localPipelinesFile: settings.localPipelinesFile === null ? null : resolve(cwd, settings.localPipelinesFile),
    config: config.kind === 'directory' ? { ...config, directory: resolve(cwd, config.directory) } : config,
  }
}

function watched({ config }: Settings): string {
  return config.kind === 'directory' ? `${config.directory} (${config.branch})` : `${config.url} (${config.branch})`
}

/** Resolves at the first signal; the second ends the process, with the shell's code for a signal. */
function stopSignal(io: Io): { asked: Promise<void>; forget: () => void } {
  let signals = 0
  let ask: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const forget = io.onSignal((signal) => {
    if (++signals > 1) io.exit(signal === 'SIGINT' ? 130 : 143)
    ask()
  })
  return { asked, forget }
}

/** An error that nobody caught leaves an unknown state behind: it is logged and a restart begins from the store. */
function crashVisibly(io: Io, settings: Settings): void {
  const log = jsonLogger({ level: settings.logLevel, redact: io.redactor.redact, write: (line) => io.stderr.write(line) })
  io.onCrash((error) => {
    log.error('the controller ends: an error was not caught', {
      error: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
    })
    io.exit(EXIT.findings)
  })
}
