import { isIPv4, isIPv6 } from 'node:net'
import type { Context, MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { ERROR_PAGES, type ErrorStatus, errorPage } from './message-page.ts'

/**
 * Headers on every answer, errors included. The policy allows our own style sheet and icon and nothing else:
 * no script at all, no form, no frame. hono sends no content security policy unless told.
 */
export function headers(): MiddlewareHandler {
  const secure = secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    // Not for subdomains: those are not ours to speak for.
    strictTransportSecurity: 'max-age=15552000',
    xFrameOptions: 'DENY',
    referrerPolicy: 'no-referrer',
    crossOriginResourcePolicy: 'same-origin',
    crossOriginOpenerPolicy: 'same-origin',
  })
  return async (c, next) => {
    await secure(c, next)
    if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store')
  }
}

/** Probes may come by any name, and say nothing worth stealing. */
const WITHOUT_HOST_CHECK: ReadonlySet<string> = new Set(['/livez', '/readyz'])

/**
 * Refuses names that are not ours: a page on a stranger's site whose name suddenly points here (DNS rebinding) would otherwise
 * read everything from inside the network. Entries are `host` or `host:port`; null allows any.
 *
 * An address instead of a name is always answered, so that scrapers and our own command reach a controller behind a proxy: a
 * browser that says `Host: 10.0.0.7` has the page of 10.0.0.7 open, not one of a name that was pointed there.
 */
export function hostCheck(allowedHosts: readonly string[] | null): MiddlewareHandler {
  const allowed = allowedHosts === null ? null : new Set(allowedHosts.map((host) => host.toLowerCase()))
  return async (c, next) => {
    const host = (c.req.header('Host') ?? new URL(c.req.url).host).toLowerCase()
    const name = host.replace(/:\d+$/, '')
    if (allowed === null || WITHOUT_HOST_CHECK.has(c.req.path) || allowed.has(host) || allowed.has(name)) return next()
    return isAddress(name) ? next() : refusal(c, 421)
  }
}

/** `192.0.2.1` or `[2001:db8::1]`. Other spellings of an address (`127.1`, `0x7f000001`) are names: no browser sends them. */
function isAddress(name: string): boolean {
  return isIPv4(name) || (/^\[[0-9a-f:.]+\]$/.test(name) && isIPv6(name.slice(1, -1)))
}

/** There is no write here to protect: every method but GET and HEAD ends before any route is looked at. */
export function readOnly(): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
    c.header('Allow', 'GET, HEAD')
    return refusal(c, 405)
  }
}

/** The answer that is not a page, in the form the asker reads: JSON under /api, else a page. */
export function refusal(c: Context, status: ErrorStatus, detail: string | null = null): Response | Promise<Response> {
  if (!c.req.path.startsWith('/api/')) return c.html(errorPage(status, detail), status)
  return c.json({ error: { status, message: detail ?? ERROR_PAGES[status].text } }, status)
}
