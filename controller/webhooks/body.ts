/** What reading a request's body came to; `aborted`: the sender went away or broke the framing. */
export type ReadBody = { kind: 'read'; bytes: Uint8Array } | { kind: 'too_large' } | { kind: 'busy' } | { kind: 'aborted' }

/** Memory that bodies may take together; one slow sender is bounded by the size limit, many of them only by this. */
export interface BodyBudget {
  /** False: not now. */
  take(bytes: number): boolean
  give(bytes: number): void
}

export function bodyBudget(totalBytes: number): BodyBudget {
  let left = totalBytes
  return {
    take(bytes) {
      if (bytes > left) return false
      left -= bytes
      return true
    },
    give(bytes) {
      left += bytes
    },
  }
}

export interface BodyLimits {
  maxBytes: number
  budget: BodyBudget
}

/**
 * Runs `use` on the body's raw bytes while they are held within the limits, and frees their share of the budget afterwards.
 * Not Hono's bodyLimit: that bounds each request but not their sum, and takes the adapter's slow way for every body.
 */
export async function withBody<T>(request: BodySource, limits: BodyLimits, use: (body: ReadBody) => Promise<T>): Promise<T> {
  let taken = 0
  const take = (bytes: number) => {
    if (!limits.budget.take(bytes)) return false
    taken += bytes
    return true
  }
  try {
    const announced = contentLength(request)
    const body =
      announced === null ? readStream(request, limits.maxBytes, take) : readAnnounced(request, announced, limits.maxBytes, take)
    return await use(await body.catch((): ReadBody => ({ kind: 'aborted' })))
  } finally {
    limits.budget.give(taken)
  }
}

/** The part of a Hono request that is needed here. */
export interface BodySource {
  header(name: string): string | undefined
  arrayBuffer(): Promise<ArrayBuffer>
  raw: { body: ReadableStream<Uint8Array> | null }
}

type Take = (bytes: number) => boolean

/** Null when the length is not announced, so that the stream itself must be measured. Node refuses a body that differs from its announcement. */
function contentLength(request: BodySource): number | null {
  const text = request.header('content-length')
  return text !== undefined && /^\d{1,15}$/.test(text) && request.header('transfer-encoding') === undefined ? Number(text) : null
}

async function readAnnounced(request: BodySource, announced: number, maxBytes: number, take: Take): Promise<ReadBody> {
  if (announced > maxBytes) return { kind: 'too_large' }
  if (!take(announced)) return { kind: 'busy' }
  const bytes = new Uint8Array(await request.arrayBuffer())
  return bytes.length > maxBytes ? { kind: 'too_large' } : { kind: 'read', bytes }
}

async function readStream(request: BodySource, maxBytes: number, take: Take): Promise<ReadBody> {
  const stream = request.raw.body
  if (stream === null) return { kind: 'read', bytes: new Uint8Array() }
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { kind: 'read', bytes: Buffer.concat(chunks, size) }
    size += value.length
    if (size > maxBytes) return { kind: 'too_large' }
    if (!take(value.length)) return { kind: 'busy' }
    chunks.push(value)
  }
}
