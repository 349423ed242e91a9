import { RefusedFault, TransientFault } from '../../errors.ts'
import { unlessMissing } from '../json-calls.ts'
import { type BitbucketClient, everything } from './client.ts'
import { fullSha } from './commit-ids.ts'
import { type Pipeline, variableOf } from './runs.ts'

interface Report {
  external_id?: string
  details?: string
}

/** A report on the pipeline's own commit by which it says whose it is; `details` names the pipeline. */
const CLAIM = /^draven-job-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/** Finds out whose a pipeline is: the JOB_ID that it was told; null when nobody told it one. */
export type JobReader = (pipeline: Pipeline) => Promise<string | null>

/**
 * Bitbucket's description has the variables of a pipeline in its answers, and Bitbucket itself has been seen to leave them out.
 * So a pipeline also says whose it is, first of all, by a report on its commit (docs/bitbucket.md), which needs no token in there.
 * TransientFault while it may still say so; RefusedFault when it is over and never did: a guess would be taken for proof.
 */
export function jobReader(client: BitbucketClient): JobReader {
  let self: Promise<string | null> | null = null
  const ourUuid = () => {
    self ??= accountOfToken(client)
    self.catch(() => {
      self = null
    })
    return self
  }

  return async (pipeline) => {
    if (pipeline.variables !== undefined) return variableOf(pipeline, 'JOB_ID')
    const commit = pipeline.target.commit?.hash
    const claimed = commit === undefined ? null : await claimOf(client, await fullSha(client, commit), pipeline.uuid)
    if (claimed !== null) return claimed
    // Whoever started one by hand did not start it for a job.
    const [us, creator] = [await ourUuid(), pipeline.creator?.uuid]
    if (us !== null && creator !== undefined && creator !== us) return null
    const label = `Pipeline ${pipeline.build_number} of ${client.fullName}`
    if (pipeline.state.name !== 'COMPLETED') throw new TransientFault(`${label} has not said yet whose it is.`)
    throw new RefusedFault(
      `${label} never said whose it is, and Bitbucket does not tell its variables. Let its first step post the report that docs/bitbucket.md shows.`,
      403,
    )
  }
}

async function claimOf(client: BitbucketClient, sha: string, uuid: string): Promise<string | null> {
  const reports = await unlessMissing(() => everything<Report>(client, `${client.repository}/commit/${sha}/reports`))
  for (const { external_id: id = '', details = '' } of reports ?? []) {
    const job = CLAIM.exec(id)?.[1]
    if (job !== undefined && details.toLowerCase().includes(uuid.toLowerCase())) return job
  }
  return null
}

/** Null when the token stands for nobody whom Bitbucket would name. */
async function accountOfToken(client: BitbucketClient): Promise<string | null> {
  const found = await unlessMissing(() => client.get<{ uuid?: string }>('/user'), [401, 403, 404])
  return found?.data.uuid ?? null
}
