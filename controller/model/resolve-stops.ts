import { type ConfigFile, contentOf, findingAt, hasErrors, ownFindings, placeAt } from './config-file.ts'
import type { Freeze, Hold, Scope } from './desired-state.ts'
import type { Finding } from './finding.ts'
import { type LocalTimeProblem, localInstant } from './local-time.ts'
import { quoted } from './printable.ts'
import type { KnownNames } from './resolve-access.ts'
import { timeZoneFinding } from './resolve-policies.ts'
import { unknownName } from './unknown-name.ts'

/** Freezes and holds only ever take rights away. What cannot be read closes everything; what is in doubt applies more widely, not less. */
export interface ResolvedStops<T> {
  stops: readonly T[]
  /** All findings, warnings included. */
  findings: readonly Finding[]
  /** Errors of files whose meaning is lost: nothing may start. */
  closing: readonly Finding[]
}

export function resolveFreezes(files: readonly ConfigFile<'Freeze'>[], known: KnownNames): ResolvedStops<Freeze> {
  return collect(
    files,
    (file, findings) => {
      const content = contentOf(file)
      if (!content) return null
      const fromAt = instantAt(file, '/from', content.from, content.tz, findings)
      const toAt = instantAt(file, '/to', content.to, content.tz, findings)
      if (fromAt === null || toAt === null) return null
      if (toAt <= fromAt) {
        findings.push(
          findingAt(file, 'DRV1406', '/to', {
            message: `the freeze ends at ${quoted(content.to)}, which is not after it begins`,
            allowed: `a time after ${content.from}`,
            help: 'correct `from` or `to`',
          }),
        )
        return null
      }
      return {
        name: file.names[0]!,
        reason: content.reason,
        fromAt,
        toAt,
        tz: content.tz,
        scope: scopeOf(content, known),
        place: placeAt(file, ''),
      }
    },
    known,
  )
}

export function resolveHolds(files: readonly ConfigFile<'Hold'>[], known: KnownNames): ResolvedStops<Hold> {
  return collect(
    files,
    (file, findings) => {
      const content = contentOf(file)
      if (!content) return null
      let untilAt: number | null = null
      // The schema asks for both or none.
      if (content.until !== undefined && content.tz !== undefined) {
        untilAt = instantAt(file, '/until', content.until, content.tz, findings)
        if (untilAt === null) return null
      }
      return { name: file.names[0]!, reason: content.reason, untilAt, scope: scopeOf(content, known), place: placeAt(file, '') }
    },
    known,
  )
}

type StopKind = 'Freeze' | 'Hold'

function collect<K extends StopKind, T>(
  files: readonly ConfigFile<K>[],
  resolve: (file: ConfigFile<K>, findings: Finding[]) => T | null,
  known: KnownNames,
): ResolvedStops<T> {
  const stops: T[] = []
  const all: Finding[] = []
  const closing: Finding[] = []
  for (const file of files) {
    const findings = [...ownFindings(file)]
    const stop = resolve(file, findings)
    if (stop) stops.push(stop)
    else closing.push(...findings.filter((finding) => finding.severity === 'error'))
    if (stop && !hasErrors(findings)) findings.push(...scopeFindings(file, known))
    all.push(...findings)
  }
  return { stops, findings: all, closing }
}

interface ScopeDocument {
  projects?: string[]
  environments?: string[]
}

/** A name that is not known may be a slip for any other: that side of the scope then means everything. */
function scopeOf(content: ScopeDocument, known: KnownNames): Scope {
  const certain = (names: readonly string[] | undefined, all: readonly string[]) =>
    names?.every((name) => all.includes(name)) ? names : null
  return { projects: certain(content.projects, known.projects), environments: certain(content.environments, known.environments) }
}

function scopeFindings(file: ConfigFile<StopKind>, known: KnownNames): Finding[] {
  const content = contentOf(file) as ScopeDocument
  return (['projects', 'environments'] as const).flatMap((axis) =>
    (content[axis] ?? []).flatMap((name, index) => {
      if (known[axis].includes(name)) return []
      const finding = unknownName(file, `/${axis}/${index}`, axis.slice(0, -1), name, known[axis])
      return [{ ...finding, message: `${finding.message}; until this is mended it applies to all ${axis}` }]
    }),
  )
}

const TIME_WORDS: Readonly<Record<LocalTimeProblem, string>> = {
  no_such_date: 'is not a date of the calendar',
  skipped: 'does not exist: clocks are put forward over it',
  repeated: 'exists twice: clocks are put back to it',
}

function instantAt(file: ConfigFile, pointer: string, text: string, tz: string, findings: Finding[]): number | null {
  const badZone = timeZoneFinding(file, '/tz', tz)
  if (badZone) {
    if (!findings.some((finding) => finding.code === badZone.code)) findings.push(badZone)
    return null
  }
  const instant = localInstant(text, tz)
  if (typeof instant === 'number') return instant
  findings.push(
    findingAt(file, 'DRV1405', pointer, {
      message: `${quoted(text)} in ${tz} ${TIME_WORDS[instant]}`,
      allowed: 'a local time that exists exactly once',
      help: instant === 'no_such_date' ? 'correct the date' : 'choose a time an hour earlier or later',
    }),
  )
  return null
}
