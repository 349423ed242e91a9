import { expect, test } from 'vitest'
import { createMetrics } from '../../controller/status-page/metrics.ts'
import { absoluteText, distanceText, durationText } from '../../controller/status-page/moments.ts'
import { DARK, LIGHT, type Palette } from '../../controller/status-page/palette.ts'
import { statusApp } from '../../controller/status-page/status-app.ts'
import { STYLE } from '../../controller/status-page/style.ts'
import { fixedClock, liveOf, richWorld, viewsOf } from './fixture.ts'

/** WCAG 2 relative luminance of `#rrggbb`. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}

function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light! + 0.05) / (dark! + 0.05)
}

function pairs(palette: Palette): [string, string, string][] {
  const grounds = { ground: palette.ground, surface: palette.surface, sunken: palette.sunken }
  const plain = (['text', 'muted', 'link'] as const).flatMap((ink) =>
    Object.entries(grounds).map(([name, ground]): [string, string, string] => [`${ink} on ${name}`, palette[ink], ground]),
  )
  const toned = Object.entries(palette.tones).flatMap(([tone, { text, ground }]): [string, string, string][] => [
    [`${tone} on its ground`, text, ground],
    [`${tone} on surface`, text, palette.surface],
    [`text on ${tone}`, palette.text, ground],
    [`muted on ${tone}`, palette.muted, ground],
  ])
  return [...plain, ...toned]
}

test.each([
  ...pairs(LIGHT).map(([name, ink, ground]) => ['light', name, ink, ground] as const),
  ...pairs(DARK).map(([name, ink, ground]) => ['dark', name, ink, ground] as const),
])('%s: %s is readable (WCAG AA)', (_theme, _name, ink, ground) => {
  expect(contrast(ink, ground)).toBeGreaterThanOrEqual(4.5)
})

test('the style sheet has both themes, a print style, balanced braces and nothing from elsewhere', () => {
  expect(STYLE).toContain('prefers-color-scheme: dark')
  expect(STYLE).toContain('@media print')
  expect(STYLE.match(/{/g)!.length).toBe(STYLE.match(/}/g)!.length)
  expect(STYLE).not.toMatch(/url\(|@import|https?:/)
})

test('a grid of whole lines of source, which scroll by themselves, never grows beyond the page', () => {
  expect(STYLE).toMatch(/\.findings \{ display: grid; grid-template-columns: minmax\(0, 1fr\);/)
})

test('every custom property that a rule uses is defined', () => {
  const defined = new Set([...STYLE.matchAll(/(--[a-z-]+):/g)].map(([, name]) => name))
  for (const [, name] of STYLE.matchAll(/var\((--[a-z-]+)/g)) expect(defined).toContain(name)
})

test('every badge has a drawing and a word beside its colour', async () => {
  const world = richWorld()
  const app = statusApp({
    views: viewsOf(world),
    live: liveOf(world),
    clock: fixedClock(),
    title: 't',
    allowedHosts: null,
    metrics: createMetrics(),
  })
  for (const path of ['/', '/jobs', '/system', '/config']) {
    const text = await (await app.request(path)).text()
    const badges = [...text.matchAll(/<span class="badge \w+">(.*?)<\/span>/gs)]
    expect(badges.length).toBeGreaterThan(0)
    for (const [, inside] of badges) expect(inside).toMatch(/^\s*<svg class="icon".*<\/svg>\s*\w[\w ]+\s*$/s)
  }
})

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [12_400, '12 s'],
  [130_000, '2 min 10 s'],
  [1_500_000, '25 min'],
  [7_500_000, '2 h 5 min'],
  [273_600_000, '3 d 4 h'],
  [1_209_600_000, '14 d'],
])('%i ms reads as %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test('moments are told in UTC, or in the zone of a policy across its summer time', () => {
  expect(absoluteText('2026-11-23T08:00:00.000Z', 'Europe/Rome')).toBe('Mon 23 Nov 2026, 09:00 Europe/Rome')
  expect(absoluteText('2026-07-20T08:00:00.000Z', 'Europe/Rome')).toBe('Mon 20 Jul 2026, 10:00 Europe/Rome')
  expect(absoluteText('2026-11-21T00:00:05.000Z')).toBe('Sat 21 Nov 2026, 00:00:05 UTC')
  expect(distanceText('2026-11-21T12:00:00.000Z', '2026-11-21T11:00:00.000Z')).toBe('in 1 h')
})
