import { DAY_MS, type Instant, MINUTE_MS } from '../clock.ts'
import { type DeployWindow, WEEKDAYS } from '../model/desired-state.ts'
import { weekdayIndex, type Zone, zoneOf } from './zone.ts'

/**
 * Deploy windows compare the wall clock: a window is open exactly when the local weekday and minute lie inside it.
 * On the day clocks go forward the minutes in the gap never come, so a window inside the gap stays shut that day; one that
 * begins in the gap opens when the gap ends. On the day clocks go back the doubled minutes count both times they are shown.
 */

const MINUTES_A_DAY = 24 * 60
/** A weekly pattern shows all its states in eight days; the second week covers one whose only minutes fall into a gap. */
const HORIZON_MS = 16 * DAY_MS

export interface WindowState {
  open: boolean
  /** The first instant after `now` at which `open` has the other value; null when it never will. */
  changesAt: Instant | null
}

/** A window without days, or one that cannot be read (minutes that are no numbers, an unknown zone), is closed for good. */
export function windowState(window: DeployWindow, now: Instant): WindowState {
  const zone = zoneOf(window.tz)
  if (!zone || !isReadable(window) || !Number.isFinite(now)) return { open: false, changesAt: null }
  const open = isOpen(window, zone, now)
  let at = now
  while (at < now + HORIZON_MS) {
    at = nextBoundary(window, zone, at)
    if (isOpen(window, zone, at) !== open) return { open, changesAt: at }
  }
  return { open, changesAt: null }
}

/** The same without looking for the next change. */
export function isWindowOpen(window: DeployWindow, now: Instant): boolean {
  const zone = zoneOf(window.tz)
  return zone !== null && isReadable(window) && Number.isFinite(now) && isOpen(window, zone, now)
}

/** `Mon–Fri 09:00–19:00 Europe/Rome`. */
export function describeWindow(window: DeployWindow): string {
  return `${describeDays(window)} ${clockTime(window.fromMinute)}–${clockTime(window.toMinute)} ${window.tz}`
}

function isReadable(window: DeployWindow): boolean {
  const { fromMinute, toMinute } = window
  return isMinute(fromMinute) && fromMinute < MINUTES_A_DAY && isMinute(toMinute)
}

function isMinute(minute: number): boolean {
  return Number.isInteger(minute) && minute >= 0 && minute <= MINUTES_A_DAY
}

function isOpen(window: DeployWindow, zone: Zone, at: Instant): boolean {
  const local = localMinute(zone, at)
  const day = Math.floor(local / MINUTES_A_DAY)
  const minute = local - day * MINUTES_A_DAY
  if (window.fromMinute < window.toMinute) {
    return opensOn(window, day) && window.fromMinute <= minute && minute < window.toMinute
  }
  // Overnight: the evening part belongs to this day, the morning part to the day before.
  return (opensOn(window, day) && minute >= window.fromMinute) || (opensOn(window, day - 1) && minute < window.toMinute)
}

function opensOn(window: DeployWindow, day: number): boolean {
  return window.days.includes(WEEKDAYS[weekdayIndex(day)]!)
}

/**
 * The next instant at which the answer may change: a local midnight, the window's own start or end, or a change of the
 * clocks, whichever comes first. Two changes of the clocks within one day would be missed; no zone does that.
 */
function nextBoundary(window: DeployWindow, zone: Zone, at: Instant): Instant {
  const local = localMinute(zone, at)
  const midnight = Math.floor(local / MINUTES_A_DAY) * MINUTES_A_DAY
  let next = midnight + MINUTES_A_DAY
  for (const minute of [window.fromMinute, window.toMinute]) {
    if (midnight + minute > local && midnight + minute < next) next = midnight + minute
  }
  const offset = zone.offsetMs(at)
  const candidate = next * MINUTE_MS - offset
  return zone.offsetMs(candidate) === offset ? candidate : clockChange(zone, at, candidate)
}

/** The first minute in (`before`, `after`] that has the offset of `after`. */
function clockChange(zone: Zone, before: Instant, after: Instant): Instant {
  const offset = zone.offsetMs(after)
  let low = Math.floor(before / MINUTE_MS)
  let high = Math.floor(after / MINUTE_MS)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (zone.offsetMs(middle * MINUTE_MS) === offset) high = middle
    else low = middle
  }
  return high * MINUTE_MS
}

/** Minutes since 1970-01-01T00:00 on the wall clock. */
function localMinute(zone: Zone, at: Instant): number {
  return Math.floor((at + zone.offsetMs(at)) / MINUTE_MS)
}

/** Days as runs: `Mon–Fri`, `Mon, Wed`, `no day`. */
function describeDays({ days }: DeployWindow): string {
  const chosen = WEEKDAYS.map((day) => days.includes(day))
  const runs: string[] = []
  for (let first = 0; first < WEEKDAYS.length; first++) {
    if (!chosen[first]) continue
    let last = first
    while (chosen[last + 1]) last++
    if (last - first < 2) for (let day = first; day <= last; day++) runs.push(WEEKDAYS[day]!)
    else runs.push(`${WEEKDAYS[first]}–${WEEKDAYS[last]}`)
    first = last
  }
  return runs.length > 0 ? runs.join(', ') : 'no day'
}

function clockTime(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}
