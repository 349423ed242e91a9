import { emptyRows, memoryStore } from '../sim/memory-store.ts'
import { describeStore } from './state-store-contract.ts'

describeStore('memory', async () => {
  const rows = emptyRows()
  const made = {
    store: memoryStore(rows, { guarded: true }),
    async reopen() {
      await made.store.close()
      made.store = memoryStore(rows, { guarded: true })
      return made.store
    },
    dispose: () => made.store.close(),
  }
  return made
})
