import { constantMarkup, type Markup } from './markup.ts'

/** 16 × 16 line drawings, one stroke. They always stand beside their word, so screen readers skip them. */
const DRAWINGS = {
  check: '<path d="m3 8.5 3.2 3.2L13 4.8"/>',
  cross: '<path d="m4 4 8 8m0-8-8 8"/>',
  slash: '<circle cx="8" cy="8" r="5.6"/><path d="M5 8h6"/>',
  hourglass: '<path d="M4.5 2.2h7m-7 11.6h7M5.4 2.2v2.3L8 8l2.6-3.5V2.2M5.4 13.8v-2.3L8 8l2.6 3.5v2.3"/>',
  people:
    '<circle cx="6" cy="5.4" r="2.4"/><path d="M1.8 13.2a4.3 4.3 0 0 1 8.4 0M10.6 3.2a2.4 2.4 0 0 1 0 4.4m1.3 2.3a4.3 4.3 0 0 1 2.4 3.3"/>',
  queue: '<path d="M2.5 4h11m-11 4h7.5m-7.5 4h4.5"/>',
  play: '<circle cx="8" cy="8" r="5.8"/><path d="M6.7 5.6v4.8L10.6 8z" fill="currentColor" stroke-linejoin="round"/>',
  lock: '<rect x="3.2" y="7" width="9.6" height="6.4" rx="1.4"/><path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2"/>',
  clock: '<circle cx="8" cy="8" r="5.8"/><path d="M8 4.8V8l2.3 1.6"/>',
  snow: '<path d="M8 2v12M2.8 5l10.4 6m0-6L2.8 11M6.4 2.9 8 4.4l1.6-1.5M6.4 13.1 8 11.6l1.6 1.5"/>',
  hand: '<path d="M5.2 2h5.6L14 5.2v5.6L10.8 14H5.2L2 10.8V5.2zM5.4 8h5.2"/>',
  warning: '<path d="M8 2.4 14.4 13.4H1.6zM8 6.6v3.2m0 1.7v.1"/>',
  info: '<circle cx="8" cy="8" r="5.8"/><path d="M8 7.4v3.4m0-5.6v.1"/>',
  next: '<path d="M3 8h9.4M8.8 4.2 12.6 8l-3.8 3.8"/>',
  bolt: '<path d="M9 1.8 3.8 9H8l-1 5.2L12.2 7H8z"/>',
} as const

export type IconName = keyof typeof DRAWINGS

export function icon(name: IconName): Markup {
  return constantMarkup(
    `<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${DRAWINGS[name]}</svg>`,
  )
}

/** The mark of the product: two branches that meet at a gate. Served as a file, because the page's policy allows nothing inline. */
export const FAVICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#23408f"/><path d="M9 7v18M9 11c0 6 8 3 13 5M22 16c-5 2-13-1-13 5" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/><circle cx="23" cy="16" r="3.4" fill="#fff"/></svg>`
