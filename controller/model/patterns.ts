import { RE2JS } from 're2js'
import type { Pattern } from './desired-state.ts'
import type { Place } from './finding.ts'

/** Steps of the compiled program. A name of 200 characters is then matched in at most some milliseconds. */
export const MAX_PATTERN_STEPS = 1_000

export type PatternProblem = { kind: 'syntax'; why: string } | { kind: 'too_large'; steps: number }

/** Compiles a policy's pattern with RE2 (linear time) as a full match: `v\d+` does not match `evil-v1-x`. */
export function compilePattern(source: string, place: Place): Pattern | PatternProblem {
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(source)
  } catch (error) {
    return { kind: 'syntax', why: (error as Error).message.replace(/^error parsing regexp: /, '') }
  }
  const steps = compiled.programSize()
  if (steps > MAX_PATTERN_STEPS) return { kind: 'too_large', steps }
  return { source, place, matches: (text) => compiled.testExact(text) }
}

/**
 * True for `^develop|release/.*$`: elsewhere its anchors would bind to one alternative only and `developer-evil` would match.
 * Here every pattern matches in full, so it is safe, but it does not say what it looks like.
 */
export function anchorsOneAlternative(source: string): boolean {
  const alternatives = topLevelAlternatives(source)
  return alternatives.length > 1 && alternatives.some((part) => part.startsWith('^') || part.endsWith('$'))
}

/** Without what backslashes stand before: that is neither an anchor nor a bracket. */
function topLevelAlternatives(source: string): string[] {
  const parts: string[] = []
  let part = ''
  let depth = 0
  let inClass = false
  for (let at = 0; at < source.length; at++) {
    const sign = source[at]!
    if (sign === '\\') {
      part += sign
      at++
      continue
    }
    if (inClass) inClass = sign !== ']'
    else if (sign === '[') inClass = true
    else if (sign === '(') depth++
    else if (sign === ')') depth--
    else if (sign === '|' && depth === 0) {
      parts.push(part)
      part = ''
      continue
    }
    part += sign
  }
  return [...parts, part]
}
