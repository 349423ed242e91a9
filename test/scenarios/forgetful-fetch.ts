/**
 * GitHub answers `commit_id: null` once the reviewed commit is gone for good. The emulated forge keeps every commit, so the
 * answer is changed on its way: reviews of a pull request in `pulls` no longer name their commit.
 */
export function forgetfulFetch(pulls: ReadonlySet<number>): typeof globalThis.fetch {
  return async (input, init) => {
    const answer = await fetch(input, init)
    const url = input instanceof Request ? input.url : String(input)
    const number = /\/pulls\/(\d+)\/reviews\b/.exec(url)?.[1]
    if (number === undefined || !pulls.has(Number(number)) || answer.status !== 200) return answer
    const reviews = (await answer.json()) as Record<string, unknown>[]
    const headers = new Headers(answer.headers)
    headers.delete('content-length')
    return new Response(JSON.stringify(reviews.map((review) => ({ ...review, commit_id: null }))), { status: 200, headers })
  }
}
