import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDeeperThan } from '../../controller/webhooks/json-depth.ts'

describe('the depth of JSON text', () => {
  it('ends with a string that never does', () => {
    expect(isDeeperThan(1, Buffer.from('["[[[['))).toBe(false)
    expect(isDeeperThan(0, Buffer.from('["[[[['))).toBe(true)
  })

  it('is what a parser would find, whatever the strings contain', () => {
    const tricky = fc.stringMatching(/^[[\]{}"\\a]{0,8}$/)
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        tricky,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(tricky, tie('node'), { maxKeys: 3 }),
      ),
    })).node
    fc.assert(
      fc.property(value, (tree) => {
        const depth = depthOf(tree)
        const bytes = Buffer.from(JSON.stringify(tree))
        expect(isDeeperThan(depth, bytes)).toBe(false)
        if (depth > 0) expect(isDeeperThan(depth - 1, bytes)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
