import { type Command, InvalidArgumentError } from 'commander'
import type { DesiredState } from '../model/desired-state.ts'
import { loadDirectory } from './config-directory.ts'
import { formatFindings, formatFindingsJson } from './format-findings.ts'
import { EXIT, type ExitCode, type Io } from './io.ts'
import { counted, wantsColor } from './output.ts'

interface ValidateOptions {
  max: number
  json?: true
}

const DEFAULT_MAX = 50

export function addValidate(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('validate')
    .description('check every file of a config repository: what is wrong, where, and how to mend it')
    .argument('[dir]', 'the config repository', '.')
    .option('--max <n>', 'show at most so many findings', wholeNumber, DEFAULT_MAX)
    .option('--json', 'print the findings as one JSON array')
    .addHelpText(
      'after',
      '\nExits with 1 when there is an error; warnings alone are fine.\n\nExample:\n  draven validate deploy-config\n',
    )
    .action(async (dir: string, options: ValidateOptions) => done(await validate(io, dir, options)))
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.')
  return Number(text)
}

async function validate(io: Io, dir: string, { max, json }: ValidateOptions): Promise<ExitCode> {
  const desired = await loadDirectory(io, dir)
  const { findings } = desired
  if (json) io.stdout.write(formatFindingsJson(findings))
  else io.stdout.write(withScope(formatFindings(findings, { color: wantsColor(io), max }), desired))
  return findings.some((finding) => finding.severity === 'error') ? EXIT.findings : EXIT.ok
}

/** The findings end with a line that counts them; here it also says what was looked at. */
function withScope(text: string, desired: DesiredState): string {
  const blocks = text.trimEnd().split('\n\n')
  const count = blocks.pop()!
  const requests = desired.requests.size + desired.unusableRequests.size
  const environments = desired.environments.size + desired.unusableEnvironments.size
  const scope = [
    counted(desired.projects.size, 'project'),
    counted(environments, 'environment'),
    counted(requests, 'request'),
  ].join(', ')
  return [...blocks, `${scope}: ${count}\n`].join('\n\n')
}
