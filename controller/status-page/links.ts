import { html, type Markup } from './markup.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/**
 * The address when a browser may be sent there, else null. Allowed is https, and http to this very machine (demo, local forge);
 * never an address with a user name or password in it, and never a scheme that runs something.
 */
export function safeUrl(text: string): string | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return null
  if (url.protocol === 'https:') return url.href
  return url.protocol === 'http:' && LOOPBACK.test(url.hostname) ? url.href : null
}

/** A link to another system when its address is safe, else the bare text (and the address itself, so that nothing is hidden). */
export function external(url: string, text: string): Markup {
  const href = safeUrl(url)
  if (href === null) return html`<span>${text === url ? text : `${text} (${url})`}</span>`
  return html`<a class="external" href="${href}" rel="noopener noreferrer">${text}</a>`
}

export function jobPath(id: string): string {
  return `/jobs/${encodeURIComponent(id)}`
}

export function environmentPath(project: string, environment: string): string {
  return `/projects/${encodeURIComponent(project)}/${encodeURIComponent(environment)}`
}

/** `path?a=b`, leaving out what is null. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | null>>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== null) search.set(key, String(value))
  return search.size === 0 ? path : `${path}?${search}`
}
