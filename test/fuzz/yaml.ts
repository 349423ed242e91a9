import fc from 'fast-check'
import { parseDocument } from '../../controller/model/document.ts'
import { GOOD_REQUEST } from '../model/hostile-documents.ts'
import { repeatedPieces, yamlSign } from '../model/repeated-pieces.ts'
import { assert, type Campaign, nothingToClose } from './campaign.ts'

const piece = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    '[',
    '{',
    '&',
    '*',
    '!',
    '<<',
    '__proto__',
    '\n',
    '- ',
    '? ',
    ': ',
    "'",
    '"',
    '\u202e',
    '\r',
    '\ufeff',
    '%YAML 1.1\n',
  ),
)
const replaced = fc
  .tuple(fc.nat(GOOD_REQUEST.length), fc.nat(8), piece)
  .map(([at, width, text]) => GOOD_REQUEST.slice(0, at) + text + GOOD_REQUEST.slice(at + width))
export const yaml: Campaign<Uint8Array> = {
  name: 'yaml',
  holds: 'whatever the bytes of a document are, it becomes data that says who it is, or findings',
  nightly: 1_000_000,
  input: fc.oneof(
    { weight: 20, arbitrary: fc.uint8Array({ maxLength: 600 }) },
    { weight: 40, arbitrary: fc.array(yamlSign, { maxLength: 200 }).map((signs) => Buffer.from(signs.join(''))) },
    { weight: 40, arbitrary: replaced.map((text) => Buffer.from(text)) },
    { weight: 2, arbitrary: repeatedPieces.map((text) => Buffer.from(text)) },
  ),
  async open() {
    return {
      check(content) {
        const { value, defects } = parseDocument(content, 'DeployRequest')
        assert((value === null) === defects.length > 0, () => 'neither data nor findings, or both')
        assert(value === null || value['kind'] === 'DeployRequest', () => 'a document of another kind was taken')
        assert(
          value === null || (Object.getPrototypeOf(value) === null && Object.isFrozen(value)),
          () => 'data that can be changed',
        )
      },
      close: nothingToClose,
    }
  },
}
