// Makes controller/model/documents.ts from schemas/, and copies the schemas into example-config/, where editors find them without a network.
// With --check it writes nothing and exits 1 when something is out of date.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile } from 'json-schema-to-typescript'

const SCHEMAS = fileURLToPath(new URL('../schemas/', import.meta.url))
const EXAMPLE_SCHEMAS = fileURLToPath(new URL('../example-config/schemas/', import.meta.url))
const TYPES = fileURLToPath(new URL('../controller/model/documents.ts', import.meta.url))

const BANNER = `/*
 * GENERATED from schemas/ by scripts/generate-types.mjs. Do not edit: change the schema and run \`node scripts/generate-types.mjs\`.
 *
 * The raw documents of the config repository, as YAML writes them. The words of this house:
 *
 *   document / kind      one parsed YAML object / its type
 *   snapshot             all files of the config repository at one commit
 *   desired state        the resolved documents of a snapshot
 *   observed state       rows and evidence at one moment
 *   evidence             facts read for a decision: reviews, CI results, resolved sha
 *   finding              a defect in a document: code, file:line:column, what was found, what is allowed, the fix
 *   request              a document that asks for a change: deploy, rollback or dry_run
 *   job                  the tracked fulfilment of one request
 *   run / run item       one attempt by a provider / its part against one target
 *   subject              digest of exactly what is approved: request, resolved sha, policy, environment, selector
 *   approval             a review that counts
 *   decision             allow, wait or deny, with a reason
 *   dismissal            a review that no longer counts, with the reason
 *   gate / reason code   one check that can hold a job / its stable snake_case word
 *   window               when jobs may start
 *   freeze               when none may
 *   hold                 a human stop with a reason, a file in the repository
 *   force                a job that skips named gates: role, reason and a louder audit
 *   lock / fence         exclusive right to a target, owned by a job / its growing number
 *   lease                time-limited leadership of a controller
 *   nudge / tick         "look at X now", carries no state / one pass of the loop
 *   inbox / outbox       deliveries stored before handling / messages written with the state change
 *   provider             an external system
 *   integration          a configured connection to a provider
 *   actor / role         who acted / viewer, operator, approver or admin
 */`

/** Titles would become one named alias per property, and \`x-\` keys would open every type to any key: both stay in the schema. */
function forTypes(schema, isRoot = true) {
  if (Array.isArray(schema)) return schema.map((item) => forTypes(item, false))
  if (schema === null || typeof schema !== 'object') return schema
  const kept = Object.entries(schema).filter(([key, value]) => {
    if (key === 'title') return isRoot || typeof value !== 'string'
    return !['patternProperties', 'allOf', 'anyOf', 'dependentRequired', 'examples'].includes(key)
  })
  return Object.fromEntries(kept.map(([key, value]) => [key, forTypes(value, false)]))
}

const files = readdirSync(SCHEMAS)
  .filter((file) => file.endsWith('.schema.json'))
  .sort()
const sources = new Map(files.map((file) => [file, readFileSync(SCHEMAS + file, 'utf8')]))

async function documentTypes() {
  const parts = []
  const kinds = []
  for (const source of sources.values()) {
    const schema = JSON.parse(source)
    const types = await compile(forTypes(schema), schema.title, {
      bannerComment: '',
      // Tuples for minItems would say less than the schema does and read worse.
      ignoreMinAndMaxItems: true,
      style: { singleQuote: true, semi: false, printWidth: 130 },
    })
    // Named apart from the resolved types of desired-state.ts.
    parts.push(types.replace(`export interface ${schema.title} {`, `export interface ${schema.title}Document {`).trim())
    kinds.push(schema.title)
  }
  const byKind = kinds.map((kind) => `  ${kind}: ${kind}Document`).join('\n')
  parts.push(
    `/** The document of each kind. */\nexport interface DocumentByKind {\n${byKind}\n}\n\nexport type Kind = keyof DocumentByKind`,
  )
  return `${BANNER}\n\n${parts.join('\n\n')}\n`
}

const outputs = new Map([
  [TYPES, await documentTypes()],
  ...[...sources].map(([file, source]) => [EXAMPLE_SCHEMAS + file, source]),
])

function contentOf(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

const stale = [...outputs].filter(([path, wanted]) => contentOf(path) !== wanted)
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} does not match schemas/. Run: node scripts/generate-types.mjs`)
  if (stale.length > 0) process.exit(1)
} else {
  for (const [path, wanted] of stale) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, wanted)
  }
}
