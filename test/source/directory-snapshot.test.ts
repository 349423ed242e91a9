import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigFault } from '../../controller/errors.ts'
import { blobId } from '../../controller/model/names.ts'
import { directorySnapshot } from '../../controller/source/directory-snapshot.ts'
import { temporaryDirectory } from '../git-fixtures.ts'
import { mirrorOf, repository } from './mirror-fixtures.ts'

function folder(): string {
  const { path, remove } = temporaryDirectory()
  onTestFinished(() => remove())
  return path
}

test('a directory looks exactly like the commit that would be made of it', async () => {
  const fixture = repository()
  writeFileSync(join(fixture.directory, 'run.sh'), '#!/bin/sh\n')
  chmodSync(join(fixture.directory, 'run.sh'), 0o755)
  symlinkSync('/etc/passwd', join(fixture.directory, 'link.yaml'))
  symlinkSync('..', join(fixture.directory, 'loop'))
  const head = fixture.commit({
    'b/z.yaml': 'z: 1\n',
    'b.yaml': 'b: 1\n',
    'b-c.yaml': '',
    'caf\u00e9.yaml': '\u00e9\n',
    '\u{1f680}.yaml': 'r\n',
  })
  const mirror = await mirrorOf(fixture.url)
  await mirror.fetch()
  const { snapshot, readBlobs } = await directorySnapshot(fixture.directory)
  expect(snapshot.entries).toEqual((await mirror.snapshot(head)).entries)
  const files = snapshot.entries.filter((entry) => entry.mode !== '120000').map((entry) => entry.id)
  expect(await readBlobs(files)).toEqual(await mirror.readBlobs(files))
})

test('the commit id is stable, and changes with any file', async () => {
  const directory = folder()
  writeFileSync(join(directory, 'a.yaml'), 'a: 1\n')
  const first = await directorySnapshot(directory)
  expect((await directorySnapshot(directory)).snapshot.commit).toBe(first.snapshot.commit)
  writeFileSync(join(directory, 'a.yaml'), 'a: 2\n')
  expect((await directorySnapshot(directory)).snapshot.commit).not.toBe(first.snapshot.commit)
})

test('.git and node_modules are skipped wherever they are, and links are not followed', async () => {
  const directory = folder()
  const outside = folder()
  writeFileSync(join(outside, 'secret.yaml'), 'secret: 1\n')
  for (const path of ['.git', 'node_modules/x', 'a/node_modules', 'a/.git']) {
    mkdirSync(join(directory, path), { recursive: true })
    writeFileSync(join(directory, path, 'x.yaml'), 'x: 1\n')
  }
  symlinkSync(outside, join(directory, 'outside'))
  writeFileSync(join(directory, 'a/kept.yaml'), 'a: 1\n')
  const { snapshot } = await directorySnapshot(directory)
  expect(snapshot.entries.map(({ path, mode }) => [path, mode])).toEqual([
    ['a/kept.yaml', '100644'],
    ['outside', '120000'],
  ])
})

test('a file over 64 KiB is listed with its size and never read', async () => {
  const directory = folder()
  writeFileSync(join(directory, 'big.yaml'), 'x'.repeat(64 * 1024 + 1))
  writeFileSync(join(directory, 'edge.yaml'), 'x'.repeat(64 * 1024))
  const { snapshot, readBlobs } = await directorySnapshot(directory)
  const [big, edge] = snapshot.entries
  expect(big).toMatchObject({ path: 'big.yaml', size: 64 * 1024 + 1 })
  await expect(readBlobs([big!.id])).rejects.toThrow(ConfigFault)
  expect((await readBlobs([edge!.id])).get(edge!.id)).toHaveLength(64 * 1024)
})

test('a file that changes, or becomes a link, before it is read is not taken for what was listed', async () => {
  const directory = folder()
  const outside = folder()
  writeFileSync(join(directory, 'a.yaml'), 'a: 1\n')
  const { snapshot, readBlobs } = await directorySnapshot(directory)
  writeFileSync(join(directory, 'a.yaml'), 'a: 2\n')
  await expect(readBlobs([snapshot.entries[0]!.id])).rejects.toThrow(/changed/)
  await expect(readBlobs([blobId('0'.repeat(40))])).rejects.toThrow(/no file/)
  symlinkSync(join(outside, 'nothing'), join(directory, 'b.yaml'))
  expect((await directorySnapshot(directory)).snapshot.entries[1]).toMatchObject({ path: 'b.yaml', mode: '120000' })
})

test('a directory that is not there is told with the fix', async () => {
  await expect(directorySnapshot('/nowhere/at/all')).rejects.toThrow(ConfigFault)
})
