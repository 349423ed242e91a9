import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { MINUTE_MS } from '../../clock.ts'
import { ConfigFault, messageOf } from '../../errors.ts'
import type { LocalSettings } from '../provider.ts'
import type { LocalCommand } from './pipeline.ts'

type LocalFile = Pick<LocalSettings, 'commands' | 'repositories'>

const HELP =
  'Write `commands:` with an `argv:` list for each name, and `repositories:` with a path for each; docs/local.md has a whole file.'

/**
 * The file that DRAVEN_LOCAL_PIPELINES names, of this machine and never of the config repository: what `local` pipelines may run.
 * Relative paths start at the file's own folder.
 * @throws ConfigFault that names the file, the key and what is allowed there
 */
export async function readCommandsFile(file: string): Promise<LocalFile> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new ConfigFault(`${file} cannot be read: ${messageOf(error)}.`, 'Correct DRAVEN_LOCAL_PIPELINES, or leave it out.')
  })
  const document = parseDocument(text)
  const [mistake] = document.errors
  if (mistake !== undefined) throw new ConfigFault(`${file} is not YAML: ${mistake.message.split('\n')[0]}`, HELP)
  const folder = dirname(resolve(file))
  const { commands, repositories = {}, ...others } = mapAt(file, 'the file', document.toJS())
  refuseOthers(file, others, 'commands, repositories')
  return {
    commands: mapValues(mapAt(file, 'commands', commands), (name, value) => commandAt(file, `commands.${name}`, value, folder)),
    repositories: mapValues(mapAt(file, 'repositories', repositories), (name, value) =>
      resolve(folder, textAt(file, `repositories.${name}`, value)),
    ),
  }
}

function commandAt(file: string, place: string, value: unknown, folder: string): LocalCommand {
  const { argv, cwd, timeout_minutes: minutes, ...others } = mapAt(file, place, value)
  refuseOthers(`${file}: ${place}`, others, 'argv, cwd, timeout_minutes')
  const words = Array.isArray(argv) ? argv.map((word, each) => textAt(file, `${place}.argv[${each}]`, word)) : []
  const [program, ...rest] = words
  if (program === undefined) throw wrong(file, `${place}.argv`, 'a list of the program and its arguments')
  if (minutes !== undefined && !(typeof minutes === 'number' && minutes > 0)) {
    throw wrong(file, `${place}.timeout_minutes`, 'a number greater than 0')
  }
  return {
    argv: [program, ...rest],
    ...(cwd === undefined ? {} : { cwd: resolve(folder, textAt(file, `${place}.cwd`, cwd)) }),
    ...(minutes === undefined ? {} : { timeoutMs: minutes * MINUTE_MS }),
  }
}

function mapAt(file: string, place: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(file, place, 'a map')
  return value as Record<string, unknown>
}

function textAt(file: string, place: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw wrong(file, place, 'a text (quote what YAML takes for something else)')
  return value
}

function refuseOthers(where: string, others: Record<string, unknown>, known: string): void {
  const [other] = Object.keys(others)
  if (other !== undefined) throw new ConfigFault(`${where} has a key ${other}, which is not known.`, `Use ${known}.`)
}

function mapValues<T>(map: Record<string, unknown>, made: (name: string, value: unknown) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, made(name, value)]))
}

function wrong(file: string, place: string, allowed: string): ConfigFault {
  return new ConfigFault(`${file}: ${place} must be ${allowed}.`, HELP)
}
