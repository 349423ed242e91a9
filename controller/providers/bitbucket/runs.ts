import { type Clock, type Instant, SECOND_MS } from '../../clock.ts'
import { unlessMissing } from '../json-calls.ts'
import type { CallBudget } from './budget.ts'
import type { BitbucketClient } from './client.ts'
import type { PipelineState } from './states.ts'

export interface Pipeline {
  /** In braces. */
  uuid: string
  build_number: number
  /** Counts the tries: a pipeline whose failed steps are run again stays the same pipeline. */
  run_number?: number
  state: PipelineState
  creator?: { uuid?: string }
  target: {
    type: string
    ref_type?: string
    ref_name?: string
    commit?: { hash: string }
    selector?: { type: string; pattern?: string }
  }
  /** Those that were given when it was started, where Bitbucket tells them. */
  variables?: { key: string; value?: string }[]
  created_on: string
}

export function variableOf({ variables }: Pipeline, key: string): string | null {
  return variables?.find((variable) => variable.key === key)?.value ?? null
}

/** The newest pipelines of a repository, read together for all who ask at the same time. */
export interface RunLists {
  /** Null when there is none of this uuid. */
  pipeline(uuid: string): Promise<Pipeline | null>
  /** Something was just asked of the repository's pipelines: what was read before says nothing any more. */
  forget(): void
}

/** Runs that are looked at in one pass are looked at within this. */
const SHARED_MS = SECOND_MS

export interface RunListsOptions {
  client: BitbucketClient
  budget: CallBudget
  clock: Clock
}

/**
 * Twenty runs looked at one by one four times a minute would spend five times what Bitbucket allows, so one list answers for
 * all of a repository's runs. A run that the list does not reach is asked about alone.
 */
export function runLists({ client, budget, clock }: RunListsOptions): RunLists {
  let newest: { at: Instant; answer: Promise<ReadonlyMap<string, Pipeline>> } | null = null

  function list(): Promise<ReadonlyMap<string, Pipeline>> {
    const now = clock.now()
    const keptMs = Math.max(SHARED_MS, budget.patienceMs())
    if (newest !== null && Math.abs(now - newest.at) < keptMs) return newest.answer
    const asked = { at: now, answer: read(client) }
    newest = asked
    // A list that could not be read is not kept.
    asked.answer.catch(() => {
      if (newest === asked) newest = null
    })
    return asked.answer
  }

  return {
    async pipeline(uuid) {
      const listed = (await list()).get(uuid)
      if (listed !== undefined) return listed
      const path = `${client.repository}/pipelines/${encodeURIComponent(uuid)}`
      return (await unlessMissing(() => client.get<Pipeline>(path)))?.data ?? null
    },
    forget() {
      newest = null
    },
  }
}

async function read(client: BitbucketClient): Promise<ReadonlyMap<string, Pipeline>> {
  const query = { sort: '-created_on', pagelen: 100 }
  const { data } = await client.get<{ values: Pipeline[] }>(`${client.repository}/pipelines`, query)
  return new Map((data.values ?? []).map((pipeline) => [pipeline.uuid, pipeline]))
}
