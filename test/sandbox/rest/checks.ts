import { type CheckChange, postCheck, updateCheck } from '../checks.ts'
import type { CheckOutput, CheckRun } from '../world.ts'
import {
  type Answer,
  bodyText,
  type Call,
  notFound,
  numberParam,
  type Operation,
  ok,
  page,
  Refusal,
  requiredText,
  textParam,
} from './call.ts'
import { checkBody, latestChecks, suiteBody } from './check-bodies.ts'
import { commitAt } from './commits.ts'

/** More than this in one request is refused. */
const ANNOTATIONS_PER_REQUEST = 50

async function listForRef(call: Call): Promise<Answer> {
  const { repository, world } = call
  const query = call.url.searchParams
  const sha = await commitAt(repository, textParam(call, 'ref'))
  const onCommit = repository.checks.filter((check) => check.suite.sha === sha)
  const found = (query.get('filter') === 'all' ? onCommit : latestChecks(onCommit))
    .filter((check) => !query.has('check_name') || check.name === query.get('check_name'))
    .filter((check) => !query.has('status') || check.status === query.get('status'))
    .filter((check) => !query.has('app_id') || check.suite.app.id === Number(query.get('app_id')))
    .reverse()
  const { items, headers } = page(call, found)
  const body = { total_count: found.length, check_runs: items.map((check) => checkBody(world, repository, check)) }
  return { status: 200, headers, body }
}

async function listSuites(call: Call): Promise<Answer> {
  const { repository, world } = call
  const query = call.url.searchParams
  const sha = await commitAt(repository, textParam(call, 'ref'))
  const found = repository.suites
    .filter((suite) => suite.sha === sha)
    .filter((suite) => !query.has('app_id') || suite.app.id === Number(query.get('app_id')))
    .filter(
      (suite) =>
        !query.has('check_name') ||
        repository.checks.some((check) => check.suite === suite && check.name === query.get('check_name')),
    )
  const { items, headers } = page(call, found)
  const bodies = await Promise.all(items.map((suite) => suiteBody(world, repository, suite)))
  return { status: 200, headers, body: { total_count: found.length, check_suites: bodies } }
}

async function create(call: Call): Promise<Answer> {
  const { repository, world, token } = call
  const sha = await commitAt(repository, requiredText(call, 'head_sha'))
  if (!token.app) throw new Refusal(403, 'You must authenticate via a GitHub App.')
  const check = postCheck(world, repository, { app: token.app, sha, name: requiredText(call, 'name'), ...changeOf(call, null) })
  return { status: 201, body: checkBody(world, repository, check) }
}

function update(call: Call): Answer {
  const { repository, world, token } = call
  const id = numberParam(call, 'check_run_id')
  const check = repository.checks.find((each) => each.id === id)
  if (!check) throw notFound()
  if (!token.app || check.suite.app !== token.app)
    throw new Refusal(403, 'Invalid app_id `check_run` must be changed by its own app.')
  updateCheck(world, repository, check, changeOf(call, check))
  return ok(checkBody(world, repository, check))
}

function changeOf(call: Call, before: CheckRun | null): CheckChange {
  const conclusion = bodyText(call, 'conclusion', null) as CheckChange['conclusion'] | null
  const status = bodyText(call, 'status', null) as CheckChange['status'] | null
  if (status === 'completed' && conclusion === null) throw new Refusal(422, 'Invalid request.\n\n"conclusion" wasn\'t supplied.')
  const output = call.body['output'] as Partial<CheckOutput> | undefined
  return {
    // A conclusion alone completes the check, as on GitHub.
    status: conclusion === null ? (status ?? before?.status ?? 'queued') : 'completed',
    conclusion: conclusion ?? (status === null ? (before?.conclusion ?? null) : null),
    ...present('name', bodyText(call, 'name', undefined)),
    ...present('externalId', bodyText(call, 'external_id', undefined)),
    ...present('detailsUrl', bodyText(call, 'details_url', undefined)),
    ...(output === undefined ? {} : { output: outputOf(output, before) }),
  }
}

function present<Key extends string>(key: Key, value: string | undefined): { [K in Key]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: string }
}

function outputOf(given: Partial<CheckOutput>, before: CheckRun | null): CheckOutput {
  const annotations = given.annotations ?? []
  if (annotations.length > ANNOTATIONS_PER_REQUEST) {
    throw new Refusal(422, `No more than ${ANNOTATIONS_PER_REQUEST} annotations are allowed per request.`)
  }
  return {
    title: given.title ?? null,
    summary: given.summary ?? null,
    text: given.text ?? null,
    // Later requests add to what is there; that is how more than 50 are sent.
    annotations: [...(before?.output.annotations ?? []), ...annotations],
  }
}

const ON_REF = '/repos/{owner}/{repo}/commits/{ref}'
const CHECKS = '/repos/{owner}/{repo}/check-runs'

export const CHECK_OPERATIONS: readonly Operation[] = [
  { id: 'checks/list-for-ref', method: 'GET', path: `${ON_REF}/check-runs`, needs: 'read', handle: listForRef },
  { id: 'checks/list-suites-for-ref', method: 'GET', path: `${ON_REF}/check-suites`, needs: 'read', handle: listSuites },
  { id: 'checks/create', method: 'POST', path: CHECKS, needs: 'write', handle: create },
  { id: 'checks/update', method: 'PATCH', path: `${CHECKS}/{check_run_id}`, needs: 'write', handle: update },
]
