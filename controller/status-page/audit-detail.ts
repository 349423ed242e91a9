import { icon } from './icons.ts'
import { external } from './links.ts'
import type { AuditFact } from './list-facts.ts'
import { html, type Markup } from './markup.ts'
import { STATUS_WORDS } from './words.ts'

/** Told in another form: the change of status with an arrow, the reason's text as a sentence. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set(['from', 'to', 'text'])
const DETAIL_LENGTH = 160

/** What an audit row says beyond its name. Nested data stays out of sight; the JSON twin has all of it. */
export function auditDetail({ data }: AuditFact): Markup {
  const { from, to, text } = data
  const rest = Object.entries(data).flatMap(([key, value]) => {
    const shown = TOLD_ELSEWHERE.has(key) ? null : detailValue(key, value)
    return shown === null ? [] : [html`<span><i>${words(key)}</i> ${shown}</span>`]
  })
  return html`${typeof from === 'string' && typeof to === 'string' && html` <span class="change">${statusWord(from)} ${icon('next')} ${statusWord(to)}</span>`}${
    typeof text === 'string' && html`<span class="sentence">${shortened(text)}</span>`
  }${rest.length > 0 && html`<span class="facts">${rest}</span>`}`
}

function detailValue(key: string, value: unknown): Markup | string | null {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string' && value !== '') return key === 'url' ? external(value, 'open') : shortened(value)
  if (value === true) return 'yes'
  const isList = Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string')
  return isList ? shortened(value.join(', ')) : null
}

function statusWord(status: string): string {
  return Object.hasOwn(STATUS_WORDS, status) ? STATUS_WORDS[status as keyof typeof STATUS_WORDS].word : status
}

/** `externalId` and `external_id` both read `external id`. */
function words(key: string): string {
  return key
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase()
}

function shortened(text: string): string {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text.slice(0, 12)
  return text.length > DETAIL_LENGTH ? `${text.slice(0, DETAIL_LENGTH)}…` : text
}
