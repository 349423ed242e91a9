import { type Instant, MINUTE_MS } from '../clock.ts'
import { WEEKDAYS } from '../model/desired-state.ts'
import { zoneOf } from '../policy/zone.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/**
 * `Mon 23 Nov 09:00 Europe/Rome (08:00 UTC)`; without a known zone `Mon 23 Nov 08:00 UTC`.
 * The year is named only when it is another than now's. Never a distance ("in 2 h"): that would change with every look.
 */
export function when(at: Instant, timeZone: string | null, now: Instant): string {
  const utc = wallClock(at)
  const zone = timeZone === null ? null : zoneOf(timeZone)
  if (timeZone === null || zone === null) return `${date(utc, now)} ${time(utc)} UTC`
  const local = wallClock(at + zone.offsetMs(at))
  const sameDay = local.getUTCDate() === utc.getUTCDate()
  return `${date(local, now)} ${time(local)} ${timeZone} (${sameDay ? '' : `${date(utc, now)} `}${time(utc)} UTC)`
}

/** `4 min`, `1 h 12 min`: how long something took that is over. */
export function duration(ms: number): string {
  const minutes = Math.floor(ms / MINUTE_MS)
  if (minutes < 1) return `${Math.max(0, Math.round(ms / 1000))} s`
  if (minutes < 60) return `${minutes} min`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** The wall clock, to be read with the UTC getters. */
function wallClock(at: Instant): Date {
  return new Date(at)
}

function date(clock: Date, now: Instant): string {
  const weekday = WEEKDAYS[(clock.getUTCDay() + 6) % 7]
  const year = clock.getUTCFullYear()
  const suffix = year === new Date(now).getUTCFullYear() ? '' : ` ${year}`
  return `${weekday} ${clock.getUTCDate()} ${MONTHS[clock.getUTCMonth()]}${suffix}`
}

function time(clock: Date): string {
  return clock.toISOString().slice(11, 16)
}
