const LONGEST = 64

/** The known name that the unknown one was probably meant to be; null when none is near. */
export function suggest(unknown: string, known: Iterable<string>): string | null {
  if (unknown.length > LONGEST) return null
  const limit = unknown.length <= 4 ? 1 : 2
  let best: string | null = null
  let bestDistance = limit + 1
  for (const name of known) {
    if (Math.abs(name.length - unknown.length) > limit) continue
    const distance = editDistance(unknown.toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best ?? beginsAlike(unknown, known)
}

/** `Tuesday` for `Tue`, `prod` for `production`. */
function beginsAlike(unknown: string, known: Iterable<string>): string | null {
  const word = unknown.toLowerCase()
  for (const name of known) {
    const other = name.toLowerCase()
    if (other.length >= 3 && word.length >= 3 && (word.startsWith(other) || other.startsWith(word))) return name
  }
  return null
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment) that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + same)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[b.length]!
}

/** Help line for an unknown name: the near one, or all of a short list. */
export function didYouMean(unknown: string, known: readonly string[]): string | null {
  const near = suggest(unknown, known)
  return near === null ? null : `did you mean \`${near}\`?`
}

/** `a, b or c`; long lists are cut. */
export function listWords(words: readonly string[], most = 12): string {
  if (words.length > most) return `${words.slice(0, most).join(', ')} and ${words.length - most} more`
  return words.join(', ')
}
