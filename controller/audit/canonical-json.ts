/**
 * JSON with sorted keys and no spaces: equal values give equal text. Keys that hold `undefined` are left out, as JSON does.
 * Throws for what JSON cannot carry (NaN, functions, bigint), because dropping it silently would change the meaning.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return listText(value)
  if (typeof value === 'object' && isPlain(value)) return objectText(value as Readonly<Record<string, unknown>>)
  throw new TypeError(`not a JSON value: ${typeof value === 'object' ? value.constructor?.name : String(value)}`)
}

function listText(values: readonly unknown[]): string {
  let text = ''
  for (let index = 0; index < values.length; index++) text += `${index === 0 ? '' : ','}${canonicalJson(values[index])}`
  return `[${text}]`
}

function objectText(object: Readonly<Record<string, unknown>>): string {
  let text = ''
  for (const key of Object.keys(object).sort()) {
    const value = object[key]
    if (value !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value)}`
  }
  return `{${text}}`
}

/** A Map, Date or Buffer would lose what it holds. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
