import { writeSync } from 'node:fs'
import { systemClock } from '../../controller/clock.ts'
import { sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { openSqliteStore } from '../../controller/store/sqlite-store.ts'
import { aDelivery, aJob, aMessage, anEvent, jobId, T0 } from './rows.ts'

/* A process of its own that uses a store: `node store-process.js <mode> <file> [<word>]`. Compiled by processes.ts. */

const say = (line: string) => writeSync(1, `${line}\n`)

export type Mode = 'hold' | 'write' | 'block'

const MODES: Readonly<Record<Mode, (file: string, word: string) => Promise<void>>> = {
  /** Opens and keeps the store. */
  async hold(file) {
    await openSqliteStore({ file, clock: systemClock(), onFatal: fatal })
    say('open')
    setInterval(() => {}, 1_000)
  },

  /** Writes for ever and says what it was told is durable, until somebody kills it. */
  async write(file, word) {
    const store = await openSqliteStore({ file, clock: systemClock(), onFatal: fatal })
    const units = async () => {
      for (let index = 0; ; index += 1) {
        const name = `${word}-${index}`
        await store.state.unit('write', async (tx) => {
          await tx.jobs.insert(aJob(name))
          await tx.locks.acquire(name, jobId(name), T0)
          await tx.outbox.put(aMessage('hello', name), T0)
          await tx.audit(anEvent({ jobId: name }))
        })
        say(`unit ${name}`)
      }
    }
    const deliveries = async (lane: number) => {
      for (let index = 0; ; index += 1) {
        const name = `${word}-${lane}-${index}`
        await store.inbox.store(aDelivery(name))
        say(`delivery ${name}`)
      }
    }
    await Promise.all([units(), deliveries(1), deliveries(2), deliveries(3)])
  },

  /** Holds SQLite's own write lock for a while, as a careless operator would. */
  async block(file, word) {
    const connection = sqliteDriver().open(file, 1_000)
    connection.exec('BEGIN IMMEDIATE')
    say('blocked')
    await systemClock().sleep(Number(word))
    connection.exec('COMMIT')
    connection.close()
  },
}

function fatal(error: Error): void {
  say(`fatal ${error.message}`)
  process.exit(1)
}

const [mode, file, word] = process.argv.slice(2)
await MODES[mode as Mode](file!, word ?? '')
