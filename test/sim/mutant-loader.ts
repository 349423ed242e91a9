import type { InitializeHook, LoadHook } from 'node:module'
import type { Mutant } from './mutants.ts'

/* Hooks of Node's module loader: the compiled file is changed on its way into the process, never on disk. */

let mutant: Mutant | null = null

export const initialize: InitializeHook<Mutant> = (data) => {
  mutant = data
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  if (mutant === null || !url.endsWith(`/dist/controller/${mutant.file}`)) return loaded
  const source = Buffer.from(loaded.source as Uint8Array).toString()
  return { ...loaded, source: source.replace(mutant.old, () => mutant!.new) }
}
