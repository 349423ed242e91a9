import { type MissingNames, type NameContract, openNameContract } from '../name-contract.ts'

/** What the description of 2025-03 lacks, each with where it is documented (GitLab's REST API resources, by page). */
const MISSING: MissingNames = {
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

/** GitLab's published description; its types contradict what GitLab sends, so no value is ever checked against it. */
export function openGitlabContract(): NameContract {
  return openNameContract('gitlab.json', MISSING)
}
