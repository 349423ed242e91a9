import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'

/** Where product and emulator part from a host's published description. */
export interface Violation {
  side: 'request' | 'answer'
  /** `GET /repos/{owner}/{repo}/pulls`, or the raw path when no operation fits. */
  operation: string
  detail: string
}

export interface ObservedRequest {
  method: string
  /** Path template as the description spells it. */
  path: string
  params: Readonly<Record<string, string>>
  query: Readonly<Record<string, string>>
  /** Undefined when no body was sent. */
  body: unknown
}

export interface Contract {
  /** False when there is no description to check against; then nothing is ever recorded but unknown paths. */
  checked: boolean
  violations: Violation[]
  request(request: ObservedRequest): void
  answer(operation: Pick<ObservedRequest, 'method' | 'path'>, status: number, body: unknown): void
  record(violation: Violation): void
}

type Schema = Readonly<Record<string, unknown>>

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema: Schema
}

/** The published description beside the repository (`../shared/specs/github.json`). */
export function defaultSpecPath(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder)
  return join(folder, '..', 'shared', 'specs', 'github.json')
}

export interface ContractOptions {
  /** Mends what the description lacks or gets wrong, before it is read. */
  adjust?: (root: Record<string, unknown>) => void
  /** Schema of an error that the description leaves out. */
  errorSchema?: string
}

/** A contract read from an OpenAPI 3.0 file; one that checks nothing when `specPath` is null or not there. */
export function openContract(specPath: string | null, options: ContractOptions = {}): Contract {
  const violations: Violation[] = []
  const record = (violation: Violation) => void violations.push(violation)
  if (specPath === null || !existsSync(specPath)) {
    return { checked: false, violations, record, request() {}, answer() {} }
  }
  const checker = specificationChecker(specPath, options)
  return {
    checked: true,
    violations,
    record,
    request(request) {
      const operation = `${request.method} ${request.path}`
      for (const detail of checker.request(request)) record({ side: 'request', operation, detail })
    },
    answer({ method, path }, status, body) {
      for (const detail of checker.answer(method, path, status, body)) {
        record({ side: 'answer', operation: `${method} ${path} → ${status}`, detail })
      }
    },
  }
}

function specificationChecker(specPath: string, { adjust, errorSchema = 'basic-error' }: ContractOptions) {
  const read = JSON.parse(readFileSync(specPath, 'utf8')) as Record<string, unknown>
  adjust?.(read)
  const root = normalise(read) as Schema
  const basicError: Schema = { $ref: `spec#/components/schemas/${errorSchema}` }
  const values = makeAjv(root, false)
  // Parameters travel as text; numbers and booleans among them are read as such.
  const texts = makeAjv(root, true)
  const compiled = new Map<Schema, ValidateFunction>()

  function errorsOf(ajv: Ajv, schema: Schema, value: unknown): string[] {
    const validate = compiled.get(schema) ?? ajv.compile(schema)
    compiled.set(schema, validate)
    if (validate(value)) return []
    return (validate.errors ?? []).map(
      (error) => `${error.instancePath || '(whole)'} ${error.message} ${JSON.stringify(error.params)}`,
    )
  }

  function operationOf(method: string, path: string): Schema | null {
    return (at(root, 'paths', path, method.toLowerCase()) as Schema | undefined) ?? null
  }

  function parametersOf(path: string, operation: Schema): Parameter[] {
    const shared = (at(root, 'paths', path, 'parameters') ?? []) as Schema[]
    const own = (operation['parameters'] ?? []) as Schema[]
    return [...shared, ...own].map((each) => dereference(root, each) as unknown as Parameter)
  }

  return {
    *request({ method, path, params, query, body }: ObservedRequest): Generator<string> {
      const operation = operationOf(method, path)
      if (operation === null) return yield 'no such operation in the description'
      const known = parametersOf(path, operation)
      for (const parameter of known) {
        const given = (parameter.in === 'path' ? params : parameter.in === 'query' ? query : {})[parameter.name]
        if (given === undefined) {
          if (parameter.required && parameter.in !== 'header') yield `parameter ${parameter.name} is missing`
        } else
          for (const error of errorsOf(texts, wrapped(parameter.schema), { value: given }))
            yield `parameter ${parameter.name}: ${error}`
      }
      for (const name of Object.keys(query)) {
        if (!known.some((each) => each.in === 'query' && each.name === name)) yield `parameter ${name} is unknown`
      }
      const schema = at(operation, 'requestBody', 'content', 'application/json', 'schema') as Schema | undefined
      if (body === undefined) {
        if (at(operation, 'requestBody', 'required') === true) yield 'the body is missing'
      } else if (schema === undefined) yield 'a body was sent where none is described'
      else {
        for (const error of errorsOf(values, schema, body)) yield `body: ${error}`
        for (const unknown of unknownProperties(root, [schema], body, '')) yield `body: ${unknown} is unknown`
      }
    },

    *answer(method: string, path: string, status: number, body: unknown): Generator<string> {
      const operation = operationOf(method, path)
      if (operation === null) return
      const described = dereference(root, at(operation, 'responses', String(status)) as Schema | undefined)
      // Only some errors are described; the rest share one shape.
      if (described === undefined && status < 400 && status !== 304) return yield 'status is not described'
      const schema =
        (at(described, 'content', 'application/json', 'schema') as Schema | undefined) ?? (status >= 400 ? basicError : undefined)
      if (schema === undefined) {
        if (body !== undefined) yield 'a body was given where none is described'
        return
      }
      for (const error of errorsOf(values, schema, body)) yield error
      for (const unknown of unknownProperties(root, [schema], body, '')) yield `${unknown} is unknown`
    },
  }
}

function makeAjv(root: Schema, coerceTypes: boolean): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true, coerceTypes })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'spec', components: root['components'] })
  return ajv
}

const wrappers = new WeakMap<Schema, Schema>()

/** Ajv can only coerce a value that sits in an object. */
function wrapped(schema: Schema): Schema {
  const known = wrappers.get(schema)
  if (known) return known
  const wrapper = { type: 'object', properties: { value: schema } }
  wrappers.set(schema, wrapper)
  return wrapper
}

/**
 * OpenAPI 3.0 to JSON Schema: `nullable` becomes a null type, references become absolute,
 * the `created` filter loses its format, because its own description allows `>=2026-01-01` and ranges,
 * and so do addresses that are empty text by default.
 */
function normalise(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(normalise)
  if (typeof node !== 'object' || node === null) return node
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node))
    copy[key] = key === 'example' || key === 'examples' ? undefined : normalise(value)
  if (typeof copy['$ref'] === 'string') copy['$ref'] = `spec${copy['$ref']}`
  if (copy['name'] === 'created' && copy['in'] === 'query') copy['schema'] = { type: 'string' }
  if (copy['format'] === 'uri' && copy['default'] === '') delete copy['format']
  if (copy['nullable'] !== true) return copy
  delete copy['nullable']
  if (typeof copy['type'] === 'string' && copy['enum'] === undefined) return { ...copy, type: [copy['type'], 'null'] }
  return { anyOf: [copy, { type: 'null' }] }
}

/** Paths of properties that no branch of the schema names. Objects without described properties are free-form. */
function* unknownProperties(root: Schema, schemas: readonly Schema[], value: unknown, path: string): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  const branches = schemas.flatMap((schema) => branchesOf(root, schema))
  if (Array.isArray(value)) {
    const items = branches.flatMap((branch) => (branch['items'] ? [branch['items'] as Schema] : []))
    for (const [index, item] of value.entries()) yield* unknownProperties(root, items, item, `${path}/${index}`)
    return
  }
  const described = branches.filter((branch) => branch['properties'] !== undefined)
  const closed = branches.some((branch) => branch['additionalProperties'] === false)
  if (described.length === 0 && !closed) return
  for (const [name, child] of Object.entries(value)) {
    const known = described.flatMap((branch) => at(branch, 'properties', name) ?? []) as Schema[]
    if (known.length === 0) yield `${path}/${name}`
    else yield* unknownProperties(root, known, child, `${path}/${name}`)
  }
}

function branchesOf(root: Schema, schema: Schema): Schema[] {
  const resolved = dereference(root, schema) ?? {}
  const combined = ['allOf', 'anyOf', 'oneOf'].flatMap((word) => (resolved[word] ?? []) as Schema[])
  return [resolved, ...combined.flatMap((branch) => branchesOf(root, branch))]
}

function dereference(root: Schema, schema: Schema | undefined): Schema | undefined {
  const reference = schema?.['$ref']
  if (typeof reference !== 'string') return schema
  return dereference(root, at(root, ...reference.replace(/^spec#\//, '').split('/')) as Schema | undefined)
}

function at(node: unknown, ...keys: string[]): unknown {
  let current: unknown = node
  for (const key of keys) current = typeof current === 'object' && current !== null ? (current as Schema)[key] : undefined
  return current
}
