/** In how many ways a secret may come back: as it is, in an address, in JSON, and in base64 at each of its three alignments. */
export function quotesOf(secret: string): string[] {
  const behind = ['', 'x', 'xy', 'user:', 'x-access-token:'].map((user) => Buffer.from(`${user}${secret}`))
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret),
    ...behind.flatMap((bytes) => [bytes.toString('base64'), bytes.toString('base64url')]),
  ]
}

/** What must be nowhere. Of base64 the part that the secret alone decides: what stands around it does not matter then. */
export function tracesOf(secret: string): string[] {
  const cores = [0, 1, 2].flatMap((offset) => {
    const from = offset === 0 ? 0 : 4
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3))
    return [whole.toString('base64').slice(from), whole.toString('base64url').slice(from)]
  })
  return [...new Set([secret, encodeURIComponent(secret), ...cores])]
}
