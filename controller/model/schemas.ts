import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import access from '../../schemas/access.schema.json' with { type: 'json' }
import configRepository from '../../schemas/config-repository.schema.json' with { type: 'json' }
import deployRequest from '../../schemas/deploy-request.schema.json' with { type: 'json' }
import environment from '../../schemas/environment.schema.json' with { type: 'json' }
import freeze from '../../schemas/freeze.schema.json' with { type: 'json' }
import hold from '../../schemas/hold.schema.json' with { type: 'json' }
import policy from '../../schemas/policy.schema.json' with { type: 'json' }
import project from '../../schemas/project.schema.json' with { type: 'json' }
import type { Kind } from './documents.ts'
import type { PlainMap } from './yaml-tree.ts'

/** The part of JSON Schema that our words to the user are made from. */
export interface SchemaNode {
  description?: string
  type?: string | readonly string[]
  properties?: Readonly<Record<string, SchemaNode>>
  additionalProperties?: boolean | SchemaNode
  items?: SchemaNode
  enum?: readonly string[]
  examples?: readonly unknown[]
  /** What a value looks like, in words, where a pattern would not say it. */
  'x-allowed'?: string
  /** Why a key is required here. */
  'x-because'?: string
  /** Somebody may have written a secret here by mistake: the value is never repeated. */
  'x-never-shown'?: boolean
}

export const SCHEMAS: Readonly<Record<Kind, SchemaNode>> = {
  ConfigRepository: configRepository,
  Access: access,
  Policy: policy,
  Project: project,
  Environment: environment,
  Freeze: freeze,
  Hold: hold,
  DeployRequest: deployRequest,
}

export const KINDS = Object.keys(SCHEMAS) as readonly Kind[]

/** Compiling a schema takes some milliseconds and always gives the same: once per process and only for kinds that are met. */
const compiled = new Map<Kind, ValidateFunction>()
let compiler: Ajv2020 | null = null

/** What the schema of its kind says against a document; empty when nothing. Never changes the document: no coercion, no defaults. */
export function schemaErrors(kind: Kind, value: PlainMap): readonly ErrorObject[] {
  let validate = compiled.get(kind)
  if (!validate) {
    compiler ??= newCompiler()
    validate = compiler.compile(SCHEMAS[kind])
    compiled.set(kind, validate)
  }
  return validate(value) ? [] : (validate.errors ?? [])
}

function newCompiler(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: true,
    // `then: { required: … }` names keys whose properties stand one level above.
    strictRequired: false,
    strictTypes: true,
    allowUnionTypes: true,
    allErrors: true,
    verbose: true,
    messages: false,
    ownProperties: true,
    // Both would take longer, at every start, than all documents together: a test checks the schemas themselves.
    validateSchema: false,
    code: { optimize: false },
  })
  ajv.addVocabulary(['x-allowed', 'x-because', 'x-never-shown'])
  return ajv
}

/** The schema of one place of the document, by the steps that lead to it; null where everything is free. */
export function schemaAt(kind: Kind, steps: readonly string[]): SchemaNode | null {
  let node: SchemaNode | undefined = SCHEMAS[kind]
  for (const step of steps) {
    const named: SchemaNode | undefined =
      node.properties && Object.hasOwn(node.properties, step) ? node.properties[step] : undefined
    const other: SchemaNode | undefined = typeof node.additionalProperties === 'object' ? node.additionalProperties : node.items
    node = named ?? other
    if (!node) return null
  }
  return node
}
