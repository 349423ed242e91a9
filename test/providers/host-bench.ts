import { type Bench, openBench } from '../reconcile/bench.ts'
import type { PipelineHost } from './conformance.ts'

/** The real engine on a real store, by the host's clock, with the host's pipelines in the place of the bench's own. */
export async function openHostBench(host: PipelineHost, files: Record<string, string> = {}): Promise<Bench> {
  const bench = await openBench({ files })
  bench.engine.clock = { now: () => host.now(), elapsed: () => host.now(), sleep: async () => {} }
  const { pipeline, selector } = host
  bench.engine.connections.pipeline = () => ({
    start: (trigger) => pipeline.start({ ...trigger, ref: 'v1.4.2', refType: 'tag', selector }),
    find: (query) => pipeline.find({ ...query, selector }),
    doubt: (query) => pipeline.doubt({ ...query, selector }),
    observe: ({ externalId }) => pipeline.observe({ externalId, selector }),
    cancel: (run) => pipeline.cancel(run),
  })
  return bench
}
