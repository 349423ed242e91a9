import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { ConfigFault } from '../errors.ts'
import { type BlobId, blobId, commitSha } from '../model/names.ts'
import type { ReadBlobs, Snapshot, TreeEntry } from '../model/snapshot.ts'
import { MAX_BLOB_BYTES } from './blob-reader.ts'

/** Enough for the model to say "too many"; a person may have named their home directory. */
const MAX_ENTRIES = 100_001
const SKIPPED = new Set(['.git', 'node_modules'])
const OPEN_FILES = 16

/**
 * The plain files of a directory as if they had just been committed: what `draven validate <dir>` looks at.
 * Links are listed as links and never followed. Paths are relative, with `/`, in Git's order (by bytes).
 * Files too large to be documents get a made-up id, because hashing them would mean reading them.
 * @throws ConfigFault when the directory cannot be listed
 */
export async function directorySnapshot(directory: string): Promise<{ snapshot: Snapshot; readBlobs: ReadBlobs }> {
  const files = await listFiles(directory)
  const limit = pLimit(OPEN_FILES)
  const entries = await Promise.all(files.map((path) => limit(() => describe(directory, path))))
  const pathOf = new Map(entries.map((entry) => [entry.id, entry.path]))
  const listing = entries.map(({ mode, id, path }) => `${mode} ${id}\t${path}\0`).join('')

  async function readOne(id: BlobId): Promise<[BlobId, Uint8Array]> {
    const path = pathOf.get(id)
    if (path === undefined) throw new Error(`no file of ${directory} has the blob id ${id}`)
    const bytes = await readSmallFile(join(directory, path))
    if (blobIdOf(bytes) !== id) throw new ConfigFault(`${path} changed while it was read.`, 'Run the command again.')
    return [id, bytes]
  }

  return {
    snapshot: { commit: commitSha(createHash('sha1').update(listing).digest('hex')), entries },
    readBlobs: async (ids) => new Map(await Promise.all([...new Set(ids)].map((id) => limit(() => readOne(id))))),
  }
}

/** Paths of files and links, breadth first, so that the cap cuts the deep ends. */
async function listFiles(directory: string): Promise<string[]> {
  const files: string[] = []
  const folders = ['']
  for (const folder of folders) {
    for (const entry of await listFolder(directory, folder)) {
      if (SKIPPED.has(entry.name)) continue
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile() || entry.isSymbolicLink()) files.push(path)
      if (files.length >= MAX_ENTRIES || folders.length > MAX_ENTRIES) return sortedByBytes(files)
    }
  }
  return sortedByBytes(files)
}

async function listFolder(directory: string, folder: string) {
  try {
    return await readdir(join(directory, folder), { withFileTypes: true })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const place = join(directory, folder)
    throw new ConfigFault(
      code === 'ENOENT'
        ? `There is no folder ${place}.`
        : code === 'ENOTDIR'
          ? `${place} is a file, not a folder.`
          : `${place} cannot be listed (${code}).`,
      'Name a directory that exists and that you may read.',
    )
  }
}

function sortedByBytes(paths: readonly string[]): string[] {
  return paths
    .map((path) => ({ path, bytes: Buffer.from(path) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ path }) => path)
}

async function describe(directory: string, path: string): Promise<TreeEntry> {
  try {
    return await entryOf(join(directory, path), path)
  } catch (error) {
    if (error instanceof ConfigFault) throw error
    throw new ConfigFault(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`, 'Make it readable, or remove it.')
  }
}

async function entryOf(file: string, path: string): Promise<TreeEntry> {
  const stats = await lstat(file)
  if (stats.isSymbolicLink()) {
    const target = await readlink(file, 'buffer')
    return { path, mode: '120000', id: blobIdOf(target), size: target.length }
  }
  const mode = stats.mode & 0o100 ? '100755' : '100644'
  if (stats.size > MAX_BLOB_BYTES) return { path, mode, id: unreadId(path, stats.size), size: stats.size }
  const bytes = await readSmallFile(file)
  return { path, mode, id: blobIdOf(bytes), size: bytes.length }
}

/** Reads at most the limit, from the file itself: a link put in its place meanwhile is refused by the system. */
async function readSmallFile(file: string): Promise<Uint8Array> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const buffer = new Uint8Array(MAX_BLOB_BYTES + 1)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0)
    if (bytesRead > MAX_BLOB_BYTES) throw new ConfigFault(`${file} grew while it was read.`, 'Run the command again.')
    return buffer.slice(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** git-hash-object(1): sha1 over `blob <length>`, a NUL, and the bytes. */
function blobIdOf(bytes: Uint8Array): BlobId {
  return blobId(createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'))
}

function unreadId(path: string, size: number): BlobId {
  return blobId(createHash('sha1').update(`unread ${size}\0${path}`).digest('hex'))
}
