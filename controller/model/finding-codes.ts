/**
 * The closed table of findings. A code never changes its meaning and is never used again for another.
 * 10xx files and paths, 11xx text and YAML, 12xx shape, 13xx references, 14xx patterns and times.
 */
export const FINDING_CODES = {
  DRV1001: {
    title: 'The config repository is too large',
    explanation:
      'At most 20,000 documents and 64 MiB are read, so that nobody can stop the controller by pushing a huge tree. Beyond that nothing is read and nothing may start. Remove request files whose jobs ended long ago: their audit does not need the file.',
  },
  DRV1002: {
    title: 'A path is too long, too deep or not plain ASCII',
    explanation:
      'Paths of documents have at most 200 characters and 8 folders and use ASCII only. Look-alike letters in a path would let one project pass for another.',
  },
  DRV1003: {
    title: 'A document is not a regular file',
    explanation:
      'Symbolic links and submodules are never followed: what is reviewed must be what is read. Commit the content itself as a regular file.',
  },
  DRV1004: {
    title: 'Two paths are the same to some file systems',
    explanation:
      'Paths that differ only in case, in Unicode form or in `.yaml` and `.yml` are one file on many machines, so a reviewer may see one and the controller read the other. None of them is used until only one is left.',
  },
  DRV1005: {
    title: 'A file or folder name is not allowed',
    explanation:
      'Names of projects, environments, policies, freezes and holds are lower-case letters, digits and dashes; request files may also use dots and underscores. The file name is the name of the document.',
  },
  DRV1006: {
    title: 'A YAML file lies where nothing is read',
    explanation:
      'The folders policies/, projects/, freezes/, holds/ and requests/ are reserved. A YAML file in them that is at no known place is probably meant to do something and does not. In freezes/ and holds/ nothing may start until it is mended, because we cannot know what it forbids; the same goes for hold/, freeze/, holds.yaml and the like, where somebody probably meant to stop something.',
  },
  DRV1007: {
    title: 'A file is too large',
    explanation: 'A document has at most 64 KiB. It is refused by its size, before it is read.',
  },
  DRV1008: {
    title: 'A file that must exist is missing',
    explanation:
      'Every config repository has draven.yaml and access.yaml, and every folder in projects/ has a project.yaml. Without draven.yaml no job can be named; without access.yaml nobody holds a role.',
  },
  DRV1101: {
    title: 'The file is not valid UTF-8',
    explanation: 'Documents are UTF-8 text. Save the file as UTF-8 in your editor.',
  },
  DRV1102: {
    title: 'The file begins with a byte order mark',
    explanation: 'The invisible mark U+FEFF at the start is not part of YAML as read here. Save the file as UTF-8 without BOM.',
  },
  DRV1103: {
    title: 'A character that cannot be seen',
    explanation:
      'Control characters, zero-width characters and characters that change the direction of text make a line look different from what is read. They are refused everywhere, also as escapes in quoted text and in comments.',
  },
  DRV1104: {
    title: 'Text is not in Unicode form NFC',
    explanation: 'The same letter can be written in two ways that look alike. Documents use the composed form (NFC).',
  },
  DRV1105: {
    title: 'Nested too deeply',
    explanation: 'Lists and maps may be nested 32 deep. No document needs more; some parsers die of less than a thousand.',
  },
  DRV1106: {
    title: 'Too many keys or values',
    explanation:
      'A document has at most 1,000 keys and 12,000 YAML tokens, so that reading it takes a moment, whatever it holds.',
  },
  DRV1107: {
    title: 'Anchors and aliases are not read',
    explanation:
      'With `&name` and `*name` a change in one line changes another that no reviewer sees. Write the value where it is meant.',
  },
  DRV1108: {
    title: 'YAML tags are not read',
    explanation: 'A tag such as `!!str` changes how a value is read. Quote the value instead; quote text that begins with `!`.',
  },
  DRV1109: {
    title: 'YAML directives are not read',
    explanation:
      'A line such as `%YAML 1.1` changes the meaning of the rest of the file: `no` would become false. Remove the line.',
  },
  DRV1110: {
    title: 'Merge keys are not read',
    explanation: 'The key `<<` copies another map unseen. Write the keys where they are meant.',
  },
  DRV1111: {
    title: 'More than one document in a file',
    explanation: 'One file holds one document. Put what follows `---` into a file of its own.',
  },
  DRV1112: {
    title: 'A key is not plain text',
    explanation:
      'Keys are words. Lists, maps, numbers, true, false and nothing at all cannot be keys; quote a key that is meant as text.',
  },
  DRV1113: {
    title: 'A reserved key',
    explanation: '`__proto__`, `constructor` and `prototype` mean something to JavaScript itself and are refused as keys.',
  },
  DRV1114: { title: 'A key is given twice', explanation: 'Readers disagree about which of two equal keys counts. Keep one.' },
  DRV1115: { title: 'Not valid YAML', explanation: 'The text cannot be read as YAML 1.2. Only this file is affected.' },
  DRV1116: {
    title: 'The file holds no document',
    explanation: 'A document is a map of keys and values that begins with `apiVersion: draven/v1` and `kind`.',
  },
  DRV1201: { title: 'Unknown format version', explanation: 'The first key of a document is `apiVersion: draven/v1`.' },
  DRV1202: {
    title: 'Unknown kind',
    explanation: 'Kinds are ConfigRepository, Access, Policy, Project, Environment, Freeze, Hold and DeployRequest.',
  },
  DRV1204: {
    title: 'The kind does not belong here',
    explanation:
      'Every kind has its own place in the repository, so that code owners can guard it by path. Move the file or change its kind.',
  },
  DRV1205: {
    title: 'A key is missing',
    explanation: 'Nothing is allowed by being left out: keys that decide something must be written.',
  },
  DRV1206: {
    title: 'Unknown key',
    explanation:
      'A key that is not known would be silently without effect, so it is refused. Keys of your own begin with `x-` and stand at the top level.',
  },
  DRV1207: {
    title: 'YAML reads this as something other than text',
    explanation:
      'Unquoted `1.10` is the number 1.1 to YAML, `7e10` is seventy billion and a commit id of digits only is a number. Values are never converted back by guess. Put quotes around the value.',
  },
  DRV1208: {
    title: 'The wrong kind of value',
    explanation: 'The key takes another kind of value, e.g. a list, a number, or true or false.',
  },
  DRV1209: { title: 'Not one of the allowed words', explanation: 'The key takes one of a few words, which are listed.' },
  DRV1210: {
    title: 'The text does not have the allowed form',
    explanation: 'The key takes text of a certain form, which is described beside it.',
  },
  DRV1211: {
    title: 'The number is out of range',
    explanation: 'The key takes whole numbers between two limits, which are given.',
  },
  DRV1212: {
    title: 'The list or map has a wrong number of entries',
    explanation:
      'An empty list never means "all": leave the key out for that. Entries of a list are given once. A ref is exactly one of branch, tag or sha.',
  },
  DRV1213: {
    title: 'The document contradicts its path',
    explanation: 'Names come from the path. They may be repeated in the document, but must then be the same.',
  },
  DRV1301: {
    title: 'An unknown name',
    explanation: 'The name refers to another document or person, and there is none of that name.',
  },
  DRV1302: {
    title: 'One account, two people',
    explanation:
      'People are counted when approvals are. An account or e-mail address that belongs to two people would count for either.',
  },
  DRV1303: {
    title: 'The environment has no pipeline',
    explanation:
      'The key integration.pipelines in project.yaml says for every environment what is started. Without it nothing can be.',
  },
  DRV1304: {
    title: 'CI success is required, but no check is named',
    explanation:
      'The policy asks for successful CI and the project names no check. No checks at all would then be "all checks successful", so the environment is unusable until ci.required_checks names at least one.',
  },
  DRV1305: {
    title: 'Promotion goes in a circle',
    explanation: 'Each environment waits for another of the same circle, so none could ever be first.',
  },
  DRV1306: {
    title: 'Fewer than two admins',
    explanation:
      'Rules change only with the approval of an admin who is not the author. With fewer than two admins nobody can approve.',
  },
  DRV1307: {
    title: 'The environment depends on a document that cannot be used',
    explanation: 'Its project or policy has errors of its own. Requests for it are refused until they are mended.',
  },
  DRV1308: {
    title: 'The request is for an environment that does not exist',
    explanation:
      'Its path names a project or environment that is not in projects/. An open job for it is refused; an ended one is not touched.',
  },
  DRV1309: {
    title: 'The provider has no such pipeline',
    explanation:
      'What names a pipeline differs between providers: a workflow file, a custom pipeline, a job, a path. One that its provider cannot mean would be refused at the first trigger, after everybody approved.',
  },
  DRV1310: {
    title: 'CI success is required where none can be read',
    explanation:
      'The policy asks for successful CI, and the project is where no CI results can be read from. Every request would wait for them in vain, so the environment is unusable until the policy or the project changes.',
  },
  DRV1311: {
    title: 'A run there cannot be stopped',
    explanation:
      'The provider offers no way to stop a run from outside. A run over `max_run_minutes`, or of a withdrawn request, keeps the lock of its environment until it ends by itself or somebody stops it there.',
  },
  DRV1312: {
    title: 'Fewer people may approve than the policy needs',
    explanation:
      'Approvals are counted per person with the role approver or admin there, and never those of the requester or of the authors. With fewer such people than `approvals_required` no request can ever be approved.',
  },
  DRV1401: {
    title: 'The pattern is not understood',
    explanation: 'Patterns are RE2 expressions: linear in time, hence without look-around and back-references.',
  },
  DRV1402: {
    title: 'An anchor beside an alternative',
    explanation:
      'In `^develop|release/.*$` the anchors belong to one alternative each. Patterns always match the whole name here, so this one is safe; other tools would read it differently, so leave the anchors out.',
  },
  DRV1403: {
    title: 'The pattern is too large',
    explanation: 'Counted repetitions make a pattern grow. It may compile to at most 1,000 steps.',
  },
  DRV1404: {
    title: 'Unknown time zone',
    explanation: 'Time zones are IANA names such as Europe/Rome, or UTC. Abbreviations and fixed offsets ignore summer time.',
  },
  DRV1405: {
    title: 'A local time that does not exist, or exists twice',
    explanation: 'When clocks change, an hour is skipped in spring and repeated in autumn. Choose a time outside of that hour.',
  },
  DRV1406: {
    title: 'The end is not after the beginning',
    explanation: 'A freeze that ends before it begins forbids nothing, which cannot be meant.',
  },
} as const satisfies Record<`DRV${number}`, { title: string; explanation: string }>

export type FindingCode = keyof typeof FINDING_CODES

export function isFindingCode(text: string): text is FindingCode {
  return Object.hasOwn(FINDING_CODES, text)
}
