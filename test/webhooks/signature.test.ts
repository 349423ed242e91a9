import { createHmac } from 'node:crypto'
import { Webhooks } from '@octokit/webhooks'
import { describe, expect, it } from 'vitest'
import { isSignedByGitHub } from '../../controller/webhooks/signature.ts'
import { deliver, intake, PULL_REQUEST, SECRETS, signature } from './intake.ts'

const right = signature(PULL_REQUEST, SECRETS.forge[0]!)
const sha1 = `sha1=${createHmac('sha1', SECRETS.forge[0]!).update(PULL_REQUEST).digest('hex')}`

/** Forms that are not quite the documented one; whose secret it is, is in `signatures.test.ts`. */
const FORMS: readonly [string, string][] = [
  ['the prefix alone, as Gitea sends without a secret', 'sha256='],
  ['the digest of the empty secret', signature(PULL_REQUEST, '')],
  ['SHA-1 only', sha1],
  ['upper-case digits, which GitHub does not send', `sha256=${right.slice(7).toUpperCase()}`],
  ['an upper-case prefix', right.replace('sha256', 'SHA256')],
  ['a digest without prefix', right.slice(7)],
  ['a digest that lacks one digit', right.slice(0, -1)],
  ['a digest with one digit more', `${right}0`],
  ['two signatures in one header', `${right}, ${right}`],
  ['letters that are no digits', `sha256=${'g'.repeat(64)}`],
]

describe('the signature of a delivery', () => {
  it.each(FORMS)('made with %s (%s) is refused', async (_name, header) => {
    const { app, inbox } = intake()
    const response = await deliver(app, PULL_REQUEST, { 'x-hub-signature-256': header })
    expect(response.status).toBe(401)
    expect(inbox.rows).toHaveLength(0)
  })

  it('is checked before the body is parsed, so that a stranger learns nothing from bad JSON', async () => {
    const { app } = intake()
    expect((await deliver(app, '{', { 'x-hub-signature-256': null })).status).toBe(401)
  })

  it('agrees with the signer of another house', async () => {
    const header = await new Webhooks({ secret: 's3cret' }).sign(PULL_REQUEST)
    expect(isSignedByGitHub(Buffer.from(PULL_REQUEST), header, ['s3cret'])).toBe(true)
  })

  it('never matches an empty secret, which everybody knows', () => {
    const body = Buffer.from(PULL_REQUEST)
    expect(isSignedByGitHub(body, signature(body, ''), ['', 'current'])).toBe(false)
    expect(isSignedByGitHub(body, right, [])).toBe(false)
  })

  it('covers the raw bytes, also those that are no text', () => {
    const bytes = Uint8Array.from([0xff, 0xfe, 0x00, 0x80])
    const decoded = new TextDecoder().decode(bytes)
    expect(isSignedByGitHub(bytes, signature(bytes, 's'), ['s'])).toBe(true)
    expect(isSignedByGitHub(bytes, signature(decoded, 's'), ['s'])).toBe(false)
  })
})
