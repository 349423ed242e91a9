import { createHash } from 'node:crypto'
import type { JobId } from '../model/names.ts'

/** Namespace of all our job ids; any fixed UUID would do, this one must never change. */
const NAMESPACE = 'b1d5a4f8-2f0e-5c83-9f0c-3a7e6d1c9e42'

/**
 * UUIDv5 (RFC 9562 §5.5) of (config repository id, request path). The same file gives the same job on every machine and
 * after every loss of the database, so creating a job twice is creating it once.
 */
export function jobIdFor(repositoryId: string, requestPath: string): JobId {
  const bytes = createHash('sha1')
    .update(Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex'))
    .update(`${repositoryId}\n${requestPath}`, 'utf8')
    .digest()
    .subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as JobId
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isJobId(text: string): text is JobId {
  return UUID.test(text)
}
