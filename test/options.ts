import { type ParseArgsConfig, parseArgs } from 'node:util'

/**
 * What the command line asks for. Ends the process instead when it asks for help (usage, 0) or for what there is not (why and
 * usage, 2).
 */
export function readOptions<const Options extends NonNullable<ParseArgsConfig['options']>>(usage: string, options: Options) {
  if (process.argv.includes('--help')) {
    process.stdout.write(usage)
    process.exit(0)
  }
  try {
    return parseArgs({ options }).values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
}
