import { spawnSync } from 'node:child_process'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { parseDocument } from '../../controller/model/document.ts'
import type { Kind } from '../../controller/model/documents.ts'
import { FINDING_CODES } from '../../controller/model/finding-codes.ts'
import { KINDS, SCHEMAS } from '../../controller/model/schemas.ts'
import { exampleWith } from './snapshot-directory.ts'

interface AnySchema {
  [key: string]: unknown
  properties?: Record<string, AnySchema>
}

/** Every schema of a property in a schema, with its path. */
function properties(schema: unknown, path = ''): [string, AnySchema][] {
  if (typeof schema !== 'object' || schema === null) return []
  const node = schema as AnySchema
  const own = Object.entries(node.properties ?? {}).flatMap(([key, value]): [string, AnySchema][] => [
    [`${path}/${key}`, value],
    ...properties(value, `${path}/${key}`),
  ])
  const inner = ['items', 'additionalProperties'].flatMap((key) => properties(node[key], `${path}/*`))
  return [...own, ...inner]
}

describe.each(KINDS)('the schema of %s', (kind: Kind) => {
  const schema = SCHEMAS[kind] as AnySchema

  test('is versioned, closed and of draft 2020-12', () => {
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(schema['$id']).toMatch(/^https:\/\/draven\.dev\/schemas\/v1\/[a-z-]+\.schema\.json$/)
    expect(schema['additionalProperties']).toBe(false)
    expect(schema.properties!['apiVersion']).toMatchObject({ const: 'draven/v1' })
    expect(schema.properties!['kind']).toMatchObject({ const: kind })
  })

  test('is a schema by the rules of the draft', () => {
    const ajv = new Ajv2020({ strict: false })
    expect(ajv.validateSchema(schema), JSON.stringify(ajv.errors)).toBe(true)
  })

  test('titles and describes every property, with examples', () => {
    for (const [path, property] of properties(schema)) {
      expect(property, path).toMatchObject({
        title: expect.any(String),
        description: expect.any(String),
        examples: expect.any(Array),
      })
    }
  })

  test('gives examples that it accepts itself', () => {
    // The help of a finding is made from the first example: it must not lead into the next finding.
    const path = { ConfigRepository: 'draven.yaml', Access: 'access.yaml' }[kind as string]
    const home = Object.keys(exampleWith({})).find((name) => {
      const text = Buffer.from(exampleWith({})[name] as Uint8Array).toString()
      return path ? name === path : name.endsWith('.yaml') && text.includes(`\nkind: ${kind}\n`)
    })!
    const base = Buffer.from(exampleWith({})[home] as Uint8Array).toString()
    expect(parseDocument(Buffer.from(base), kind).defects).toEqual([])
    const lines = base.split('\n').filter((line) => !line.startsWith('#'))
    for (const [key, property] of Object.entries(schema.properties!)) {
      for (const example of property['examples'] as unknown[]) {
        // Flow style is JSON: the key is replaced, or added, with the example.
        const start = lines.findIndex((line) => line.startsWith(`${key}:`))
        const end = start === -1 ? -1 : lines.findIndex((line, index) => index > start && /^[A-Za-z$]/.test(line))
        const rest = start === -1 ? lines : [...lines.slice(0, start), ...(end === -1 ? [] : lines.slice(end))]
        const partner = key === 'until' && !base.includes('tz:') ? ['tz: UTC'] : []
        const content = [...rest, ...partner, `${key}: ${JSON.stringify(example)}`].filter(Boolean).join('\n')
        // That one key asks for another is not the example's fault.
        const defects = parseDocument(Buffer.from(content), kind).defects.filter((found) => !found.message.includes(' because '))
        expect(defects, content).toEqual([])
      }
    }
  })

  test('refuses a key that it does not know', () => {
    const document = parseDocument(Buffer.from(`apiVersion: draven/v1\nkind: ${kind}\nsurprise: 1\n`), kind)
    expect(document.defects).toContainEqual(
      expect.objectContaining({ code: 'DRV1206', message: `\`surprise\` is not a key of a ${kind}` }),
    )
  })
})

test('the generated types and the copies for editors match the schemas', () => {
  const check = spawnSync(process.execPath, ['scripts/generate-types.mjs', '--check'], { encoding: 'utf8' })
  expect([check.stderr, check.status]).toEqual(['', 0])
})

test('every finding code is explained in full sentences', () => {
  for (const [code, { title, explanation }] of Object.entries(FINDING_CODES)) {
    expect(code).toMatch(/^DRV1[0-4]\d\d$/)
    expect(title, code).not.toMatch(/\.$/)
    expect(explanation, code).toMatch(/^[A-Z`].*\.$/)
  }
})
