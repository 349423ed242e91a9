/**
 * Everything a history leaves open is decided here and written down: which call goes next, what fails, what people do.
 * 0 is always the plain answer (the oldest call, no fault, nothing happens), so that a shorter or emptier list is a simpler history.
 */
export interface Choices {
  /** An answer in 0 … options-1; other than 0 with these odds. */
  pick(options: number, odds?: number): number
  /** 0 with what is left of 1, else the number of the weight (from 1) that was drawn. */
  weighted(weights: readonly number[]): number
  /**
   * A number in [0, 1) that may shift the odds of what is drawn, and nothing else. So it is no part of a history: it is not written
   * down, and 0 when a history is told again, where nothing is drawn.
   */
  hint(): number
  /** All answers given so far. */
  readonly made: readonly number[]
}

/** Draws by a seeded generator and remembers. */
export function drawnChoices(seed: number): Choices {
  const random = generator(seed)
  const made: number[] = []
  const note = (value: number) => {
    made.push(value)
    return value
  }
  return {
    made,
    hint: random,
    pick: (options, odds = (options - 1) / options) =>
      note(options > 1 && random() < odds ? 1 + Math.floor(random() * (options - 1)) : 0),
    weighted(weights) {
      let left = random()
      for (let index = 0; index < weights.length; index++) {
        left -= weights[index]!
        if (left < 0) return note(index + 1)
      }
      return note(0)
    },
  }
}

/** Gives the answers of a list, and the plain answer after its end. An answer that is not offered any more becomes the plain one. */
export function replayedChoices(list: readonly number[]): Choices {
  const made: number[] = []
  const next = (options: number) => {
    const value = list[made.length] ?? 0
    made.push(value < options ? value : 0)
    return made.at(-1)!
  }
  return { made, hint: () => 0, pick: next, weighted: (weights) => next(weights.length + 1) }
}

/** sfc32: small, fast and good enough to spread faults. Gives numbers in [0, 1). */
function generator(seed: number): () => number {
  let [a, b, c, counter] = [0x9e3779b9 ^ seed, seed | 0, Math.floor(seed / 2 ** 32) | 0, 1]
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  for (let warmUp = 0; warmUp < 12; warmUp++) next()
  return next
}
