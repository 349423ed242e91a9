import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigFault, RefusedFault } from '../../controller/errors.ts'
import { commitSha } from '../../controller/model/names.ts'
import { temporaryDirectory } from '../git-fixtures.ts'
import { mirrorDirectory, mirrorOf, repository } from './mirror-fixtures.ts'

test('branches that end like the config branch, and come first in the listing, are never chosen', async () => {
  const remote = repository()
  const head = remote.commit({ 'a.yaml': 'a: 1\n' })
  remote.switchTo('evil')
  const evil = remote.commit({ 'a.yaml': 'evil: 1\n' })
  for (const ref of [
    'refs/heads/a/main',
    'refs/heads/a/refs/heads/main',
    'refs/heads/refs/heads/main',
    'refs/a/refs/heads/main',
    'refs/tags/main',
  ]) {
    remote.git('update-ref', ref, evil)
  }
  const mirror = await mirrorOf(remote.url)
  expect(await mirror.fetch()).toBe(head)
  remote.git('update-ref', '-d', 'refs/heads/main')
  await expect(mirror.fetch()).rejects.toThrow(RefusedFault)
})

test('a branch that is itself named like a full ref is fetched by its exact name', async () => {
  const remote = repository()
  remote.commit({ 'a.yaml': 'a: 1\n' })
  remote.switchTo('other')
  const shadow = remote.commit({ 'a.yaml': 'a: 2\n' })
  remote.git('update-ref', 'refs/heads/refs/heads/main', shadow)
  const mirror = await mirrorOf(remote.url, { branch: 'refs/heads/main' })
  expect(await mirror.fetch()).toBe(shadow)
})

test('a branch cannot stand in for a deleted tag', async () => {
  const remote = repository()
  const head = remote.commit({ 'a.yaml': 'a: 1\n' })
  remote.git('update-ref', 'refs/heads/refs/tags/v2.0.0', head)
  const { history } = await mirrorOf(remote.url)
  expect(await history.fetchPull('refs/tags/v2.0.0', head)).toBe(false)
  remote.tag('v2.0.0', head)
  expect(await history.fetchPull('refs/tags/v2.0.0', head)).toBe(true)
})

const ODD_REF_NAMES = [
  '--upload-pack=touch',
  '-x',
  'refs/heads/--upload-pack=x',
  'refs/heads/x$(id)',
  'refs/heads/a;b',
  'refs/heads/`id`',
  'refs/heads/a b',
  'refs/heads/*',
  'refs/heads/a..b',
  'refs/heads/a:b',
  'refs/heads/-a',
  'refs/heads/a.lock',
  'refs/heads/m\u0430in',
  'main',
  'HEAD',
  '',
]

test('option-looking, shell-looking and malformed ref names never reach Git', async () => {
  const remote = repository()
  const head = remote.commit({ 'a.yaml': 'a: 1\n' })
  const { history } = await mirrorOf(remote.url)
  for (const name of ODD_REF_NAMES) await expect(history.fetchPull(name, head), name).rejects.toThrow(RefusedFault)
})

test.each(['--upload-pack=x', 'a b', '*', 'a..b', 'main^', 'main~1', 'a/', 'x.lock', ''])(
  'the branch name %j is refused at the start',
  async (branch) => {
    await expect(mirrorOf('https://example.com/config.git', { branch })).rejects.toThrow(ConfigFault)
  },
)

test.each([
  'ext::sh -c touch% /tmp/x',
  '--upload-pack=touch',
  '-oProxyCommand=x:y',
  'git://example.com/x.git',
  'http://example.com/x.git',
  'ftp://example.com/x.git',
  '/srv/config.git',
  'file://otherhost/srv/config.git',
  'https://ada:secret@example.com/x.git',
  'https://token@example.com/x.git',
  'ssh://-oProxyCommand=x/y',
  'git@example.com:-x',
  'git@-oProxyCommand=x:y',
  'https://example.com/x\n.git',
  '',
])('the address %j is refused at the start', async (url) => {
  const refusal = mirrorOf(url)
  await expect(refusal).rejects.toThrow(ConfigFault)
  await expect(refusal).rejects.not.toThrow(/secret/)
})

test('files and plain http are refused unless they are allowed', async () => {
  await expect(mirrorOf('file:///srv/config.git', { allowFileProtocol: false })).rejects.toThrow(ConfigFault)
  await expect(mirrorOf('http://127.0.0.1:1/config.git', { allowHttp: false })).rejects.toThrow(ConfigFault)
})

test('symlinks and submodules are listed with their modes, and are no blobs to read', async () => {
  const remote = repository()
  const commit = commitSha('1'.repeat(40))
  await remote.fastImport(
    [
      'commit refs/heads/main',
      'committer A <a@example.com> 1764000000 +0000',
      'data 1\nx',
      'M 120000 inline link.yaml\ndata 11\n/etc/passwd',
      `M 160000 ${commit} vendored`,
      'M 100755 inline run.sh\ndata 2\nx\n',
      'M 100644 inline .gitattributes\ndata 21\n* filter=evil ident\n',
      '',
    ].join('\n'),
  )
  const mirror = await mirrorOf(remote.url)
  const head = await mirror.fetch()
  const { entries } = await mirror.snapshot(head)
  expect(entries.map(({ path, mode, size }) => [path, mode, size])).toEqual([
    ['.gitattributes', '100644', 21],
    ['link.yaml', '120000', 11],
    ['run.sh', '100755', 2],
    ['vendored', '160000', null],
  ])
  expect(await mirror.history.blobAt(head, 'link.yaml')).toBeNull()
  expect(await mirror.history.blobAt(head, 'vendored')).toBeNull()
  expect(await mirror.history.blobAt(head, 'run.sh')).not.toBeNull()
})

test('hooks, filters and attributes of a repository start nothing', async () => {
  const remote = repository()
  const { path: outside, remove } = temporaryDirectory()
  const canary = join(outside, 'canary')
  const script = join(outside, 'script.sh')
  writeFileSync(script, `#!/bin/sh\ntouch ${canary}\n`)
  chmodSync(script, 0o755)
  const text = '* filter=evil diff=evil merge=evil text eol=crlf\n'
  const head = remote.commit({ '.gitattributes': text, 'a.yaml': 'a: $Id$\n', hooks: 'no folder' })
  const directory = mirrorDirectory()
  const first = await mirrorOf(remote.url, { directory })
  await first.fetch()
  // As if an attacker could write our mirror's config: the strictest test of what our own settings override.
  const config = [
    `[core]\n\thooksPath = ${outside}\n\tfsmonitor = ${script}\n\tsshCommand = ${script}\n\tpager = ${script}\n\taskPass = ${script}`,
    `[filter "evil"]\n\tsmudge = ${script}\n\tclean = ${script}\n\tprocess = ${script}`,
    `[diff "evil"]\n\ttextconv = ${script}\n\tcommand = ${script}`,
    `[gpg]\n\tprogram = ${script}\n[log]\n\tshowSignature = true\n[credential]\n\thelper = ${script}\n`,
    `[core]\n\tattributesFile = ${outside}/attributes`,
  ]
  writeFileSync(join(directory, 'config'), `[core]\n\tbare = true\n\trepositoryformatversion = 0\n${config.join('\n')}\n`)
  mkdirSync(join(directory, 'hooks'))
  for (const hook of ['post-checkout', 'reference-transaction', 'post-merge', 'pre-auto-gc', 'proc-receive']) {
    symlinkSync(script, join(outside, hook))
    symlinkSync(script, join(directory, 'hooks', hook))
  }
  const later = remote.commit({ 'a.yaml': 'a: 2\n' })
  const mirror = await mirrorOf(remote.url, { directory })
  expect(await mirror.fetch()).toBe(later)
  const { entries } = await mirror.snapshot(head)
  const blobs = await mirror.readBlobs(entries.map((entry) => entry.id))
  expect(Buffer.from(blobs.get(entries[1]!.id)!).toString()).toBe('a: $Id$\n')
  expect(await mirror.history.lastAuthorEmail(later, 'a.yaml')).toBe('ada@example.com')
  expect(existsSync(canary)).toBe(false)
  remove()
})

test('paths with newlines, tabs, quotes and other alphabets survive', async () => {
  const remote = repository()
  const paths = [
    'a\nb.yaml',
    'a\tb.yaml',
    '"q".yaml',
    'caf\u00e9.yaml',
    'cafe\u0301.yaml',
    '\u65e5\u672c/\u{1f680}.yaml',
    ' lead',
    'trail ',
  ]
  const head = remote.commit(Object.fromEntries(paths.map((path) => [path, `${path.length}\n`])))
  const mirror = await mirrorOf(remote.url)
  await mirror.fetch()
  const { entries } = await mirror.snapshot(head)
  expect(entries.map((entry) => entry.path).sort()).toEqual([...paths].sort())
  for (const path of paths) expect(await mirror.history.blobAt(head, path), path).not.toBeNull()
})

function* hundredThousandFiles(): Generator<string> {
  yield 'blob\nmark :1\ndata 2\nx\n\ncommit refs/heads/main\ncommitter A <a@example.com> 1764000000 +0000\ndata 1\nx\n'
  for (let folder = 0; folder < 100; folder++) {
    yield Array.from({ length: 1_000 }, (_, file) => `M 100644 :1 requests/p${folder}/prod/2026-11-21-${file}.yaml\n`).join('')
  }
}

test('a tree of 100,000 files is listed whole', async () => {
  const remote = repository()
  await remote.fastImport(hundredThousandFiles())
  const mirror = await mirrorOf(remote.url)
  const { entries } = await mirror.snapshot(await mirror.fetch())
  expect(entries).toHaveLength(100_000)
  expect(entries[0]).toMatchObject({ path: 'requests/p0/prod/2026-11-21-0.yaml', mode: '100644', size: 2 })
})

/** 200 MiB and not 1 GiB: Git must hash and pack it three times here, which takes a busy machine over 10 s for the larger one. */
const HUGE_BYTES = 200 * 1024 * 1024

function* hugeFile(): Generator<string | Uint8Array> {
  yield `commit refs/heads/main\ncommitter A <a@example.com> 1764000000 +0000\ndata 1\nx\nM 100644 inline huge.yaml\ndata ${HUGE_BYTES}\n`
  const zeros = new Uint8Array(1024 * 1024)
  for (let sent = 0; sent < HUGE_BYTES; sent += zeros.length) yield zeros
  yield '\n'
}

test('a huge blob is listed with its size and never read', async () => {
  const remote = repository()
  await remote.fastImport(hugeFile())
  const mirror = await mirrorOf(remote.url)
  const { entries } = await mirror.snapshot(await mirror.fetch())
  expect(entries).toMatchObject([{ path: 'huge.yaml', size: HUGE_BYTES }])
  const before = process.memoryUsage().rss
  await expect(mirror.readBlobs([entries[0]!.id])).rejects.toThrow(RefusedFault)
  expect(process.memoryUsage().rss - before).toBeLessThan(HUGE_BYTES / 2)
})
