import { RefusedFault, TransientFault } from '../../errors.ts'
import { type CommitSha, commitSha, isCommitSha } from '../../model/names.ts'
import type { BitbucketClient } from './client.ts'

/** Commits never change, so what a short hash stands for is asked once while the process lives. */
const KNOWN = new WeakMap<BitbucketClient, Map<string, CommitSha>>()
const MAX_KNOWN = 5_000

/**
 * The whole id of a commit. Pull requests and webhooks show the first 12 characters, and two such texts are never compared: it
 * is asked about first. RefusedFault when Bitbucket does not have it (any more).
 */
export async function fullSha(client: BitbucketClient, hash: string, repository = client.repository): Promise<CommitSha> {
  if (isCommitSha(hash)) return hash
  if (!/^[0-9a-f]{7,39}$/.test(hash)) throw new RefusedFault(`${JSON.stringify(hash)} is not a commit of ${client.fullName}.`)
  const known = KNOWN.get(client) ?? new Map<string, CommitSha>()
  KNOWN.set(client, known)
  const before = known.get(`${repository} ${hash}`)
  if (before !== undefined) return before
  const { data } = await client.get<{ hash: string }>(`${repository}/commit/${hash}`)
  if (!isCommitSha(data.hash) || !data.hash.startsWith(hash)) {
    throw new TransientFault(`Bitbucket named another commit than ${hash} when it was asked about that one.`)
  }
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(`${repository} ${hash}`, commitSha(data.hash))
  return commitSha(data.hash)
}
