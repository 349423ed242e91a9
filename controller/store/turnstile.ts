/** A line in which each waits for the one before. A call resolves with the function that lets the next one go. */
export type Turnstile = () => Promise<() => void>

export function turnstile(): Turnstile {
  let last = Promise.resolve()
  return () => {
    const before = last
    let leave = () => {}
    last = new Promise((resolve) => {
      leave = resolve
    })
    return before.then(() => leave)
  }
}
