import type { Dirent } from 'node:fs'
import { lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigFault } from '../errors.ts'
import type { Git } from './git.ts'

/** Written before anything else, so a directory without it is somebody else's. */
const MARKER = 'draven-mirror.json'
export const MIRROR_FIX =
  'Stop the controller, delete this directory and start again: the mirror holds nothing of its own and is fetched anew.'

/**
 * Makes the directory a bare repository on first start and checks it on every other.
 * One process per directory: what an interrupted fetch left behind (locks, half packs) is removed here.
 * @throws ConfigFault when the directory is not ours, mirrors another remote, or cannot be opened by Git
 */
export async function prepareMirrorDirectory(directory: string, url: string, git: Git): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await checkOwner(directory)
  const names = await readdir(directory)
  if (names.length === 0) await writeFile(join(directory, MARKER), `${JSON.stringify({ mirrors: url })}\n`)
  else await checkMarker(directory, url)
  if (!names.includes('HEAD') && !names.includes('objects')) await git.initBare()
  await removeLeftovers(directory)
  if (!(await git.isBareRepository())) throw new ConfigFault(`The mirror in ${directory} is damaged.`, MIRROR_FIX)
}

async function checkOwner(directory: string): Promise<void> {
  const { uid } = await lstat(directory)
  if (process.getuid && uid !== process.getuid()) {
    throw new ConfigFault(
      `The directory ${directory} belongs to another user.`,
      'Give the mirror a directory that the controller owns.',
    )
  }
}

async function checkMarker(directory: string, url: string): Promise<void> {
  const text = await readFile(join(directory, MARKER), 'utf8').catch(() => null)
  if (text === null) {
    throw new ConfigFault(
      `The directory ${directory} is not empty and is not a mirror of ours.`,
      'Name an empty directory, or one that does not exist yet.',
    )
  }
  const mirrored = mirroredUrl(text)
  if (mirrored === url) return
  throw new ConfigFault(`The directory ${directory} mirrors ${mirrored ?? 'an unknown remote'}, not ${url}.`, MIRROR_FIX)
}

function mirroredUrl(text: string): string | null {
  try {
    const marker: unknown = JSON.parse(text)
    const url = typeof marker === 'object' && marker !== null && 'mirrors' in marker ? marker.mirrors : null
    return typeof url === 'string' ? url : null
  } catch {
    return null
  }
}

async function removeLeftovers(directory: string): Promise<void> {
  const isLeftover = (entry: Dirent) => entry.isFile() && (entry.name.endsWith('.lock') || entry.name.startsWith('tmp_'))
  for (const part of ['.', 'refs/draven/heads', 'refs/draven/pulls', 'objects/pack']) {
    const entries = await readdir(join(directory, part), { withFileTypes: true }).catch(() => [])
    for (const entry of entries.filter(isLeftover)) await rm(join(directory, part, entry.name), { force: true })
  }
}
