import type { Command } from 'commander'
import type { Check } from './doctor-check.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, oneLine, type Paint, painter, writeJson } from './output.ts'

const AFTER_HELP = `
Looks at the same settings as \`draven serve\` and changes nothing; a controller may be running.
Exits with 1 when a check failed; warnings alone are fine.

Example:
  draven doctor
`

export function addDoctor(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('check the set-up: programs, settings, credentials, clock, data directory, webhooks')
    .option('--json', 'print the checks as JSON')
    .addHelpText('after', AFTER_HELP)
    .action(async (options: { json?: true }) => done(await doctor(io, options)))
}

async function doctor(io: Io, { json }: { json?: true }): Promise<ExitCode> {
  const { runChecks } = await import('./doctor-run.ts')
  const checks: Check[] = []
  const paint = painter(io)
  // Each is shown as soon as it is known: the network may take its time.
  for await (const check of runChecks(io)) {
    checks.push(check)
    if (!json) io.stdout.write(checkText(check, paint))
  }
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length
  const healthy = count('fail') === 0
  if (json) writeJson(io, { ok: healthy, checks })
  else io.stdout.write(`\n${counted(checks.length, 'check')}: ${count('fail')} failed, ${counted(count('warn'), 'warning')}\n`)
  return healthy ? EXIT.ok : EXIT.findings
}

const TONES = { ok: 'good', warn: 'warn', fail: 'bad' } as const
const NAME_WIDTH = 22

function checkText({ name, status, detail, fix }: Check, paint: Paint): string {
  const line = `${paint(TONES[status], status.padEnd(4))}  ${name.padEnd(NAME_WIDTH)}  ${oneLine(detail)}\n`
  return fix === null ? line : `${line}${' '.repeat(6 + NAME_WIDTH)}  fix: ${oneLine(fix)}\n`
}
