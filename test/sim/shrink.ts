/** Names the broken invariant without the particulars of one history. */
export function invariantOf(violation: string): string {
  return violation.slice(0, violation.indexOf(':'))
}

export interface Shrunk {
  choices: readonly number[]
  tries: number
}

/**
 * Fewer and plainer choices that still break the same invariant: first a shorter list, then whole blocks made plain, then
 * single choices. `breaks` runs a history.
 */
export async function shrink(
  choices: readonly number[],
  breaks: (choices: readonly number[]) => Promise<boolean>,
  mostTries: number,
): Promise<Shrunk> {
  let best = [...choices]
  let tries = 0
  async function attempt(candidate: readonly number[]): Promise<boolean> {
    if (tries >= mostTries) return false
    tries++
    if (!(await breaks(candidate))) return false
    best = [...candidate]
    return true
  }

  // What comes after the breach does not matter, so plain choices from some place on must do.
  for (let length = Math.floor(best.length / 2); length >= 1; length = Math.floor(length / 2)) {
    while (best.length > length && (await attempt(best.slice(0, best.length - length)))) {}
  }
  for (let block = best.length; block >= 1; block = Math.floor(block / 2)) {
    for (let from = 0; from < best.length; from += block) {
      if (best.slice(from, from + block).every((choice) => choice === 0)) continue
      await attempt(best.map((choice, place) => (place >= from && place < from + block ? 0 : choice)))
    }
  }
  for (let place = 0; place < best.length; place++) if (best[place]! > 1) await attempt(best.with(place, 1))
  while (best.at(-1) === 0) best.pop()
  return { choices: best, tries }
}
