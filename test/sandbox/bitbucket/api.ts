import type { FaultRule } from '../faults.ts'
import * as code from './code-calls.ts'
import * as pipelines from './pipeline-calls.ts'
import * as pulls from './pull-calls.ts'
import type { Permission, Repository, User, World } from './world.ts'

export interface Call {
  world: World
  repository: Repository
  user: User
  params: Readonly<Record<string, string>>
  query: URLSearchParams
  body: Readonly<Record<string, unknown>>
  fault: FaultRule | null
}

/** A list is cut into pages by the server. `location`: a redirect. */
export type Answer = { status: number; body?: unknown; list?: readonly unknown[]; location?: string }

export interface Operation {
  id: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** As Bitbucket's description spells it. */
  path: string
  /** Null for calls about no repository. */
  needs: Permission | null
  /** Most entries of a page. */
  longest?: number
  handle(call: Call): Answer | Promise<Answer>
}

const R = '/repositories/{workspace}/{repo_slug}'
const P = `${R}/pipelines`
const PR = `${R}/pullrequests/{pull_request_id}`
const C = `${R}/commit/{commit}`

export const OPERATIONS: readonly Operation[] = [
  { id: 'repositories/get', method: 'GET', path: R, needs: 'read', handle: code.getRepository },
  { id: 'pipelines/create', method: 'POST', path: P, needs: 'write', handle: pipelines.create },
  { id: 'pipelines/list', method: 'GET', path: P, needs: 'read', handle: pipelines.list },
  { id: 'pipelines/get', method: 'GET', path: `${P}/{pipeline_uuid}`, needs: 'read', handle: pipelines.get },
  { id: 'pipelines/cancel', method: 'POST', path: `${P}/{pipeline_uuid}/stopPipeline`, needs: 'write', handle: pipelines.stop },
  { id: 'pipelines/steps', method: 'GET', path: `${P}/{pipeline_uuid}/steps`, needs: 'read', handle: pipelines.steps },
  { id: 'commits/get', method: 'GET', path: C, needs: 'read', handle: code.getCommit },
  { id: 'commits/list', method: 'GET', path: `${R}/commits`, needs: 'read', handle: code.listCommits },
  { id: 'statuses/list', method: 'GET', path: `${C}/statuses`, needs: 'read', handle: code.listStatuses },
  { id: 'statuses/create', method: 'POST', path: `${C}/statuses/build`, needs: 'write', handle: code.makeStatus },
  { id: 'reports/list', method: 'GET', path: `${C}/reports`, needs: 'read', handle: code.listReports },
  { id: 'reports/put', method: 'PUT', path: `${C}/reports/{reportId}`, needs: 'write', handle: code.putReport },
  { id: 'reports/delete', method: 'DELETE', path: `${C}/reports/{reportId}`, needs: 'write', handle: code.deleteReport },
  { id: 'reports/annotate', method: 'POST', path: `${C}/reports/{reportId}/annotations`, needs: 'write', handle: code.annotate },
  { id: 'branches/get', method: 'GET', path: `${R}/refs/branches/{name}`, needs: 'read', handle: code.getBranch },
  { id: 'tags/get', method: 'GET', path: `${R}/refs/tags/{name}`, needs: 'read', handle: code.getTag },
  { id: 'merge-base', method: 'GET', path: `${R}/merge-base/{revspec}`, needs: 'read', handle: code.getMergeBase },
  { id: 'diffstat', method: 'GET', path: `${R}/diffstat/{spec}`, needs: 'read', handle: code.diffstat },
  { id: 'pulls/list', method: 'GET', path: `${R}/pullrequests`, needs: 'read', longest: 50, handle: pulls.list },
  { id: 'pulls/get', method: 'GET', path: PR, needs: 'read', handle: pulls.get },
  { id: 'pulls/activity', method: 'GET', path: `${PR}/activity`, needs: 'read', longest: 50, handle: pulls.activity },
  { id: 'pulls/commits', method: 'GET', path: `${PR}/commits`, needs: 'read', handle: pulls.commits },
  { id: 'pulls/diffstat', method: 'GET', path: `${PR}/diffstat`, needs: 'read', handle: pulls.diffstat },
  { id: 'comments/list', method: 'GET', path: `${PR}/comments`, needs: 'read', handle: pulls.listComments },
  { id: 'comments/create', method: 'POST', path: `${PR}/comments`, needs: 'read', handle: pulls.makeComment },
  { id: 'comments/edit', method: 'PUT', path: `${PR}/comments/{comment_id}`, needs: 'read', handle: pulls.editComment },
  { id: 'hooks/list', method: 'GET', path: `${R}/hooks`, needs: 'admin', handle: code.listHooks },
  { id: 'users/self', method: 'GET', path: '/user', needs: null, handle: code.getUser },
  {
    id: 'workspaces/permissions',
    method: 'GET',
    path: '/workspaces/{workspace}/permissions',
    needs: null,
    handle: code.permissions,
  },
]

export const OPERATION_IDS = OPERATIONS.map(({ id }) => id)
