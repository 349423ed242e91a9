import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigFault } from '../../controller/errors.ts'
import { secretReader } from '../../controller/secrets/references.ts'

const CANARY = 'canary-5d41402abc4b2a76b9719d91'
const root = mkdtempSync(join(tmpdir(), 'draven-secrets-'))
const directory = join(root, 'secrets')
mkdirSync(directory)
mkdirSync(join(directory, 'folder'))
writeFileSync(join(root, 'outside'), CANARY)
writeFileSync(join(directory, 'token'), `  ${CANARY}\n`)
writeFileSync(join(directory, 'empty'), ' \n')
writeFileSync(join(directory, 'lines'), `${CANARY}\nsecond`)
writeFileSync(join(directory, 'big'), 'x'.repeat(64 * 1024 + 1))
symlinkSync(join(root, 'outside'), join(directory, 'escape'))
symlinkSync('token', join(directory, 'alias'))
symlinkSync('nowhere', join(directory, 'dangling'))

afterAll(() => rmSync(root, { recursive: true }))

const env = {
  DRAVEN_SECRET_TOKEN: ` ${CANARY}\n`,
  DRAVEN_SECRET_EMPTY: '',
  DRAVEN_SECRET_LINES: `${CANARY}\r\nX-Evil: 1`,
  HOME: CANARY,
}
const reader = secretReader({ env, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: directory })

describe('secret references', () => {
  it.each(['env:DRAVEN_SECRET_TOKEN', 'file:token', 'file:alias'])('%s gives the value, trimmed', async (ref) => {
    expect(await reader.read(ref)).toBe(CANARY)
  })

  it.each([
    ['an unset variable', 'env:DRAVEN_SECRET_ABSENT'],
    ['an empty variable', 'env:DRAVEN_SECRET_EMPTY'],
    ['a variable with a line break', 'env:DRAVEN_SECRET_LINES'],
    ['a variable outside of the prefix', 'env:HOME'],
    ['a name from the prototype', 'env:DRAVEN_SECRET_constructor'],
    ['an absent file', 'file:absent'],
    ['an empty file', 'file:empty'],
    ['a file of several lines', 'file:lines'],
    ['a file that is too big', 'file:big'],
    ['a folder', 'file:folder'],
    ['a link out of the folder', 'file:escape'],
    ['a dangling link', 'file:dangling'],
    ['a path upwards', 'file:../outside'],
    ['a path downwards', 'file:folder/x'],
    ['the folder itself', 'file:.'],
    ['nothing', 'file:'],
    ['an unknown form', `vault:${CANARY}`],
    ['a secret in the place of its name', CANARY],
  ])('%s is refused with a fix and without any value', async (_what, ref) => {
    const fault = await reader.read(ref).catch((error: unknown) => error)
    expect(fault).toBeInstanceOf(ConfigFault)
    expect((fault as ConfigFault).fix).not.toBe('')
    expect(`${(fault as ConfigFault).message} ${(fault as ConfigFault).fix}`).not.toContain(CANARY)
  })

  it('reads no file when no directory is configured', async () => {
    const closed = secretReader({ env, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: null })
    await expect(closed.read('file:token')).rejects.toThrow(ConfigFault)
  })

  it('takes a private key with real or written line breaks, and nothing else for one', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 1024,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const keys = secretReader({
      env: {
        DRAVEN_SECRET_REAL: privateKey,
        DRAVEN_SECRET_WRITTEN: privateKey.replaceAll('\n', '\\n'),
        DRAVEN_SECRET_OTHER: CANARY,
      },
      envPrefix: 'DRAVEN_SECRET_',
      secretsDirectory: null,
    })
    expect(await keys.readPrivateKey('env:DRAVEN_SECRET_REAL')).toBe(privateKey.trim())
    expect(await keys.readPrivateKey('env:DRAVEN_SECRET_WRITTEN')).toBe(privateKey.trim())
    await expect(keys.readPrivateKey('env:DRAVEN_SECRET_OTHER')).rejects.toThrow(/not a PEM private key/)
  })
})
