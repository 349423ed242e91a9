import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SETTINGS } from '../../controller/settings.ts'

export const ROOT = resolve(import.meta.dirname, '../..')

interface Schema {
  title?: string
  description?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  default?: unknown
  examples?: unknown[]
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  oneOf?: Schema[]
  anyOf?: Schema[]
  $ref?: string
  $defs?: Record<string, Schema>
}

const KINDS = ['config-repository', 'access', 'policy', 'project', 'environment', 'freeze', 'hold', 'deploy-request']

/** docs/config.md, made from the schemas: one table a kind. */
export function configReference(): string {
  const files = new Set(readdirSync(join(ROOT, 'schemas')).map((name) => name.replace('.schema.json', '')))
  const kinds = KINDS.filter((kind) => files.delete(kind))
  if (files.size > 0) throw new Error(`schemas without a place in the reference: ${[...files].join(', ')}`)
  const chapters = kinds.map((kind) =>
    chapter(JSON.parse(readFileSync(join(ROOT, 'schemas', `${kind}.schema.json`), 'utf8')) as Schema),
  )
  return `# The config repository, key by key\n\nMade from [schemas/](../schemas/). Editors with a YAML language server show the same while you type.\nEvery document begins with \`apiVersion: draven/v1\` and its \`kind\`. Unknown keys are findings.\n\n${chapters.join('\n')}`
}

function chapter(schema: Schema): string {
  const rows = properties(schema, schema, '').map(
    ([key, property, required]) => `| \`${key}\` | ${required ? 'yes' : ''} | ${describeProperty(property)} |`,
  )
  return `## ${schema.title}\n\n${schema.description}\n\n| key | required | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
}

const ENVELOPE = new Set(['$schema', 'apiVersion', 'kind'])

function properties(root: Schema, schema: Schema, prefix: string): [string, Schema, boolean][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, raw]) => {
    if (prefix === '' && ENVELOPE.has(name)) return []
    const property = deref(root, raw)
    const key = `${prefix}${name}`
    const own: [string, Schema, boolean] = [key, property, schema.required?.includes(name) ?? false]
    return [own, ...inside(root, property, key)]
  })
}

/** Keys below a key: of a map as of each thing in a list or in a map with names of one's own. */
function inside(root: Schema, property: Schema, key: string): [string, Schema, boolean][] {
  const { additionalProperties: named, items } = property
  return [
    ...properties(root, property, `${key}.`),
    ...(typeof named === 'object' ? properties(root, deref(root, named), `${key}.<name>.`) : []),
    ...(items === undefined ? [] : properties(root, deref(root, items), `${key}[].`)),
  ]
}

function deref(root: Schema, schema: Schema): Schema {
  const name = /^#\/\$defs\/(.+)$/.exec(schema.$ref ?? '')?.[1]
  return name === undefined ? schema : { ...root.$defs?.[name], ...schema }
}

function describeProperty(schema: Schema): string {
  const allowed = schema.enum ?? schema.items?.enum
  const parts = [schema.description ?? schema.title ?? '']
  if (allowed !== undefined) parts.push(`One of: ${allowed.map((value) => `\`${String(value)}\``).join(', ')}.`)
  if (schema.default !== undefined) parts.push(`Default: \`${JSON.stringify(schema.default)}\`.`)
  if (schema.examples?.[0] !== undefined && typeof schema.examples[0] !== 'object')
    parts.push(`Example: \`${String(schema.examples[0])}\`.`)
  return parts.join(' ').replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** The README's table of settings. */
export function settingsTable(): string {
  const rows = SETTINGS.map(
    ({ name, fallback, meaning }) =>
      `| \`${name}\` | ${fallback === null || fallback === '' ? '' : `\`${fallback}\``} | ${meaning} |`,
  )
  return `| variable | default | meaning |\n|---|---|---|\n${rows.join('\n')}`
}
