import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '../clock.ts'
import { ConfigFault, fileFault, messageOf } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { type Check, fail, ok, warn } from './doctor-check.ts'

const NODE_FLOOR = '20.19.0'
/** Older releases run programs that a cloned repository names (CVE-2024-32002 and its kin). */
const GIT_FLOOR = '2.39.4'

export function checkNode(version: string): Check {
  if (!isOlder(version, NODE_FLOOR)) return ok('node', version)
  return fail('node', `${version} is too old`, `Install Node ${NODE_FLOOR} or newer; 24 is what the image has.`)
}

export async function checkGit(program = 'git'): Promise<Check> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'])
    return judgeGit(stdout)
  } catch (error) {
    return fail('git', `it cannot be started: ${messageOf(error)}`, `Install Git ${GIT_FLOOR} or newer and put it on PATH.`)
  }
}

/** `git version 2.39.5 (Apple Git-154)` and the like. */
export function judgeGit(said: string): Check {
  const version = /\d+\.\d+(?:\.\d+)?/.exec(said)?.[0]
  if (version === undefined) return warn('git', `its version is not told: ${said}`, `Use Git ${GIT_FLOOR} or newer.`)
  if (isOlder(version, GIT_FLOOR)) return fail('git', `${version} is too old`, `Install Git ${GIT_FLOOR} or newer.`)
  return ok('git', version)
}

function isOlder(version: string, floor: string): boolean {
  const [a, b] = [version, floor].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0)) as [
    number[],
    number[],
  ]
  for (let at = 0; at < 3; at++) if ((a[at] ?? 0) !== (b[at] ?? 0)) return (a[at] ?? 0) < (b[at] ?? 0)
  return false
}

/** File systems whose locks or memory maps SQLite cannot trust; numbers from statfs(2) and linux/magic.h. */
const REMOTE_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x47504653, 'GPFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x00c36400, 'Ceph'],
])

/** Writable; and when the database lies there, on a local disk with SQLite's settings: tried on a database of its own. */
export async function* checkDataDirectory(directory: string, database: Settings['database']): AsyncGenerator<Check> {
  const found = existsSync(join(directory, 'draven.db')) ? 'has a database' : 'has no database yet; the first start makes it'
  let scratch: string
  try {
    // Made by `serve` anyway; where it does not exist yet, its nearest folder is tried instead.
    scratch = await mkdtemp(join(nearestFolder(directory), '.draven-doctor-'))
  } catch (error) {
    yield fail(
      'data directory',
      `${directory} cannot be written: ${fileFault(error) ?? messageOf(error)}`,
      'Let the user of the controller write there, or set DRAVEN_DATA_DIR.',
    )
    return
  }
  try {
    if (database.kind !== 'sqlite') {
      yield ok('data directory', `${directory} can be written`)
      return
    }
    const remote = REMOTE_TYPES.get(Number((await statfs(scratch)).type))
    if (remote === undefined) yield ok('data directory', `${directory} can be written and ${found}`)
    else yield fail('data directory', `${directory} lies on ${remote}`, 'SQLite needs a local disk: set DRAVEN_DATA_DIR to one.')
    yield await checkDatabase(join(scratch, 'probe.db'))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function nearestFolder(directory: string): string {
  let folder = directory
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

/** The store's own opening sets WAL and FULL and reads both back; then they are read once more. */
async function checkDatabase(file: string): Promise<Check> {
  const [{ sqliteDriver }, { openSqliteSession }] = await Promise.all([
    import('../store/sqlite-driver.ts'),
    import('../store/sqlite-session.ts'),
  ])
  try {
    const session = openSqliteSession(sqliteDriver(), file)
    try {
      session.exec('CREATE TABLE probe (a); INSERT INTO probe VALUES (1)')
      const read = (pragma: string) => String(session.query(`PRAGMA ${pragma}`, []).rows[0]?.[0])
      const full = read('synchronous') === '2' ? 'FULL' : read('synchronous')
      return ok('database', `SQLite by ${session.driver}: journal ${read('journal_mode').toUpperCase()}, synchronous ${full}`)
    } finally {
      session.close()
    }
  } catch (error) {
    const fix = error instanceof ConfigFault ? error.fix : 'Put the data directory on a local disk.'
    return fail('database', messageOf(error), fix)
  }
}

/** As the controller connects, with the settings it needs; nothing is migrated. */
export async function checkPostgresDatabase(clock: Clock, url: string): Promise<Check> {
  const [{ describePostgres }, { withoutPassword }] = await Promise.all([
    import('../store/postgres-store.ts'),
    import('../store/postgres-connection.ts'),
  ])
  try {
    const { version, missing } = await describePostgres(url, clock)
    const state = missing.length === 0 ? 'its tables are up to date' : `the next start brings it ${missing.join(', ')}`
    return ok('database', `PostgreSQL ${version} at ${withoutPassword(url)}; ${state}`)
  } catch (error) {
    const fix = error instanceof ConfigFault ? error.fix : 'Check DATABASE_URL, and that the server runs.'
    return fail('database', messageOf(error), fix)
  }
}
