import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { openGit } from '../../controller/source/git.ts'
import { isSafeBranchName, privateRef } from '../../controller/source/ref-names.ts'
import { assert, type Campaign } from './campaign.ts'

const ENV = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
const ID = '1'.repeat(40)

/** Names that end like each other, begin like each other, or look like ids and full names. */
const PLANTED = [
  'refs/heads/main',
  'refs/heads/evil/main',
  'refs/heads/refs/heads/main',
  'refs/heads/refs/tags/v1.0.0',
  'refs/heads/v1.0.0',
  'refs/tags/v1.0.0',
  'refs/tags/main',
  'refs/tags/refs/heads/main',
  `refs/heads/${ID}`,
  'refs/heads/1111111',
  'refs/heads/a-b',
  'refs/heads/a.b/c',
  'refs/heads/HEAD',
  'refs/remotes/origin/main',
]

const piece = fc.constantFrom(
  ...'abv1._-+/@{}~^:?*[\\ $();`|&<>\'"\t\n\x00\x7f\u202e'.split(''),
  'refs/heads/',
  'refs/tags/',
  'main',
  'v1.0.0',
  '.lock',
  '..',
  '@{',
  '//',
  '--upload-pack=x',
  ID,
)
const name = fc.oneof(
  fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
  fc.stringMatching(/^[A-Za-z0-9._/+-]{1,40}$/),
  fc.string({ maxLength: 30 }),
)

export const refs: Campaign<{ name: string; planted: string; lookUp: number }> = {
  name: 'refs',
  holds: 'a name that we take is one that Git takes, and a ref is found by its whole name or not at all',
  nightly: 1_000_000,
  input: fc.record({ name, planted: fc.constantFrom(...PLANTED), lookUp: fc.nat(49) }),
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'draven-fuzz-refs-'))
    execFileSync('git', ['init', '-q', '--bare', folder], { env: ENV })
    const commit = execFileSync('git', ['-C', folder, 'hash-object', '-t', 'tree', '-w', '/dev/null'], {
      env: ENV,
      encoding: 'utf8',
    })
    writeFileSync(
      join(folder, 'packed-refs'),
      PLANTED.toSorted()
        .map((ref) => `${commit.trim()} ${ref}\n`)
        .join(''),
    )
    const git = openGit({ gitDir: folder, protocols: [], sshCommand: null, timeoutMs: 10_000, damagedFix: '' })
    return {
      async check({ name, planted, lookUp }) {
        const safe = isSafeBranchName(name)
        if (safe) {
          const { status } = spawnSync('git', ['check-ref-format', `refs/heads/${name}`], { env: ENV })
          assert(status === 0, () => `Git does not take ${JSON.stringify(name)}`)
          const kept = privateRef('heads', name)
          assert(decodeURIComponent(kept.slice('refs/draven/heads/'.length)) === name, () => `${kept} stands for another name`)
        }
        // Processes are slow: only some are looked up, by a planted name, a piece of one, or the name itself.
        const asked = [`refs/heads/${name}`, planted, planted.slice(11), planted.slice(5)][lookUp]
        if (asked === undefined) return
        const found = await git.readRef(asked).catch(() => 'refused')
        assert(
          found === 'refused' || (found !== null) === PLANTED.includes(asked),
          () => `looking up ${JSON.stringify(asked)} gave ${found}`,
        )
        assert(found !== 'refused' || !PLANTED.includes(asked), () => `${asked} was refused`)
      },
      async close() {
        git.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}
