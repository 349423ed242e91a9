/** Carries a call to the system behind it, as often as it is asked to. */
export type Reach = () => Promise<Response>
/** What happens to one call on its way. */
export type Strike = (reach: Reach) => Promise<Response>

/** What lies between a provider's adapter and its system: counts the calls that start a run, and can do anything to one of them. */
export interface Wire {
  fetch: typeof globalThis.fetch
  /** Calls that were to start a run. */
  sent: number
  /** Strikes the next of them; null: none. */
  strike: Strike | null
}

/** `starts`: the path of the POST that starts a run. */
export function openWire(starts: RegExp): Wire {
  const wire: Wire = {
    sent: 0,
    strike: null,
    async fetch(input, init) {
      const url = new URL(input instanceof Request ? input.url : input)
      if (init?.method !== 'POST' || !starts.test(url.pathname)) return fetch(input, init)
      wire.sent++
      const strike = wire.strike
      wire.strike = null
      if (strike === null) return fetch(input, init)
      // Without the caller's signal: what was sent arrives, whoever has stopped to wait for it.
      const { signal: _, ...rest } = init
      return strike(() => fetch(input, rest))
    },
  }
  return wire
}
