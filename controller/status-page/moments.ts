import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS, SECOND_MS, toIso } from '../clock.ts'
import { html, type Markup } from './markup.ts'

/** An instant as it leaves the process: `2026-11-21T09:00:00.000Z`. */
export type Iso = string

export function isoOrNull(instant: Instant | null): Iso | null {
  return instant === null ? null : toIso(instant)
}

/** `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`: two units at most, enough to act on. */
export function durationText(ms: number): string {
  const whole = Math.max(0, ms)
  if (whole < SECOND_MS) return `${Math.round(whole)} ms`
  if (whole < MINUTE_MS) return `${Math.floor(whole / SECOND_MS)} s`
  if (whole < HOUR_MS) return pair(whole, MINUTE_MS, 'min', SECOND_MS, 's', 10 * MINUTE_MS)
  if (whole < DAY_MS) return pair(whole, HOUR_MS, 'h', MINUTE_MS, 'min', DAY_MS)
  return pair(whole, DAY_MS, 'd', HOUR_MS, 'h', 14 * DAY_MS)
}

/** Names the smaller unit only below `coarseFrom`: nobody needs seconds after ten minutes. */
function pair(ms: number, big: number, bigName: string, small: number, smallName: string, coarseFrom: number): string {
  const rest = Math.floor((ms % big) / small)
  const first = `${Math.floor(ms / big)} ${bigName}`
  return rest === 0 || ms >= coarseFrom ? first : `${first} ${rest} ${smallName}`
}

/** `Sat 21 Nov 2026, 11:30:12 UTC`, or in the given IANA zone with its name. */
export function absoluteText(iso: Iso, zone = 'UTC'): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(new Date(iso))
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? ''
  const time =
    part('second') === '00' ? `${part('hour')}:${part('minute')}` : `${part('hour')}:${part('minute')}:${part('second')}`
  return `${part('weekday')} ${part('day')} ${part('month')} ${part('year')}, ${time} ${zone}`
}

/** `Sat 21 Nov 2026 UTC`: the heading of a day. */
export function dayText(iso: Iso): string {
  return `${absoluteText(iso).split(',')[0]} UTC`
}

export function distanceText(iso: Iso, now: Iso): string {
  const ms = Date.parse(now) - Date.parse(iso)
  return ms < 0 ? `in ${durationText(-ms)}` : `${durationText(ms)} ago`
}

/** `3 h ago`, with the full moment for the machine and on hover. */
export function ago(iso: Iso, now: Iso): Markup {
  return html`<time datetime="${iso}" title="${absoluteText(iso)}">${distanceText(iso, now)}</time>`
}

/** The full moment, with the distance on hover. */
export function moment(iso: Iso, now: Iso, zone = 'UTC'): Markup {
  return html`<time datetime="${iso}" title="${distanceText(iso, now)}">${absoluteText(iso, zone)}</time>`
}
