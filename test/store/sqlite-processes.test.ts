import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { compileStoreProcess, type StoreProcesses } from './processes.ts'
import { aDelivery, aJob } from './rows.ts'
import { openAt, scratchFolder } from './sqlite-file.ts'

let processes: StoreProcesses
beforeAll(async () => {
  processes = await compileStoreProcess()
})
afterAll(() => processes.remove())

let scratch: ReturnType<typeof scratchFolder>
beforeEach(() => {
  scratch = scratchFolder()
})
afterEach(() => scratch.remove())

const KILLS_A_FILE = 10

describe('a process that is killed while it writes', () => {
  test.concurrent.each(['first', 'second'])(
    'loses nothing it acknowledged, and leaves no unit half done (%s file)',
    async () => {
      const { file, remove } = scratchFolder()
      const acknowledged: string[] = []
      for (let round = 0; round < KILLS_A_FILE; round += 1) {
        const writer = processes.start('write', file, `round-${round}`)
        await writer.said(/^unit/)
        await new Promise((done) => setTimeout(done, (round * 37) % 100))
        await writer.kill()
        expect(writer.lines.filter((line) => line.startsWith('fatal'))).toEqual([])
        acknowledged.push(...writer.lines)
      }

      const store = await openAt(file)
      const jobs = (await store.views.jobs({ limit: 100_000 })).map((job) => job.id as string)
      const known = new Set(jobs.map((id) => `unit ${id}`))
      expect(acknowledged.filter((line) => line.startsWith('unit') && !known.has(line))).toEqual([])
      expect(acknowledged.filter((line) => line.startsWith('unit')).length).toBeGreaterThanOrEqual(KILLS_A_FILE)
      const delivered = acknowledged.filter((line) => line.startsWith('delivery')).map((line) => line.slice('delivery '.length))
      const again = await Promise.all(delivered.map((name) => store.inbox.store(aDelivery(name))))
      expect(again.filter((answer) => answer !== 'duplicate')).toEqual([])

      const counts = await store.views.counts()
      expect(counts).toMatchObject({ locks: jobs.length, outboxPending: jobs.length })
      expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: jobs.length })
      await store.close()
      remove()
    },
    120_000,
  )
})

describe('a database file', () => {
  test('is refused to a second process, by the name of the first, until that is gone', async () => {
    const holder = processes.start('hold', scratch.file)
    await holder.said(/^open$/)
    await expect(openAt(scratch.file)).rejects.toMatchObject({
      name: 'ConfigFault',
      message: `${scratch.file} is in use by process ${holder.pid}`,
      fix: expect.stringContaining('one controller'),
    })
    await holder.kill()
    const store = await openAt(scratch.file)
    await store.close()
  })

  test('is refused a second time within one process', async () => {
    const store = await openAt(scratch.file)
    await expect(openAt(scratch.file)).rejects.toMatchObject({
      name: 'ConfigFault',
      message: expect.stringContaining('this process'),
    })
    await store.state.unit('goes on', (tx) => tx.jobs.insert(aJob('a')))
    await store.close()
  })

  test('that another program keeps locked for a moment makes writers wait, without stopping the process', async () => {
    const store = await openAt(scratch.file)
    await store.state.unit('before', (tx) => tx.jobs.insert(aJob('before')))
    const blocker = processes.start('block', scratch.file, '700')
    await blocker.said(/^blocked$/)

    let turns = 0
    const ticking = setInterval(() => {
      turns += 1
    }, 10)
    const unit = store.state.unit('during', (tx) => tx.jobs.insert(aJob('during')))
    const delivery = store.inbox.store(aDelivery('during'))
    expect(await unit).toBe(true)
    expect(await delivery).toBe('stored')
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(3)
    await blocker.ended

    const second = processes.start('block', scratch.file, '300')
    await second.said(/^blocked$/)
    expect(await store.inbox.store(aDelivery('alone'))).toBe('stored')
    await second.ended
    await store.state.unit('after', (tx) => tx.jobs.insert(aJob('after')))
    expect((await store.views.jobs({ limit: 9 })).map((job) => job.id)).toEqual(['after', 'during', 'before'])
    await store.close()
  })
})
