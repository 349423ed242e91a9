import { dirname, join } from 'node:path'
import { type Contract, defaultSpecPath, openContract } from '../contract.ts'

/** Bitbucket's published description is strict on types and words; what it lacks is below, each with where it is documented. */
export function openBitbucketContract(): Contract {
  return openContract(join(dirname(defaultSpecPath()), 'bitbucket.json'), { adjust, errorSchema: 'error' })
}

type Node = Record<string, unknown>

/** Properties that real answers carry and the description leaves out or forbids to be null. */
const PROPERTIES: Readonly<Record<string, Node>> = {
  // "Run a pipeline" shows targets and selectors in its examples alone; states are a family of types there.
  pipeline: { run_number: { type: 'integer' }, has_variables: { type: 'boolean' } },
  pipeline_target: {
    ref_type: { type: 'string', enum: ['branch', 'named_branch', 'bookmark', 'tag'] },
    ref_name: { type: 'string' },
    commit: { $ref: '#/components/schemas/commit' },
    selector: { type: 'object', properties: { type: { type: 'string' }, pattern: { type: 'string' } } },
  },
  pipeline_state: { name: { type: 'string' }, result: named(), stage: named() },
  pipeline_trigger: { name: { type: 'string' } },
  pipeline_step: { name: { type: 'string' } },
  pipeline_step_state: { name: { type: 'string' }, result: named(), stage: named() },
  // "Account" is the base of users, which have these since the changes for GDPR.
  account: { account_id: { type: 'string' }, nickname: { type: 'string' } },
  // Read back as `secret_set` ("Webhooks").
  webhook_subscription: { secret_set: { type: 'boolean' } },
}

function named(): Node {
  return { type: 'object', properties: { type: { type: 'string' }, name: { type: 'string' } } }
}

/** Lists are cut into pages, sorted, filtered and told in parts everywhere ("Pagination", "Filtering", "Partial responses"). */
const LIST_PARAMETERS = ['page', 'pagelen', 'q', 'sort', 'fields']

/** Calls that the slice leaves out, and answers that the description does not type, by the pages of the REST API reference. */
const ANSWERS: Readonly<Record<string, { query?: readonly string[]; status: number; schema: Node | null }>> = {
  // "Repositories", "Commits", "Reports", "Workspaces".
  'get /repositories/{workspace}/{repo_slug}': { status: 200, schema: { $ref: '#/components/schemas/repository' } },
  'get /repositories/{workspace}/{repo_slug}/commits': { query: ['include', 'exclude'], status: 200, schema: page('commit') },
  'get /repositories/{workspace}/{repo_slug}/diffstat/{spec}': {
    query: ['from_pullrequest_id', 'topic'],
    status: 200,
    schema: pageOf({ type: 'object', required: ['status'] }),
  },
  'get /repositories/{workspace}/{repo_slug}/hooks': { status: 200, schema: page('webhook_subscription') },
  'get /repositories/{workspace}/{repo_slug}/commit/{commit}/reports': { status: 200, schema: page('report') },
  'get /user': { status: 200, schema: { $ref: '#/components/schemas/account' } },
  'delete /repositories/{workspace}/{repo_slug}/commit/{commit}/reports/{reportId}': { status: 204, schema: null },
  'get /workspaces/{workspace}/permissions': { status: 200, schema: pageOf({ type: 'object', required: ['user'] }) },
  // "Pull requests": described in words.
  'get /repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/activity': {
    status: 200,
    schema: pageOf({ type: 'object' }),
  },
  'get /repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/commits': { status: 200, schema: page('commit') },
}

function page(schema: string): Node {
  return pageOf({ $ref: `#/components/schemas/${schema}` })
}

function pageOf(items: Node): Node {
  const number = { type: 'integer' }
  const properties = { page: number, pagelen: number, size: number, next: { type: 'string' }, values: { type: 'array', items } }
  return { type: 'object', required: ['values'], properties }
}

function adjust(root: Node): void {
  openUp(root)
  const schemas = (root['components'] as { schemas: Record<string, Node> }).schemas
  for (const [name, properties] of Object.entries(PROPERTIES)) Object.assign(propertiesOf(schemas[name]!), properties)
  const commit = (propertiesOf(schemas['pullrequest_endpoint']!)['commit'] as { properties: Node }).properties
  commit['type'] = { type: 'string' }
  const merged = propertiesOf(schemas['pullrequest']!)['merge_commit'] as { properties: Node; nullable: boolean }
  merged.properties['type'] = { type: 'string' }
  // None until it is merged, and no stance of who only commented.
  merged.nullable = true
  ;(propertiesOf(schemas['participant']!)['state'] as Node)['nullable'] = true

  const paths = root['paths'] as Record<string, Record<string, Node>>
  for (const [key, { query = [], status, schema }] of Object.entries(ANSWERS)) {
    const [method = '', path = ''] = key.split(' ')
    const holder = paths[path] ?? { parameters: pathParameters(path) as unknown as Node }
    paths[path] = holder
    const operation = holder[method] ?? { responses: {} }
    holder[method] = operation
    parametersOf(operation).push(...query.map(queryParameter))
    const content = schema === null ? {} : { content: { 'application/json': { schema } } }
    operation['responses'] = { ...(operation['responses'] as Node), [status]: { description: '', ...content } }
  }
  for (const holder of Object.values(paths)) if (holder['get'] !== undefined) addListParameters(holder['get'])
}

/** "Sort" takes a minus for the newest first, which the list of words for pipelines forgets. */
function addListParameters(operation: Node): void {
  const own = parametersOf(operation)
  for (const name of LIST_PARAMETERS) {
    const known = own.find((each) => each['name'] === name)
    if (known === undefined) own.push(queryParameter(name))
    else if (name === 'sort') known['schema'] = { type: 'string' }
  }
}

function parametersOf(operation: Node): Node[] {
  operation['parameters'] ??= []
  return operation['parameters'] as Node[]
}

function queryParameter(name: string): Node {
  return { name, in: 'query', schema: { type: 'string' } }
}

function pathParameters(path: string): Node[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
}

/** A schema's own properties, which stand in the last part where it extends another. */
function propertiesOf(schema: Node): Node {
  const own = ((schema['allOf'] as Node[] | undefined)?.at(-1) ?? schema) as Node
  own['properties'] ??= {}
  return own['properties'] as Node
}

/** Real answers hold more than the description allows in seven places and more. */
function openUp(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  const record = node as Node
  if (record['additionalProperties'] === false) delete record['additionalProperties']
  for (const child of Object.values(record)) openUp(child)
}
