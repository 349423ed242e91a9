import { type MissingNames, type NameContract, openNameContract } from '../name-contract.ts'
import type { Server } from './world.ts'

const REPO = '/api/v1/repos/{owner}/{repo}'
const PAGES = ['page', 'limit']

/** What the slice of Gitea's description was not cut to, with the parameters that `templates/swagger/v1_openapi3_json.tmpl` names. */
const MISSING: MissingNames = {
  [`GET ${REPO}`]: { answer: null },
  'GET /api/v1/user': { answer: null },
  'GET /api/v1/version': { answer: null },
  [`GET ${REPO}/pulls`]: { query: ['state', 'sort', ...PAGES], answer: null },
  [`GET ${REPO}/issues/{index}/comments`]: { query: ['since', 'before'], answer: null },
  // "List all comments and events on an issue": pages are there too, but filtered after they were cut.
  [`GET ${REPO}/issues/{index}/timeline`]: { query: ['since', 'before', ...PAGES], answer: null },
  [`GET ${REPO}/activities/feeds`]: { query: ['date', ...PAGES], answer: null },
}

const FORGEJO_RUN = [
  ...['id', 'index_in_repo', 'title', 'workflow_id', 'prettyref', 'commit_sha', 'event', 'trigger_event', 'event_payload'],
  ...['status', 'need_approval', 'trigger_user', 'repository', 'created', 'started', 'stopped', 'updated', 'html_url'],
]

/** Where Forgejo 16.0.1 spells it otherwise, by its own `swagger.v1.json`. */
const FORGEJO: MissingNames = {
  ...MISSING,
  [`POST ${REPO}/actions/workflows/{workflow_id}/dispatches`]: { body: ['return_run_info'] },
  [`GET ${REPO}/actions/runs`]: { query: ['workflow_id', 'run_number', 'ref'], answer: FORGEJO_RUN },
  [`GET ${REPO}/actions/runs/{run}`]: { answer: FORGEJO_RUN },
  [`GET ${REPO}/actions/runs/{run}/jobs`]: { answer: null },
  [`POST ${REPO}/actions/runs/{run}/cancel`]: {},
}

/** Gitea's description states few types and hardly any required names: names are all that can be checked. */
export function openGiteaContract(server: Server): NameContract {
  return openNameContract('gitea.json', server === 'forgejo' ? FORGEJO : MISSING, '/api/v1')
}
