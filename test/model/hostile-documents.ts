/** A request that is right, to be spoilt. */
export const GOOD_REQUEST =
  'apiVersion: draven/v1\nkind: DeployRequest\ntype: deploy\nref: { tag: v1.4.2 }\nreason: November release\n'

const HEAD = 'apiVersion: draven/v1\nkind: DeployRequest\ntype: deploy\n'
const withRef = (ref: string) => `${HEAD}ref: { ${ref} }\nreason: x\n`
const withReason = (reason: string) => `${HEAD}ref: { tag: v1 }\nreason: ${reason}\n`
const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)))
const fill = (unit: string, size = 65_000) => unit.repeat(Math.floor(size / unit.length))
const stairs = (levels: number, step: (level: number) => string) =>
  Array.from({ length: levels }, (_, level) => step(level)).join('\n')

export interface HostileDocument {
  name: string
  content: string | Uint8Array
  /** The code that must be among the findings. */
  code: string
}

/** Everything that may lie at a request's path and must not be believed. */
export const HOSTILE_DOCUMENTS: readonly HostileDocument[] = [
  // depth
  { name: 'a thousand opening brackets', content: `a: ${'['.repeat(1000)}`, code: 'DRV1105' },
  { name: 'brackets to the size limit', content: fill('['), code: 'DRV1105' },
  { name: 'balanced brackets', content: `a: ${'['.repeat(800)}${']'.repeat(800)}`, code: 'DRV1105' },
  { name: 'braces to the size limit', content: fill('{a: '), code: 'DRV1105' },
  { name: 'brackets behind a quoted text', content: `a: "]]]]"\nb: ${'['.repeat(900)}`, code: 'DRV1105' },
  { name: 'brackets behind an unclosed quote inside plain text', content: `a: it's\nb: ${'['.repeat(900)}`, code: 'DRV1105' },
  { name: 'brackets with comments between', content: fill('[ # [\n'), code: 'DRV1105' },
  { name: 'a run of dashes', content: fill('- '), code: 'DRV1105' },
  { name: 'dashes behind a colon', content: fill(': - '), code: 'DRV1106' },
  { name: 'dashes behind a bracket that is never closed', content: `a: [\n${fill('- ', 60_000)}`, code: 'DRV1115' },
  { name: 'a staircase of keys', content: stairs(300, (level) => `${' '.repeat(level)}a:`), code: 'DRV1105' },
  { name: 'a staircase of lists as keys', content: stairs(300, (level) => `${' '.repeat(level)}[a]:`), code: 'DRV1105' },
  { name: 'a staircase of quoted keys', content: stairs(300, (level) => `${' '.repeat(level)}"a":`), code: 'DRV1105' },
  { name: 'a staircase of dashes', content: stairs(300, (level) => `${' '.repeat(level)}-`), code: 'DRV1105' },
  {
    name: 'dashes behind empty texts, thirty on a line',
    content: stairs(40, (level) => `${' '.repeat(60 * level)}${'- '.repeat(31)}|`),
    code: 'DRV1105',
  },
  {
    name: 'a staircase whose colons stand below each other',
    content: stairs(150, (level) => `${' '.repeat(level)}'${'a'.repeat(150 - level)}':`),
    code: 'DRV1105',
  },
  { name: 'two colons on each line', content: 'a: b:\n'.repeat(400), code: 'DRV1105' },
  { name: 'quoted keys over two lines', content: '"a\n ": '.repeat(400), code: 'DRV1105' },
  { name: 'colons behind a brace', content: `{${'a: '.repeat(900)}`, code: 'DRV1105' },
  // amount
  { name: 'question marks five hundred times', content: '? '.repeat(500), code: 'DRV1112' },
  { name: 'question marks to the size limit', content: fill('? '), code: 'DRV1112' },
  { name: 'eight thousand keys', content: stairs(8_000, (level) => `k${level}:`), code: 'DRV1106' },
  { name: 'twenty thousand keys', content: stairs(20_000, (level) => `k${level}: 1`), code: 'DRV1007' },
  { name: 'two thousand keys in braces', content: `a: {${stairs(2_000, (level) => ` k${level},`)} }`, code: 'DRV1106' },
  { name: 'commas to the size limit', content: `a: [${fill(',')}]`, code: 'DRV1106' },
  { name: 'a list of sixteen thousand', content: fill('- a\n'), code: 'DRV1106' },
  { name: 'quoted texts side by side', content: `a: ${fill('"x" ')}`, code: 'DRV1106' },
  { name: 'empty keys', content: fill(': '), code: 'DRV1105' },
  { name: 'colons on one line', content: 'a: '.repeat(900), code: 'DRV1105' },
  { name: 'the same key nine hundred times', content: 'a: 1\n'.repeat(900), code: 'DRV1114' },
  { name: 'blank lines to the size limit', content: fill('\n'), code: 'DRV1106' },
  { name: 'comments to the size limit', content: fill('# x\n'), code: 'DRV1106' },
  { name: 'an unclosed quote over many lines', content: `a: "${fill('\n')}`, code: 'DRV1115' },
  { name: 'a folded text of blank lines', content: `${HEAD}reason: >\n${fill('\n', 60_000)}`, code: 'DRV1106' },
  { name: 'a folded text whose header has a bracket', content: fill('>[1\n'), code: 'DRV1115' },
  {
    name: 'a text whose lines are less indented than its header says',
    content: `${HEAD}reason: |9\n${fill(' a\n', 60_000)}`,
    code: 'DRV1106',
  },
  { name: 'escapes that are none to the size limit', content: `a: "${fill('.\\')}`, code: 'DRV1115' },
  { name: 'a folded text of tabs', content: `a: >\n  b\n${fill('\t\n')}`, code: 'DRV1115' },
  { name: 'one reason of sixty thousand letters', content: withReason(fill('a', 60_000)), code: 'DRV1210' },
  { name: 'one unknown key of sixty thousand letters', content: `"${fill('k', 60_000)}": 1\n${GOOD_REQUEST}`, code: 'DRV1115' },
  { name: 'more than 64 KiB', content: Buffer.alloc(65_537, 0x20), code: 'DRV1007' },
  // YAML that says more than it shows
  { name: 'an anchor', content: withRef('tag: &t v1'), code: 'DRV1107' },
  { name: 'an alias', content: withRef('tag: *t'), code: 'DRV1107' },
  { name: 'an alias bomb', content: 'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n', code: 'DRV1107' },
  { name: 'a string tag', content: withRef('tag: !!str 1.10'), code: 'DRV1108' },
  { name: 'a binary tag', content: withReason('!!binary aGVsbG8='), code: 'DRV1108' },
  { name: 'a local tag', content: withReason('!ruby/object:Gem x'), code: 'DRV1108' },
  { name: 'a verbatim tag', content: withReason('!<tag:yaml.org,2002:str> x'), code: 'DRV1108' },
  { name: 'a version directive', content: `%YAML 1.1\n---\n${GOOD_REQUEST}`, code: 'DRV1109' },
  { name: 'a tag directive', content: `%TAG ! tag:example.org,2000:\n---\n${GOOD_REQUEST}`, code: 'DRV1109' },
  { name: 'a merge key', content: `<<: { type: rollback }\n${GOOD_REQUEST}`, code: 'DRV1110' },
  { name: 'a quoted merge key', content: `"<<": { type: rollback }\n${GOOD_REQUEST}`, code: 'DRV1110' },
  { name: 'a second document', content: `${GOOD_REQUEST}---\n${GOOD_REQUEST}`, code: 'DRV1111' },
  { name: 'a document end and more', content: `${GOOD_REQUEST}...\n${GOOD_REQUEST}`, code: 'DRV1111' },
  { name: 'a list as a key', content: `[a, b]: 1\n${GOOD_REQUEST}`, code: 'DRV1112' },
  { name: 'a number as a key', content: `1: x\n${GOOD_REQUEST}`, code: 'DRV1112' },
  { name: 'an empty key', content: `: x\n${GOOD_REQUEST}`, code: 'DRV1112' },
  { name: '__proto__', content: `__proto__: { type: deploy }\n${GOOD_REQUEST}`, code: 'DRV1113' },
  { name: '__proto__ behind an escape', content: `"__pro\\u0074o__": 1\n${GOOD_REQUEST}`, code: 'DRV1113' },
  { name: 'constructor deep inside', content: withRef('constructor: x'), code: 'DRV1113' },
  { name: 'prototype', content: `${GOOD_REQUEST}prototype: 1\n`, code: 'DRV1113' },
  { name: 'a duplicate key', content: `${GOOD_REQUEST}type: rollback\n`, code: 'DRV1114' },
  { name: 'a duplicate key, once quoted', content: `${GOOD_REQUEST}"type": rollback\n`, code: 'DRV1114' },
  // numbers and truths that look like text
  { name: 'a tag 1.10', content: withRef('tag: 1.10'), code: 'DRV1207' },
  { name: 'a tag 7e10', content: withRef('tag: 7e10'), code: 'DRV1207' },
  { name: 'a tag 0123456', content: withRef('tag: 0123456'), code: 'DRV1207' },
  { name: 'a tag 0x1F', content: withRef('tag: 0x1F'), code: 'DRV1207' },
  { name: 'a tag .inf', content: withRef('tag: .inf'), code: 'DRV1207' },
  { name: 'a branch true', content: withRef('branch: true'), code: 'DRV1207' },
  { name: 'a branch null', content: withRef('branch: null'), code: 'DRV1208' },
  { name: 'a commit id of digits only', content: withRef(`sha: ${'1234567890'.repeat(4)}`), code: 'DRV1207' },
  { name: 'a short commit id', content: withRef('sha: 5ebf2a9'), code: 'DRV1210' },
  { name: 'a commit id in upper case', content: withRef(`sha: "${'ABCDEF1234'.repeat(4)}"`), code: 'DRV1210' },
  // refs that mean something else to Git
  { name: 'a ref that is an option', content: withRef('branch: --upload-pack=x'), code: 'DRV1210' },
  { name: 'a full ref name', content: withRef('branch: refs/heads/main'), code: 'DRV1210' },
  { name: 'a range', content: withRef('branch: main..evil'), code: 'DRV1210' },
  { name: 'a reflog expression', content: withRef('branch: "main@{1}"'), code: 'DRV1210' },
  { name: 'a refspec', content: withRef('branch: "+main:evil"'), code: 'DRV1210' },
  { name: 'a ref with a line feed', content: withRef('tag: "v1\\nv2"'), code: 'DRV1210' },
  { name: 'a ref of 201 letters', content: withRef(`tag: ${'a'.repeat(201)}`), code: 'DRV1210' },
  // text that looks like other text
  { name: 'a homoglyph in a ref', content: withRef('branch: m\u0430in'), code: 'DRV1210' },
  { name: 'a zero-width space', content: withRef('branch: ma\u200bin'), code: 'DRV1103' },
  { name: 'a zero-width joiner in a ref', content: withRef('branch: ma\u200din'), code: 'DRV1210' },
  { name: 'right-to-left override', content: withReason('safe \u202e efas'), code: 'DRV1103' },
  { name: 'right-to-left override in a comment', content: `${GOOD_REQUEST}# \u202e evil\n`, code: 'DRV1103' },
  { name: 'right-to-left override as an escape', content: withReason('"safe \\u202e"'), code: 'DRV1103' },
  { name: 'a terminal escape', content: withReason('\u001b[2J'), code: 'DRV1103' },
  { name: 'a terminal escape as an escape', content: withReason('"\\e[2J"'), code: 'DRV1103' },
  { name: 'NUL', content: bytes(GOOD_REQUEST, [0]), code: 'DRV1103' },
  { name: 'NUL as an escape', content: withReason('"a\\0b"'), code: 'DRV1103' },
  { name: 'a lone surrogate as an escape', content: withReason('"\\ud800"'), code: 'DRV1103' },
  { name: 'a carriage return alone', content: `${GOOD_REQUEST}# x\rtype: rollback\n`, code: 'DRV1103' },
  { name: 'a tag character', content: withReason('x\u{e0041}'), code: 'DRV1103' },
  { name: 'a decomposed letter', content: withReason('Novak\u030c'), code: 'DRV1104' },
  { name: 'a decomposed letter as an escape', content: withReason('"Novak\\u030c"'), code: 'DRV1104' },
  { name: 'a byte order mark', content: `\ufeff${GOOD_REQUEST}`, code: 'DRV1102' },
  { name: 'truncated UTF-8', content: bytes(GOOD_REQUEST, '# ', [0xe2, 0x82]), code: 'DRV1101' },
  { name: 'overlong UTF-8', content: bytes(GOOD_REQUEST, '# ', [0xc0, 0xaf]), code: 'DRV1101' },
  { name: 'UTF-16', content: Buffer.from(GOOD_REQUEST, 'utf16le'), code: 'DRV1103' },
  { name: 'a picture', content: bytes([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff]), code: 'DRV1101' },
  // shape
  { name: 'nothing', content: '', code: 'DRV1116' },
  { name: 'only a comment', content: '# later\n', code: 'DRV1116' },
  { name: 'a list', content: '- a\n', code: 'DRV1116' },
  { name: 'JSON text alone', content: '"deploy"', code: 'DRV1116' },
  { name: 'a tab as indentation', content: `${HEAD}ref:\n\ttag: v1\nreason: x\n`, code: 'DRV1115' },
  { name: 'an unclosed bracket', content: withRef('tag: [v1'), code: 'DRV1115' },
  { name: 'a bracket closed by a brace', content: withRef('tag: [v1}'), code: 'DRV1115' },
  { name: 'closing brackets to the size limit', content: fill(']'), code: 'DRV1115' },
  { name: 'another kind', content: 'apiVersion: draven/v1\nkind: Access\npeople: {}\nbindings: []\n', code: 'DRV1204' },
  { name: 'a kind that is a list', content: 'apiVersion: draven/v1\nkind: [DeployRequest]\n', code: 'DRV1202' },
  { name: 'another version', content: GOOD_REQUEST.replace('v1', 'v2'), code: 'DRV1201' },
  { name: 'an unknown key', content: `${GOOD_REQUEST}approved: true\n`, code: 'DRV1206' },
  { name: 'two refs', content: withRef('tag: v1, branch: main'), code: 'DRV1212' },
  { name: 'an empty ref', content: withRef(''), code: 'DRV1212' },
  { name: 'a force of approvals', content: `${GOOD_REQUEST}force: { skip: [approval], reason: x }\n`, code: 'DRV1209' },
]
