import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redactor } from '../../controller/secrets/redaction.ts'

const SECRET = 'p@ss w/ "quotes" & 100%+é'

describe('redaction', () => {
  it.each([
    ['raw', (s: string) => s],
    ['URL-encoded', (s: string) => encodeURIComponent(s)],
    ['form-encoded', (s: string) => new URLSearchParams({ s }).toString().slice(2)],
    ['inside a line of JSON', (s: string) => JSON.stringify({ s })],
    ['base64', (s: string) => Buffer.from(s).toString('base64')],
    ['base64url', (s: string) => Buffer.from(s).toString('base64url')],
    ['Basic credentials', (s: string) => `Basic ${Buffer.from(`user:${s}`).toString('base64')}`],
  ])('removes a secret that is %s', (_how, spell) => {
    const hide = redactor()
    hide.learn(SECRET)
    const spelt = spell(SECRET)
    const clean = hide.redact(`before ${spelt} after`)
    expect(clean).toMatch(/^before .*\*\*\*.* after$/)
    for (let at = 0; at + 12 <= spelt.length; at++) {
      if (!`{"s":"${'"}'}Basic `.includes(spelt.slice(at, at + 12))) expect(clean).not.toContain(spelt.slice(at, at + 12))
    }
  })

  it('finds any secret behind any user name in base64', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, maxLength: 60 }), fc.string({ maxLength: 10 }), (secret, user) => {
        const hide = redactor()
        hide.learn(secret)
        const spelt = Buffer.from(`${user}:${secret}`).toString('base64')
        expect(hide.redact(`x ${spelt} y`)).toBe('x *** y')
      }),
    )
  })

  it('never lets a learnt secret through, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 4 }), { minLength: 1, maxLength: 5 }),
        fc.string(),
        fc.string(),
        (secrets, a, b) => {
          const hide = redactor()
          for (const secret of secrets) hide.learn(secret)
          const clean = hide.redact(a + secrets.join(b) + a)
          // The mask itself may complete a secret made of stars only.
          for (const secret of secrets) if (!secret.includes('*')) expect(clean).not.toContain(secret)
        },
      ),
    )
  })

  it.each([
    `ghs_${'a1.B-_'.repeat(86)}`,
    `ghp_${'a'.repeat(36)}`,
    `gho_${'b'.repeat(36)}`,
    `ghu_${'c'.repeat(36)}`,
    `ghr_${'d'.repeat(36)}`,
    `github_pat_${'e'.repeat(22)}_${'f'.repeat(59)}`,
    `ATATT3xFfGF0${'g-_'.repeat(50)}=0D1E2012`,
    `ATCTT3xFfGN0${'h-_'.repeat(50)}=39B560F8`,
    `ATBB${'i'.repeat(32)}`,
    `eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjMifQ.${'s'.repeat(43)}`,
  ])('knows the shape of a token that nobody taught it: %.12s…', (token) => {
    expect(redactor().redact(`token ${token}, x`)).toBe('token ***, x')
  })

  it('knows the token of a callback that nobody taught it, also in base64, whatever stands before it', () => {
    const token = `dcb_${'a-_9Z'.repeat(8)}xyz`
    for (const user of ['', 'x', 'xy', 'user:']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const clean = redactor().redact(`a ${Buffer.from(user + token).toString(encoding)} b`)
        expect(clean).toMatch(/^a [A-Za-z0-9]{0,8}\*\*\* b$/)
      }
    }
  })

  it('knows authorization headers and private keys', () => {
    const key = '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----'
    expect(redactor().redact(`authorization: Bearer abcdefghij0123456789 / Basic dXNlcjpwYXNzd29yZDEyMw== / ${key}`)).toBe(
      'authorization: Bearer *** / Basic *** / ***',
    )
  })

  it('leaves ordinary text alone', () => {
    const hide = redactor()
    hide.learn('abc')
    const text = 'abc: job 8f14e45f deployed shop v1.4.2; the bearer of bad news is basic'
    expect(hide.redact(text)).toBe(text)
  })

  it('keeps what was used last when thousands of tokens were minted', () => {
    const hide = redactor()
    hide.learn('the-static-secret')
    for (let n = 0; n < 2_000; n++) {
      hide.learn(`minted-token-${n}`)
      if (n % 100 === 0) hide.learn('the-static-secret')
    }
    expect(hide.redact('the-static-secret minted-token-1999')).toBe('*** ***')
  })
})
