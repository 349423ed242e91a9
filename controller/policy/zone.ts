import { DAY_MS, type Instant, MINUTE_MS } from '../clock.ts'
import { WEEKDAYS } from '../model/desired-state.ts'

/** An IANA time zone: how far its wall clock is ahead of UTC at an instant, in milliseconds. */
export interface Zone {
  offsetMs(at: Instant): number
}

/**
 * Offsets are remembered per quarter of an hour: asking Intl costs a microsecond, remembering 25 times less.
 * Sound because no zone has changed its clock off a UTC quarter of an hour since 1973 (tzdata).
 */
const SLOT_MS = 15 * MINUTE_MS
/** Enough for a month of quarters; the memory of a zone starts afresh beyond it. */
const MAX_SLOTS = 4096

/** ECMAScript dates end here, less a day so that every zone's wall clock is still a date. */
const LAST_INSTANT = 8.64e15 - DAY_MS

/** One formatter per zone name for the life of the process: making one costs 95 µs. Only names that Intl knows get in. */
const zones = new Map<string, Zone>()

/** The zone of an IANA name; null when this machine does not know the name. */
export function zoneOf(tz: string): Zone | null {
  const known = zones.get(tz)
  if (known) return known
  const formatter = wallClock(tz)
  if (!formatter) return null
  const zone = rememberingZone(formatter)
  zones.set(tz, zone)
  return zone
}

/** `Mon 2026-11-23 09:00 Europe/Rome`: how an instant is written for a person; UTC when the zone is unknown. */
export function localLabel(tz: string, at: Instant): string {
  if (!(Math.abs(at) <= LAST_INSTANT)) return 'an unknown time'
  const zone = zoneOf(tz)
  const local = at + (zone?.offsetMs(at) ?? 0)
  const iso = new Date(local).toISOString()
  const weekday = WEEKDAYS[weekdayIndex(Math.floor(local / DAY_MS))]
  return `${weekday} ${iso.slice(0, 10)} ${iso.slice(11, 16)} ${zone ? tz : 'UTC'}`
}

/** Index in WEEKDAYS of a day counted from 1970-01-01, which was a Thursday. */
export function weekdayIndex(day: number): number {
  return (((day + 3) % 7) + 7) % 7
}

function wallClock(tz: string): Intl.DateTimeFormat | null {
  const twoDigits = '2-digit' as const
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      // h23, because `hour12: false` writes midnight as 24:00.
      hourCycle: 'h23',
      year: 'numeric',
      month: twoDigits,
      day: twoDigits,
      hour: twoDigits,
      minute: twoDigits,
      second: twoDigits,
    })
  } catch {
    return null
  }
}

function rememberingZone(formatter: Intl.DateTimeFormat): Zone {
  const offsets = new Map<number, number>()
  return {
    offsetMs(at) {
      const slot = Math.floor(at / SLOT_MS)
      const known = offsets.get(slot)
      if (known !== undefined) return known
      if (offsets.size >= MAX_SLOTS) offsets.clear()
      const offset = readOffset(formatter, slot * SLOT_MS)
      offsets.set(slot, offset)
      return offset
    },
  }
}

/** The wall clock read as if it were UTC, less the instant. `at` has no fraction of a second. */
function readOffset(formatter: Intl.DateTimeFormat, at: Instant): number {
  const [month, day, year, hour, minute, second] = formatter.format(at).match(/\d+/g)!.map(Number)
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) - at
}
