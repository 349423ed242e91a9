import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defaultSpecPath } from '../contract.ts'

/**
 * GitLab's published description is good for paths, parameters and names of properties; its types contradict what GitLab sends,
 * so no value is ever checked against it.
 */
export interface NameContract {
  checked: boolean
  violations: string[]
  request(request: { method: string; path: string; query: readonly string[]; body: unknown }): void
  answer(operation: { method: string; path: string }, status: number, body: unknown): void
}

type Schema = Readonly<Record<string, unknown>>

/** What the description of 2025-03 lacks, each with where it is documented (GitLab's REST API resources, by page). */
const MISSING: Readonly<
  Record<string, { query?: readonly string[]; body?: readonly string[]; answer?: readonly string[] | null }>
> = {
  // "Pipelines": inputs since 17.10; lists tell names.
  'POST /api/v4/projects/{id}/pipeline': { body: ['inputs'], answer: ['name'] },
  'GET /api/v4/projects/{id}/pipelines': { answer: ['name'] },
  // "Merge request approvals": approved_at in API::Entities::Approvals.
  'GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/approvals': { answer: ['approved_at', 'user'] },
  // "Merge requests".
  'GET /api/v4/projects/{id}/merge_requests': {
    query: ['target_branch', 'state', 'scope', 'updated_after', 'page', 'per_page'],
    answer: null,
  },
  'GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/diffs': { query: ['page', 'per_page'], answer: null },
  'GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/reviewers': { query: ['page', 'per_page'], answer: null },
  // "Notes".
  'GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/notes': { query: ['order_by', 'sort', 'page', 'per_page'] },
  'POST /api/v4/projects/{id}/merge_requests/{merge_request_iid}/notes': { body: ['body'], answer: null },
  'PUT /api/v4/projects/{id}/merge_requests/{merge_request_iid}/notes/{note_id}': { body: ['body'], answer: null },
  // "Pipelines": variables are a list without pages in the description.
  'GET /api/v4/projects/{id}/pipelines/{pipeline_id}/variables': { query: ['page', 'per_page'] },
  'POST /api/v4/projects/{id}/pipelines/{pipeline_id}/cancel': { answer: ['name'] },
  'POST /api/v4/projects/{id}/pipelines/{pipeline_id}/retry': { answer: ['name'] },
  // "Deployments", "Repositories", "Events", "Users", "Personal access tokens", "Projects", "Webhooks", "GraphQL".
  'GET /api/v4/projects/{id}/deployments/{deployment_id}': { answer: null },
  'GET /api/v4/projects/{id}/repository/merge_base': { query: ['refs[]'], answer: null },
  'GET /api/v4/projects/{id}/events': { query: ['action', 'page', 'per_page'], answer: null },
  'GET /api/v4/users/{id}': { answer: null },
  'GET /api/v4/user': { answer: null },
  'GET /api/v4/personal_access_tokens/self': { answer: null },
  'GET /api/v4/projects/{id}': { answer: null },
  'GET /api/v4/projects/{id}/hooks': { query: ['page', 'per_page'], answer: null },
  'POST /api/graphql': { body: ['query', 'variables'], answer: null },
}

export function openNameContract(): NameContract {
  const specPath = join(dirname(defaultSpecPath()), 'gitlab.json')
  const violations: string[] = []
  if (!existsSync(specPath)) return { checked: false, violations, request() {}, answer() {} }
  const root = JSON.parse(readFileSync(specPath, 'utf8')) as Schema

  const operationAt = (method: string, path: string) => at(root, 'paths', path, method.toLowerCase()) as Schema | undefined

  return {
    checked: true,
    violations,
    request({ method, path, query, body }) {
      const key = `${method} ${path}`
      const operation = operationAt(method, path)
      const more = MISSING[key]
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
      const more = MISSING[key]
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
