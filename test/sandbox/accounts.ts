import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import type { Instant } from '../../controller/clock.ts'
import { type Account, type App, stableId, type Token, type TokenScope, type World } from './world.ts'

export interface NewAccount {
  type?: Account['type']
  id?: number
  name?: string
  email?: string
}

/** Adds an account; the same login again gives the one that is there. */
export function addAccount(world: World, login: string, options: NewAccount = {}): Account {
  const known = world.accounts.get(login.toLowerCase())
  if (known && !known.deleted) return known
  const account: Account = {
    id: options.id ?? stableId(`account ${login}`),
    login,
    type: options.type ?? (login.endsWith('[bot]') ? 'Bot' : 'User'),
    name: options.name ?? login,
    email: options.email ?? `${login.replace(/[^a-z0-9.-]/gi, '-')}@example.test`,
    suspended: false,
    deleted: false,
  }
  world.accounts.set(login.toLowerCase(), account)
  return account
}

/** Adds an app that is installed everywhere, with its bot account `<slug>[bot]`. */
export function addApp(world: World, slug: string, id = stableId(`app ${slug}`)): App {
  const known = world.apps.get(slug)
  if (known) return known
  const bot = addAccount(world, `${slug}[bot]`, { type: 'Bot' })
  const app: App = { id, slug, installationId: stableId(`installation ${slug}`), bot, createdAt: world.clock.now(), keys: null }
  world.apps.set(slug, app)
  return app
}

/** The key pair with which an app signs its own JWTs. */
export function keysOf(app: App): NonNullable<App['keys']> {
  if (app.keys) return app.keys
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  app.keys = { privateKey: pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), publicKey: pair.publicKey }
  return app.keys
}

export interface TokenOptions {
  scopes?: readonly TokenScope[]
  app?: App
  expiresAt?: Instant
}

/** Makes a token. Texts are derived from a count, so that they are the same in every run. */
export function grantToken(world: World, account: Account, options: TokenOptions = {}): Token {
  const random = createHash('sha256').update(`token ${world.tokens.size} ${account.login}`).digest('hex').slice(0, 36)
  const token: Token = {
    text: `${options.app ? 'ghs' : 'ghp'}_${random}`,
    account,
    app: options.app ?? null,
    scopes: options.scopes ?? ['read', 'write'],
    expiresAt: options.expiresAt ?? null,
    used: 0,
    hour: 0,
  }
  world.tokens.set(token.text, token)
  return token
}

/** The token with this text while it is good: known, not expired, its account neither suspended nor deleted. */
export function validToken(world: World, text: string): Token | null {
  const token = world.tokens.get(text)
  if (!token || token.account.suspended || token.account.deleted) return null
  return token.expiresAt !== null && token.expiresAt <= world.clock.now() ? null : token
}

/** The app that signed this JWT (RS256, not expired); null when none did. */
export function appOfJwt(world: World, jwt: string): App | null {
  const [head = '', payload = '', signature = ''] = jwt.split('.')
  const claims = parseJson(payload)
  if (parseJson(head)?.['alg'] !== 'RS256' || !claims || Number(claims['exp']) * 1000 <= world.clock.now()) return null
  const app = [...world.apps.values()].find((each) => String(each.id) === String(claims['iss']))
  const good =
    app?.keys && verify('sha256', Buffer.from(`${head}.${payload}`), app.keys.publicKey, Buffer.from(signature, 'base64url'))
  return app && good ? app : null
}

function parseJson(base64url: string): Record<string, unknown> | null {
  try {
    return JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8')) as Record<string, unknown>
  } catch {
    return null
  }
}
