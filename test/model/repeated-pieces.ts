import fc from 'fast-check'

const SIZE = 65_000

/** What means something to YAML, and a little that does not. */
export const yamlSign = fc.constantFrom(
  ...'[]{},:?-&*!|>\'"%@`#~<=\n \t\\ab129.'.split(''),
  ': ',
  '- ',
  '? ',
  '\n  ',
  '---\n',
  '<<: ',
  '"a": ',
  '!!str ',
)
/** What opens something that the pieces behind it then belong to. */
const opening = fc.constantFrom('', 'a: ', 'a:\n  ', 'a: |\n ', 'a: >\n  b\n', 'a: "', "a: '", 'a: [', '{a: ', '- ')

/** A short piece again and again, up to the size limit of a document: where anything costs more than a step a byte, it shows here. */
export const repeatedPieces: fc.Arbitrary<string> = fc
  .tuple(opening, fc.array(yamlSign, { minLength: 1, maxLength: 5 }))
  .map(([before, signs]) => before + signs.join('').repeat(Math.floor(SIZE / signs.join('').length)))
