/**
 * Checked values. A plain string becomes one of these only by the parser beside it,
 * so a function that asks for a `CommitSha` cannot be handed a branch name.
 */
declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. Short ids are never accepted: a branch may be named like one. */
export type CommitSha = Branded<string, 'CommitSha'>
/** Object id of one file's content in Git; equal ids mean equal bytes. */
export type BlobId = Branded<string, 'BlobId'>
/** `<project>/<environment>`, e.g. `shop/prod`. */
export type EnvironmentKey = Branded<string, 'EnvironmentKey'>
/** sha256 (hex) over exactly what is approved; see approvals/subject.ts. */
export type SubjectDigest = Branded<string, 'SubjectDigest'>
/** UUIDv5 of (config repository id, request path). */
export type JobId = Branded<string, 'JobId'>
/** Key of a person in access.yaml. People are counted, not accounts. */
export type PersonId = Branded<string, 'PersonId'>

const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

export function commitSha(text: string): CommitSha {
  if (!OBJECT_ID.test(text)) throw new Error(`not a full commit id: ${JSON.stringify(text)}`)
  return text as CommitSha
}

export function isCommitSha(text: string): text is CommitSha {
  return OBJECT_ID.test(text)
}

export function blobId(text: string): BlobId {
  if (!OBJECT_ID.test(text)) throw new Error(`not a full object id: ${JSON.stringify(text)}`)
  return text as BlobId
}

export function environmentKey(project: string, environment: string): EnvironmentKey {
  return `${project}/${environment}` as EnvironmentKey
}

export function personId(text: string): PersonId {
  return text as PersonId
}

/** The beginning of a job's id, as people say it; links and data carry the whole. */
export function shortJobId(id: string): string {
  return id.slice(0, 8)
}
