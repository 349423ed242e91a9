import { type Defect, defect, FILE_START, lineStarts, markOf } from './defect.ts'
import { codePointName, deceptiveAt } from './printable.ts'

/** Largest document, in bytes. */
export const MAX_DOCUMENT_BYTES = 64 * 1024

export type SourceText = { text: string; defect: null } | { text: string | null; defect: Defect }

/** Bytes → text that looks like what it is, or why not. Linear in the number of bytes. */
export function decodeText(bytes: Uint8Array): SourceText {
  if (bytes.length > MAX_DOCUMENT_BYTES) return { text: null, defect: tooLarge(bytes.length) }
  const text = decodeUtf8(bytes)
  if (text === null) {
    const words = { message: 'the file is not valid UTF-8 text', help: 'save the file as UTF-8 in your editor' }
    return { text: null, defect: defect('DRV1101', FILE_START, words) }
  }
  return { text, defect: characterDefect(text) }
}

export function tooLarge(size: number): Defect {
  return defect('DRV1007', FILE_START, {
    message: `the file has ${size} bytes; a document has at most ${MAX_DOCUMENT_BYTES}`,
    help: 'documents are a few hundred bytes; move data that is not configuration elsewhere',
  })
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

function characterDefect(text: string): Defect | null {
  if (text.startsWith('\ufeff')) {
    const words = { message: 'the file begins with an invisible byte order mark', help: 'save the file as UTF-8 without BOM' }
    return defect('DRV1102', FILE_START, words)
  }
  // Windows line ends are line ends; a carriage return alone would hide text from a reader.
  const at = deceptiveAt(text.replaceAll('\r\n', ' \n'))
  if (at !== -1) {
    return defect('DRV1103', markOf(lineStarts(text), text, at, at), {
      message: `the invisible character ${codePointName(text, at)} stands here`,
      allowed: 'visible characters only',
      help: 'delete the character; it makes the line look different from what is read',
    })
  }
  return compositionDefect(text)
}

function compositionDefect(text: string): Defect | null {
  const composed = text.normalize('NFC')
  if (composed === text) return null
  let at = 0
  while (text[at] === composed[at]) at++
  return defect('DRV1104', markOf(lineStarts(text), text, at, at), {
    message: 'a letter here is written in decomposed form (letter and accent apart)',
    allowed: 'the composed form (Unicode NFC)',
    help: 'type the letter again, or save the file in NFC form',
  })
}
