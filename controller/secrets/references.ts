import { lstat, readFile, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { ConfigFault } from '../errors.ts'

/** Turns the name of a secret into its value. Documents and settings hold names only, so they can be shown to anybody. */
export interface SecretReader {
  /** One line of text, trimmed. ConfigFault when the secret is absent or unusable; the fault never quotes a value. */
  read(ref: string): Promise<string>
  /** A PEM private key. It has several lines, so it cannot come through `read`; `\n` written as two characters is understood. */
  readPrivateKey(ref: string): Promise<string>
}

/** Environment variables that hold secrets begin so. */
export const SECRET_PREFIX = 'DRAVEN_SECRET_'

export interface SecretReaderOptions {
  env: Readonly<Record<string, string | undefined>>
  /** Only variables that begin so can be read: a document cannot name `HOME` or somebody else's token. */
  envPrefix: typeof SECRET_PREFIX
  /** Folder of `file:` secrets, one file each; null: none can be read. */
  secretsDirectory: string | null
}

const MAX_SECRET_BYTES = 64 * 1024
const ENV_NAME = /^[A-Z][A-Z0-9_]{0,127}$/
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const PRIVATE_KEY = /^-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+\n-----END (?:[A-Z]+ )*PRIVATE KEY-----$/

export function secretReader(options: SecretReaderOptions): SecretReader {
  return {
    async read(ref) {
      const value = (await rawSecret(options, ref)).trim()
      if (value === '') throw new ConfigFault(`The secret ${ref} is empty.`, `Give ${ref} a value.`)
      if (/[\x00-\x1f\x7f]/.test(value)) {
        throw new ConfigFault(
          `The secret ${ref} has a line break or control character in it.`,
          `Store ${ref} as one line of plain text.`,
        )
      }
      return value
    },
    async readPrivateKey(ref) {
      const value = (await rawSecret(options, ref)).replaceAll('\\n', '\n').replaceAll('\r\n', '\n').trim()
      if (!PRIVATE_KEY.test(value)) {
        throw new ConfigFault(
          `The secret ${ref} is not a PEM private key.`,
          `Store the whole .pem file, first and last line included, as ${ref}.`,
        )
      }
      return value
    },
  }
}

async function rawSecret(options: SecretReaderOptions, ref: string): Promise<string> {
  const colon = ref.indexOf(':')
  const name = ref.slice(colon + 1)
  switch (ref.slice(0, Math.max(colon, 0))) {
    case 'env':
      return fromEnvironment(options, name)
    case 'file':
      return fromFile(options.secretsDirectory, name)
    default:
      // The whole text may be a secret that somebody pasted where its name belongs: do not repeat it.
      throw new ConfigFault(
        'A secret reference has neither the form env:NAME nor file:name.',
        'Write env:DRAVEN_SECRET_… or file:…, never the secret itself.',
      )
  }
}

function fromEnvironment(options: SecretReaderOptions, name: string): string {
  if (!ENV_NAME.test(name) || !name.startsWith(options.envPrefix)) {
    throw new ConfigFault(
      `A secret reference names an environment variable outside of ${options.envPrefix}….`,
      `Rename the variable so that it begins with ${options.envPrefix}, in capital letters.`,
    )
  }
  const value = Object.hasOwn(options.env, name) ? options.env[name] : undefined
  if (value === undefined)
    throw new ConfigFault(`The secret env:${name} is not set.`, `Set the environment variable ${name} of the controller.`)
  return value
}

async function fromFile(directory: string | null, name: string): Promise<string> {
  if (!FILE_NAME.test(name)) {
    throw new ConfigFault(
      'A secret reference file:… is not a plain file name.',
      'Name one file of the secrets directory, without any folder.',
    )
  }
  if (directory === null) {
    throw new ConfigFault(
      `The secret file:${name} cannot be read: no secrets directory is configured.`,
      'Configure the secrets directory of the controller.',
    )
  }
  const absent = new ConfigFault(
    `The secret file:${name} is not there or not readable.`,
    `Put a readable file ${name} into the secrets directory.`,
  )
  // Mounted secrets are symbolic links inside their folder, so links are followed, but never out of it.
  const [folder, path] = await Promise.all([realpath(directory), realpath(join(directory, name))]).catch(() => {
    throw absent
  })
  if (!path.startsWith(folder + sep)) {
    throw new ConfigFault(
      `The secret file:${name} leads out of the secrets directory.`,
      `Put the file ${name} itself into the secrets directory.`,
    )
  }
  const about = await lstat(path).catch(() => {
    throw absent
  })
  if (!about.isFile() || about.size > MAX_SECRET_BYTES) {
    throw new ConfigFault(
      `The secret file:${name} is not a regular file of at most 64 KiB.`,
      `Store the secret as a small plain file ${name}.`,
    )
  }
  return readFile(path, 'utf8').catch(() => {
    throw absent
  })
}
