import { Document } from 'yaml'
import { toIso } from '../clock.ts'
import type { Policy, Ref, RefType, RequestType } from '../model/desired-state.ts'

export interface RequestContent {
  type: RequestType
  /** Null only for a rollback to the one before. */
  ref: Ref | null
  reason: string
}

/** The text of a request file. `yaml` quotes what would otherwise be read as something else than a string. */
export function requestText({ type, ref, reason }: RequestContent, schema: boolean): string {
  const document = new Document({
    apiVersion: 'draven/v1',
    kind: 'DeployRequest',
    type,
    ...(ref === null ? {} : { ref: { [ref.type]: ref.name } }),
    reason,
  })
  const node = document.get('ref', true)
  if (typeof node === 'object' && node !== null) (node as { flow?: boolean }).flow = true
  const comment = schema ? '# yaml-language-server: $schema=../../../schemas/deploy-request.schema.json\n' : ''
  return `${comment}${document.toString({ lineWidth: 0 })}`
}

/** `2026-11-21-v1.4.2`; the date (UTC) keeps names apart, because a path is never used twice. */
export function requestName(now: number, { type, ref }: Pick<RequestContent, 'type' | 'ref'>): string {
  const kind = type === 'deploy' ? '' : `${type.replace('_', '-')}-`
  const name = ref === null ? 'one-before' : ref.type === 'sha' ? ref.name.slice(0, 12) : ref.name
  const slug = `${kind}${name}`
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
  return `${toIso(now).slice(0, 10)}-${slug.slice(0, 60)}`
}

const FULL_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const VERSION_SHAPE = /^v?\d+(?:\.\d+)+/

/**
 * What kind of ref a bare name means: a full commit id by its shape, else the one kind whose patterns in the policy take it,
 * else the one kind that the policy takes at all, else a version is a tag. Null when the name fits both kinds alike.
 */
export function inferRefType(
  name: string,
  policy: Pick<Policy, 'allowedRefTypes' | 'allowedBranches' | 'allowedTags'>,
): RefType | null {
  if (FULL_ID.test(name)) return 'sha'
  const named = policy.allowedRefTypes.filter((type) => type !== 'sha')
  const fitting = named.filter((type) =>
    (type === 'branch' ? policy.allowedBranches : policy.allowedTags).some((pattern) => pattern.matches(name)),
  )
  if (fitting.length === 1) return fitting[0]!
  if (fitting.length > 1) return VERSION_SHAPE.test(name) ? 'tag' : null
  if (named.length === 1) return named[0]!
  return VERSION_SHAPE.test(name) ? 'tag' : 'branch'
}
