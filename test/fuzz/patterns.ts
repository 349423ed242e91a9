import fc from 'fast-check'
import { anchorsOneAlternative, compilePattern } from '../../controller/model/patterns.ts'
import { assert, type Campaign, nothingToClose } from './campaign.ts'

const PLACE = { file: 'policies/prod.yaml', line: 1, column: 1, endColumn: 2 }
const MAX_PATTERN = 256
const MAX_NAME = 200

const piece = fc.constantFrom(
  ...'ab.*+?|()[]{}^$\\-,19'.split(''),
  '(a+)+',
  '(a|a)*',
  '(.*a)+',
  '.*',
  'a{9}',
  '{1,1000}',
  '(a*)*',
  '[ab]+',
  '\\w+',
  '\\d+',
  '(?i)',
  '(?:',
  '\\pL',
  '(?=a)',
  'release/',
  'v\\d+\\.\\d+',
)
const pattern = fc.oneof(
  fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('').slice(0, MAX_PATTERN)),
  fc.string({ maxLength: MAX_PATTERN }),
)
const text = fc.oneof(
  fc.nat(MAX_NAME - 1).map((length) => `${'a'.repeat(length)}!`),
  fc.stringMatching(/^[A-Za-z0-9._/+-]{0,60}$/),
)

export const patterns: Campaign<{ pattern: string; text: string }> = {
  name: 'patterns',
  holds: 'a pattern is refused or matches whole names in moments, as the engine of the language would where that is safe',
  nightly: 100_000,
  input: fc.record({ pattern, text }),
  async open() {
    return {
      check({ pattern, text }) {
        anchorsOneAlternative(pattern)
        const compiled = compilePattern(pattern, PLACE)
        if ('kind' in compiled) return
        const matched = compiled.matches(text)
        assert(!compiled.matches(`${text}\n`) || /[\\.^[]|\(\?/.test(pattern), () => 'a line break was overlooked')
        const plain = !/[*+{?\\^$]/.test(pattern) && !/\[/.test(pattern)
        if (plain) assert(matched === new RegExp(`^(?:${pattern})$`).test(text), () => `matched: ${matched}`)
      },
      close: nothingToClose,
    }
  },
}
