import type { ErrorObject } from 'ajv/dist/2020.js'
import { type Defect, type DefectWords, defect, FILE_START, type Mark } from './defect.ts'
import type { Kind } from './documents.ts'
import type { FindingCode } from './finding-codes.ts'
import { quoted } from './printable.ts'
import { type SchemaNode, schemaAt, schemaErrors } from './schemas.ts'
import { didYouMean, listWords } from './suggest.ts'
import { type PlainMap, pointerSegment, type Spots } from './yaml-tree.ts'

/** More than this in one file is one misunderstanding, not many. */
const MOST_DEFECTS = 25

/** Checks a document against the schema of its kind and says what is wrong in words made from that schema. */
export function shapeDefects(kind: Kind, value: PlainMap, spots: Spots): readonly Defect[] {
  const found = new Map<string, Defect>()
  for (const error of schemaErrors(kind, value)) {
    const one = explain(kind, error, spots)
    // Pattern and length of one value, or two branches of one rule, say the same twice.
    if (one) found.set(`${one.mark.line}:${one.mark.column}:${one.code}:${error.keyword === 'required' ? one.message : ''}`, one)
  }
  return [...found.values()].sort((a, b) => a.mark.line - b.mark.line || a.mark.column - b.mark.column).slice(0, MOST_DEFECTS)
}

interface ShapeError {
  kind: Kind
  error: ErrorObject
  pointer: string
  steps: readonly string[]
  /** The schema that was not met, with the describing words around it. */
  schema: SchemaNode
  spots: Spots
  /** How the place is called: `ref.tag`, `bindings[2].role`. */
  name: string
}

function explain(kind: Kind, error: ErrorObject, spots: Spots): Defect | null {
  const pointer = error.instancePath
  const steps = pointerSteps(pointer)
  const schema = (error.parentSchema ?? {}) as SchemaNode
  // Which alternative failed, or that a condition held, is told by the error beside it.
  if (error.keyword === 'if' || error.keyword === 'propertyNames' || error.schemaPath.includes('/anyOf/')) return null
  const shape: ShapeError = { kind, error, pointer, steps, schema, spots, name: placeName(steps) }
  if (error.propertyName !== undefined) return keyForm(shape, error.propertyName)
  const words = (WORDS[error.keyword] ?? anyOther)(shape)
  return defect(words.code, words.mark ?? displayMark(spots, pointer), words)
}

type Words = DefectWords & { code: FindingCode; mark?: Mark }

const WORDS: Readonly<Record<string, (shape: ShapeError) => Words>> = {
  type: wrongType,
  required: (shape) => missingKey(shape, String(shape.error.params['missingProperty'])),
  dependentRequired: (shape) =>
    missingKey(shape, String(shape.error.params['missingProperty']), `\`${shape.error.params['property']}\` is given`),
  additionalProperties: unknownKey,
  anyOf: (shape) => ({
    code: 'DRV1205',
    message: `${shape.name} lacks a key: ${shape.schema['x-because']}`,
    help: `add ${shape.kind === 'Access' ? '`people: [alice]` or `groups: [platform]`' : 'one of the alternatives'}`,
  }),
  enum: wrongWord,
  pattern: wrongForm,
  minLength: (shape) => ({ ...wrongForm(shape), message: `${shape.name} is empty text` }),
  maxLength: (shape) => ({
    ...wrongForm(shape),
    message: `${shape.name} is longer than ${shape.error.params['limit']} characters`,
  }),
  minimum: outOfRange,
  maximum: outOfRange,
  minItems: (shape) =>
    entries(`${shape.name} is an empty list`, 'at least one entry', 'name what is meant; leave the key out if nothing is'),
  uniqueItems: (shape) => entries(`${shape.name} holds the same entry twice`, 'every entry once', 'remove one of the two'),
  minProperties: (shape) =>
    entries(
      `${shape.name} is empty`,
      shape.schema['x-allowed'] ?? 'at least one key',
      exampleHelp(shape.schema, shape.steps.at(-1)),
    ),
  maxProperties: (shape) =>
    entries(`${shape.name} names more than one thing`, shape.schema['x-allowed'] ?? 'fewer keys', 'keep one'),
}

function anyOther(shape: ShapeError): Words {
  return {
    code: 'DRV1210',
    message: `${shape.name} is not allowed here (${shape.error.keyword})`,
    allowed: shape.schema['x-allowed'] ?? null,
  }
}

function entries(message: string, allowed: string, help: string | null): Words {
  return { code: 'DRV1212', message, allowed, help }
}

function wrongType(shape: ShapeError): Words {
  const wanted = [shape.error.params['type'] as string | string[]].flat()
  const spot = shape.spots.get(shape.pointer)
  const value = shape.error.data as unknown
  const last = shape.steps.at(-1)
  const label = typeof last === 'string' && !/^\d+$/.test(last) ? `${last}: ` : '- '
  if (value === null) {
    return {
      code: 'DRV1208',
      message: `${shape.name} has no value`,
      allowed: typeWords(wanted, shape.schema),
      help: exampleHelp(shape.schema, last),
    }
  }
  if (wanted.includes('string') && (typeof value === 'number' || typeof value === 'boolean')) {
    const source = spot?.source ?? String(value)
    return {
      code: 'DRV1207',
      message: `${shape.name} must be text, but YAML reads ${quoted(source)} as the ${typeof value === 'number' ? 'number' : 'truth value'} ${value}`,
      allowed: shape.schema['x-allowed'] ?? 'text',
      help: `quote it: \`${label}"${source}"\``,
    }
  }
  const help = typeHelp(wanted, value, label) ?? exampleHelp(shape.schema, last)
  return {
    code: 'DRV1208',
    message: `${shape.name} must be ${typeWords(wanted, shape.schema)}, found ${valueWords(value)}`,
    allowed: typeWords(wanted, shape.schema),
    help,
  }
}

const TRUTH_WORDS: Readonly<Record<string, boolean>> = {
  yes: true,
  on: true,
  y: true,
  true: true,
  no: false,
  off: false,
  n: false,
  false: false,
}

function typeHelp(wanted: readonly string[], value: unknown, label: string): string | null {
  if (typeof value !== 'string') return null
  const truth = TRUTH_WORDS[value.toLowerCase()]
  if (wanted.includes('boolean') && truth !== undefined) return `write \`${label}${truth}\``
  if (wanted.includes('integer') && /^\d+$/.test(value)) return `remove the quotes: \`${label}${value}\``
  if (wanted.includes('array')) return `write a list: \`${label}[${inlineYaml(value)}]\``
  return null
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  integer: 'a whole number',
  array: 'a list',
  object: 'a map of keys and values',
}

function typeWords(wanted: readonly string[], schema: SchemaNode): string {
  if (wanted.length === 1 && wanted[0] === 'integer') {
    const { minimum, maximum } = schema as { minimum?: number; maximum?: number }
    return minimum === undefined || maximum === undefined ? 'a whole number' : `a whole number from ${minimum} to ${maximum}`
  }
  return schema['x-allowed'] && wanted.includes('string')
    ? schema['x-allowed']
    : wanted.map((type) => TYPE_WORDS[type] ?? type).join(' or ')
}

/** What a key takes, in words. */
function takenBy(schema: SchemaNode): string {
  const one = schema.items?.enum ?? schema.enum
  if (one) return `${schema.items ? 'a list of ' : ''}${listWords(one)}`
  return typeWords([schema.type ?? 'string'].flat(), schema)
}

function valueWords(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'string') return `the text ${quoted(value)}`
  return typeof value === 'number' ? `the number ${value}` : `${value}`
}

function missingKey(shape: ShapeError, key: string, because = shape.schema['x-because']): Words {
  const where = shape.steps.length === 0 ? `this ${shape.kind}` : shape.name
  const schema = schemaAt(shape.kind, [...shape.steps, key])
  const mark = shape.pointer === '' ? shape.spots.get('/kind')?.value : undefined
  return {
    code: 'DRV1205',
    message: `${where} lacks the key \`${key}\`${because ? ` because ${because}` : ''}`,
    allowed: schema ? `\`${key}\` takes ${takenBy(schema)}` : null,
    help: exampleHelp(schema, key, 'add'),
    ...(mark ? { mark } : {}),
  }
}

/** They are there already, whatever else is wrong. */
const HEADER_KEYS: ReadonlySet<string> = new Set(['$schema', 'apiVersion', 'kind'])

function unknownKey(shape: ShapeError): Words {
  const key = String(shape.error.params['additionalProperty'])
  const known = Object.keys(shape.schema.properties ?? {})
  const shown = known.filter((name) => !HEADER_KEYS.has(name))
  const spot = shape.spots.get(`${shape.pointer}/${pointerSegment(key)}`)
  return {
    code: 'DRV1206',
    message: `${quoted(key)} is not a key of ${shape.steps.length === 0 ? `a ${shape.kind}` : shape.name}`,
    allowed: listWords(shown, 16),
    help: didYouMean(key, known) ?? (shape.steps.length === 0 ? 'remove it; keys of your own begin with `x-`' : 'remove it'),
    mark: spot?.key ?? FILE_START,
  }
}

function keyForm(shape: ShapeError, key: string): Defect {
  const spot = shape.spots.get(`${shape.pointer}/${pointerSegment(key)}`)
  const allowed = shape.schema.enum ? listWords(shape.schema.enum) : (shape.schema['x-allowed'] ?? null)
  const near = shape.schema.enum ? didYouMean(key, shape.schema.enum) : null
  const code = shape.schema.enum ? 'DRV1209' : 'DRV1210'
  return defect(code, spot?.key ?? FILE_START, {
    message: `${quoted(key)} is not allowed as a key of ${shape.name}`,
    allowed,
    help: near ?? 'rename it, also where it is referred to',
  })
}

function wrongWord(shape: ShapeError): Words {
  const words = shape.schema.enum ?? []
  const value = String(shape.error.data)
  return {
    code: 'DRV1209',
    message: `${shape.name} is ${quoted(shape.error.data)}, which is not one of the words it takes`,
    allowed: listWords(words),
    help: didYouMean(value, words) ?? `write one of the allowed words, e.g. \`${words[0]}\``,
  }
}

function wrongForm(shape: ShapeError): Words {
  if (shape.schema['x-never-shown']) {
    return {
      code: 'DRV1210',
      message: `${shape.name} is not a name under which the controller finds a secret`,
      allowed: shape.schema['x-allowed'] ?? null,
      help: 'if this is the secret itself, revoke it now: everybody who can read this repository has seen it',
      hidden: true,
    }
  }
  return {
    code: 'DRV1210',
    message: `${shape.name} is ${quoted(shape.error.data)}, which does not have the form it takes`,
    allowed: shape.schema['x-allowed'] ?? null,
    help: exampleHelp(schemaAt(shape.kind, shape.steps), shape.steps.at(-1)),
  }
}

function outOfRange(shape: ShapeError): Words {
  const { minimum, maximum } = shape.schema as { minimum: number; maximum: number }
  return {
    code: 'DRV1211',
    message: `${shape.name} is ${shape.error.data}`,
    allowed: `a whole number from ${minimum} to ${maximum}`,
    help: exampleHelp(shape.schema, shape.steps.at(-1)),
  }
}

function exampleHelp(schema: SchemaNode | null, key: string | undefined, verb = 'write, for example,'): string | null {
  const example = schema?.examples?.[0]
  if (example === undefined) return null
  return key === undefined || /^\d+$/.test(key)
    ? `${verb} \`${inlineYaml(example)}\``
    : `${verb} \`${key}: ${inlineYaml(example)}\``
}

/** A value as one line of YAML. */
function inlineYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inlineYaml).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, item]) => `${key}: ${inlineYaml(item)}`)
      .join(', ')} }`
  }
  if (typeof value !== 'string') return String(value)
  if (/^[A-Za-z][A-Za-z0-9 ._/@:-]*$/.test(value) && !/: |^(?:true|false|null)$/i.test(value)) return value
  return value.includes('\\') ? `'${value}'` : JSON.stringify(value)
}

/** Scalars are shown by themselves, maps and lists by their key. */
export function displayMark(spots: Spots, pointer: string): Mark {
  const spot = spots.get(pointer)
  if (!spot) return FILE_START
  if (pointer === '') return spots.get('/kind')?.value ?? spot.value
  return spot.isCollection || spot.source === '' ? (spot.key ?? spot.value) : spot.value
}

function pointerSteps(pointer: string): readonly string[] {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function placeName(steps: readonly string[]): string {
  if (steps.length === 0) return 'the document'
  const path = steps.map((step, index) => (/^\d+$/.test(step) ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
  return quoted(path)
}
