import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { ConfigFault } from '../errors.ts'
import { isReadable } from '../jobs/plan-desired.ts'
import type { DesiredState } from '../model/desired-state.ts'
import { blobId } from '../model/names.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type Io } from './io.ts'

/** A file that is looked at as if it were in the directory already. */
export interface AddedFile {
  path: string
  text: string
}

/**
 * What the files of a directory ask for, committed or not.
 * @throws CommandFault (exit 3) when the directory cannot be read
 */
export async function loadDirectory(io: Io, directory: string, added?: AddedFile): Promise<DesiredState> {
  const [{ directorySnapshot }, { documentCache, loadDesiredState }] = await Promise.all([
    import('../source/directory-snapshot.ts'),
    import('../model/load.ts'),
  ])
  try {
    const { snapshot, readBlobs } = await directorySnapshot(resolve(io.cwd, directory))
    if (added === undefined)
      return await loadDesiredState({ rules: snapshot, requests: snapshot, readBlobs, cache: documentCache() })
    const bytes = Buffer.from(added.text)
    // Any id will do that no other content has.
    const id = blobId(createHash('sha1').update(`added ${added.path}\0`).update(bytes).digest('hex'))
    const entry = { path: added.path, mode: '100644', id, size: bytes.length }
    const withAdded = { commit: snapshot.commit, entries: [...snapshot.entries, entry] }
    return await loadDesiredState({
      rules: withAdded,
      requests: withAdded,
      cache: documentCache(),
      readBlobs: async (ids) => new Map([...(await readBlobs(ids.filter((one) => one !== id))), [id, bytes]]),
    })
  } catch (error) {
    if (error instanceof ConfigFault) throw new CommandFault(EXIT.unreachable, error.message, error.fix)
    throw error
  }
}

/** A directory in which nothing can be asked for: it is another one than meant, or its `draven.yaml` has to be mended first. */
export function refuseOther(desired: DesiredState, directory: string, flag: string): void {
  if (isReadable(desired)) return
  const finding = desired.findings.find(({ severity, place }) => severity === 'error' && /^draven\.ya?ml$/.test(place.file))
  throw new CommandFault(
    EXIT.refused,
    `${directory} is no config repository that can be used: ${finding?.message ?? 'it has no id'}.`,
    `Name another folder (${flag}), or mend this one: draven validate tells how.`,
  )
}
