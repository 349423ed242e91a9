import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellCode, code, fenced, link, plainText, text } from '../../controller/notify/escape.ts'
import { HOSTILE } from './hostile.ts'

const anything = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.stringMatching(/^[`|\\ a]{0,12}$/),
)

describe('escaping for each sink', () => {
  it('gives what stands in the golden file', async () => {
    const pages = HOSTILE.map((value) =>
      [
        `VALUE ${visible(value)}`,
        `PLAIN ${plainText(value)}`,
        `TEXT  ${text(value)}`,
        `CODE  ${code(value)}`,
        `CELL  ${cellCode(value)}`,
        `FENCE ${JSON.stringify(fenced('sh', [value]))}`,
        `LINK  ${link('label', value)}`,
      ].join('\n'),
    )
    await expect(`${pages.join('\n\n')}\n`).toMatchFileSnapshot('../golden/notify/escape.md')
  })

  it('keeps ordinary words as they are', () => {
    for (const word of ['v1.4.2', 'Mon 23 Nov 09:00 Europe/Rome (08:00 UTC)', '1 of 2 approvals, 3-4 days', 'caffè – 東京']) {
      expect(text(word)).toBe(word)
      expect(code(word)).toBe(`\`${word}\``)
    }
  })

  it('makes code spans that a CommonMark reader ends where they end', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const span = code(value)
        const fence = /^`*/.exec(span)![0]
        if (fence === '') {
          expect([span, plainText(value)]).toEqual(['(empty)', ''])
          return
        }
        const inside = span.slice(fence.length, -fence.length)
        expect(span.endsWith(fence)).toBe(true)
        expect((inside.match(/`+/g) ?? []).map((run) => run.length)).not.toContain(fence.length)
        expect(inside.startsWith('`') || inside.endsWith('`')).toBe(false)
        // One space on either side is taken off by the reader.
        const shown = /^ .* $/.test(inside) ? inside.slice(1, -1) : inside
        expect(shown).toBe(plainText(value))
      }),
    )
  })

  it('leaves no bare pipe in a cell, no line break and nothing unseen anywhere', () => {
    fc.assert(
      fc.property(anything, (value) => {
        for (const cell of [text(value), cellCode(value)]) expect(cell).not.toContain('|')
        for (const shown of [plainText(value), text(value), code(value), cellCode(value)])
          expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
      }),
    )
  })

  it('escapes text so that a reader who undoes it finds the same words', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const read = text(value)
          .replaceAll('&#8203;', '')
          .replace(/\\([\\`*_[\]~.)#+=-])/g, '$1')
          .replace(/&#124;/g, '|')
          .replace(/&lt;/g, '<')
          .replace(/&gt;/g, '>')
          .replace(/&amp;/g, '&')
        expect(read).toBe(plainText(value))
      }),
    )
  })

  it('cuts what nobody would read to the end, never inside a character', () => {
    const cut = text('🚀'.repeat(1_000))
    expect(cut).toMatch(/^(?:🚀)+…$/u)
    expect(cut.length).toBeLessThan(520)
  })
})

describe('a link', () => {
  it.each([
    ['https://forge.example/a b(c)', '[run](https://forge.example/a%20b%28c%29)'],
    ['http://127.0.0.1:8080/x', '[run](http://127.0.0.1:8080/x)'],
    ['http://forge.example/x', 'run'],
    ['http://127.0.0.1.evil.example/', 'run'],
    ['javascript:alert(1)', 'run'],
    ['data:text/html,x', 'run'],
    ['https://user:secret@forge.example/', 'run'],
    ['https://forge.example/`|`', '[run](https://forge.example/%60%7C%60)'],
    ['//forge.example', 'run'],
    ['', 'run'],
    [null, 'run'],
  ])('to %s is %s', (address, markdown) => {
    expect(link('run', address)).toBe(markdown)
  })
})

/** As JSON in ASCII, so that the golden file itself hides nothing. */
function visible(value: string): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
