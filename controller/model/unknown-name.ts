import { type ConfigFile, findingAt } from './config-file.ts'
import type { Finding } from './finding.ts'
import { quoted } from './printable.ts'
import { didYouMean, listWords } from './suggest.ts'

/** A reference to something that does not exist, with the names that do. */
export function unknownName(
  file: ConfigFile,
  pointer: string,
  what: string,
  name: string,
  known: readonly string[],
  severity: Finding['severity'] = 'error',
): Finding {
  const usable = known.filter((one) => /^[a-z0-9][a-z0-9-]*$/.test(one)).sort()
  return findingAt(file, 'DRV1301', pointer, {
    severity,
    message: `there is no ${what} ${quoted(name)}`,
    allowed: usable.length > 0 ? listWords(usable) : `no ${what} exists yet`,
    help: didYouMean(name, usable) ?? `use one of the names above, or add the ${what}`,
  })
}
