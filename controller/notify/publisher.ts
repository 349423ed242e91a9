import type { CommitSha } from '../model/names.ts'

/** Name under which a check or status appears; constant, because required checks match by name. */
export const CHECK_NAMES = ['draven/validate', 'draven/gate'] as const
export type CheckName = (typeof CHECK_NAMES)[number]

export interface CheckAnnotation {
  path: string
  line: number
  column: number
  endColumn: number
  severity: 'error' | 'warning'
  title: string
  message: string
}

export interface CheckMessage {
  sha: CommitSha
  name: CheckName
  state: 'pending' | 'success' | 'failure' | 'canceled'
  /** One line; cut by the adapter to what its host takes. */
  title: string
  /** Markdown made of escaped values. */
  summary: string
  annotations: readonly CheckAnnotation[]
  detailsUrl: string | null
}

export interface CommentMessage {
  pullRequest: number
  /** Markdown made of escaped values; the adapter adds its hidden marker. */
  body: string
}

/** Mirror of a run in the forge's own Deployments list. */
export interface DeploymentMessage {
  jobId: string
  sha: CommitSha
  ref: string
  environment: string
  production: boolean
  state: 'queued' | 'in_progress' | 'success' | 'failure' | 'inactive'
  description: string
  logUrl: string | null
  environmentUrl: string | null
}

/** Speaks on pull requests of the config repository. Each call converges: same input, same result, however often. Returns the host's id. */
export interface PullRequestVoice {
  publishCheck(message: CheckMessage, known: string | null): Promise<string>
  upsertComment(message: CommentMessage, known: string | null): Promise<string>
}

/** Writes the Deployments list of a project's repository. */
export interface DeploymentMirror {
  mirror(message: DeploymentMessage, known: string | null): Promise<string>
}
