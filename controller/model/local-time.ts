import { Temporal } from 'temporal-polyfill'
import type { Instant } from '../clock.ts'

export type LocalTimeProblem = 'no_such_date' | 'skipped' | 'repeated'

/** True for `UTC` and IANA `Area/City` names that this machine knows. `EST` and `Etc/GMT+5` are refused: they ignore summer time, and the latter's sign is reversed. */
export function isTimeZone(name: string): boolean {
  if (name === 'UTC') return true
  if (!name.includes('/') || name.startsWith('Etc/')) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== ''
  } catch {
    return false
  }
}

export function knownTimeZones(): readonly string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone')]
}

/** `2026-12-20 00:00` in a zone → instant. A time that clocks skip or show twice is a problem, not a guess. */
export function localInstant(text: string, tz: string): Instant | LocalTimeProblem {
  let local: Temporal.PlainDateTime
  try {
    local = Temporal.PlainDateTime.from(text.replace(' ', 'T'), { overflow: 'reject' })
  } catch {
    return 'no_such_date'
  }
  try {
    return local.toZonedDateTime(tz, { disambiguation: 'reject' }).epochMilliseconds
  } catch {
    // In a skipped hour no instant shows this time; in a repeated hour two do.
    const earlier = local.toZonedDateTime(tz, { disambiguation: 'earlier' })
    return earlier.toPlainDateTime().equals(local) ? 'repeated' : 'skipped'
  }
}

/** `09:30` → 570. */
export function minuteOfDay(text: string): number {
  const [hours, minutes] = text.split(':')
  return Number(hours) * 60 + Number(minutes)
}
