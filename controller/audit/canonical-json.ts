/**
 * JSON with sorted keys and no spaces: equal values give equal text. Keys that hold `undefined` are left out, as JSON does.
 * Throws for what JSON cannot carry (NaN, functions, bigint), because dropping it silently would change the meaning.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && isPlain(value)) return `{${Object.keys(value).sort().flatMap(member(value)).join(',')}}`
  throw new TypeError(`not a JSON value: ${typeof value === 'object' ? value.constructor?.name : String(value)}`)
}

function member(object: object): (key: string) => string[] {
  return (key) => {
    const value = (object as Record<string, unknown>)[key]
    return value === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(value)}`]
  }
}

/** A Map, Date or Buffer would lose what it holds. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
