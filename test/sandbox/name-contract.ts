import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defaultSpecPath } from './contract.ts'

/** A contract by names: for descriptions that are good for paths, parameters and names of properties, but not for types. */
export interface NameContract {
  checked: boolean
  violations: string[]
  request(request: { method: string; path: string; query: readonly string[]; body: unknown }): void
  answer(operation: { method: string; path: string }, status: number, body: unknown): void
}

/** By `METHOD /path`, what a description lacks. An answer of null is not described at all. */
export type MissingNames = Readonly<
  Record<string, { query?: readonly string[]; body?: readonly string[]; answer?: readonly string[] | null }>
>

type Schema = Readonly<Record<string, unknown>>

/** `file`: of the descriptions beside the repository. `prefix`: of the server's paths, which the description leaves out. */
export function openNameContract(file: string, missing: MissingNames, prefix = ''): NameContract {
  const specPath = join(dirname(defaultSpecPath()), file)
  const violations: string[] = []
  if (!existsSync(specPath)) return { checked: false, violations, request() {}, answer() {} }
  const root = JSON.parse(readFileSync(specPath, 'utf8')) as Schema

  const operationAt = (method: string, path: string) =>
    at(root, 'paths', path.slice(prefix.length), method.toLowerCase()) as Schema | undefined

  return {
    checked: true,
    violations,
    request({ method, path, query, body }) {
      const key = `${method} ${path}`
      const operation = operationAt(method, path)
      const more = missing[key]
      if (operation === undefined && more === undefined) return void violations.push(`${key} is not described`)
      const parameters = (operation?.['parameters'] ?? []) as { name: string; in: string }[]
      const known = new Set([
        ...parameters.filter((each) => each.in === 'query').map((each) => each.name),
        ...(more?.query ?? []),
      ])
      for (const name of query) if (!known.has(name)) violations.push(`${key}: parameter ${name} is unknown`)
      const described = schemaOf(root, operation?.['requestBody']) ?? bodyParameter(root, parameters)
      const properties = new Set([...namesOf(root, described), ...(more?.body ?? [])])
      for (const name of Object.keys((body ?? {}) as object)) {
        if (!properties.has(name)) violations.push(`${key}: body property ${name} is unknown`)
      }
    },
    answer({ method, path }, status, body) {
      const key = `${method} ${path}`
      const more = missing[key]
      if (status >= 400 || more?.answer === null) return
      const described = schemaOf(root, at(operationAt(method, path), 'responses', String(status)))
      if (described === undefined) return
      for (const name of unknownNames(root, described, body, new Set(more?.answer ?? []))) {
        violations.push(`${key} → ${status}: ${name} is unknown`)
      }
    },
  }
}

/** The slice keeps a schema in three places, by how it was converted. */
function schemaOf(root: Schema, holder: unknown): Schema | undefined {
  const direct = (holder as Schema | undefined)?.['schema'] ?? at(holder, 'content', 'application/json', 'schema')
  if (direct !== undefined) return resolve(root, direct as Schema)
  const bare = holder as Schema | undefined
  return bare?.['$ref'] !== undefined || bare?.['items'] !== undefined ? resolve(root, bare) : undefined
}

function bodyParameter(root: Schema, parameters: readonly { name: string; in: string }[]): Schema | undefined {
  const parameter = parameters.find((each) => each.in === 'body')
  return parameter === undefined ? undefined : (at(root, 'components', 'schemas', parameter.name) as Schema | undefined)
}

function namesOf(root: Schema, schema: Schema | undefined): string[] {
  return Object.keys((schema === undefined ? {} : (resolve(root, schema)['properties'] ?? {})) as object)
}

function* unknownNames(root: Schema, schema: Schema, value: unknown, more: ReadonlySet<string>): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    // Some lists are described by their items alone.
    const items = (schema['items'] ?? schema) as Schema
    for (const item of value) yield* unknownNames(root, resolve(root, items), item, more)
    return
  }
  const properties = schema['properties'] as Record<string, Schema> | undefined
  if (properties === undefined) return
  for (const [name, child] of Object.entries(value)) {
    if (more.has(name)) continue
    if (properties[name] === undefined) yield name
    else yield* unknownNames(root, resolve(root, properties[name]), child, more)
  }
}

function resolve(root: Schema, schema: Schema): Schema {
  const reference = schema['$ref']
  if (typeof reference !== 'string') return schema
  return resolve(root, at(root, ...reference.replace(/^#\//, '').split('/')) as Schema)
}

function at(node: unknown, ...keys: string[]): unknown {
  let current: unknown = node
  for (const key of keys) current = typeof current === 'object' && current !== null ? (current as Schema)[key] : undefined
  return current
}
