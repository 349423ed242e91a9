import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import { redactor } from '../../controller/secrets/redaction.ts'
import { withoutSecrets } from '../../controller/store/clean-store.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { quotesOf, tracesOf } from '../spellings.ts'
import { aCallback, aConfig, aJob, aMessage, anEvent, aRun, jobId, T0 } from './rows.ts'
import { openAt, scratchFolder } from './sqlite-file.ts'

const CANARY = 'canary-7c9e6679f9b14a1d8e5e'
const QUOTE = `it was sent ${quotesOf(CANARY).join(' and ')}`

describe('a store that is told what others say', () => {
  let folder: ReturnType<typeof scratchFolder>
  let plain: OpenStore
  let store: OpenStore

  beforeEach(async () => {
    folder = scratchFolder()
    plain = await openAt(folder.file)
    const { learn, redact } = redactor()
    learn(CANARY)
    // Names that a careless secret is like are left as they are.
    learn('prod')
    store = withoutSecrets(plain, redact)
  })
  afterEach(async () => {
    await plain.close()
    folder.remove()
  })

  /** Words of others, in every table that has room for some. */
  async function writeEverywhere(): Promise<void> {
    const job = aJob('a', { reason: reasonOf('check_unavailable', QUOTE, T0) })
    const run = { ...aRun('a'), detail: QUOTE, url: `https://host.example/?token=${CANARY}` }
    await store.state.unit('write', async (tx) => {
      await tx.config.write({ ...aConfig(), frozen: reasonOf('config_unreadable', QUOTE, T0) })
      await tx.jobs.insert(job)
      await tx.runs.insert(run)
      await tx.callbacks.insert(aCallback('a'))
      await tx.callbacks.update(aCallback('a'), { detail: QUOTE })
      await tx.outbox.put(aMessage(QUOTE), T0)
      const [row] = await tx.outbox.due(T0, 1)
      await tx.outbox.failed(row!, QUOTE, T0)
      await tx.audit(anEvent({ data: { text: QUOTE, nested: [{ detail: QUOTE }] } }))
      await tx.runs.update(run, { state: 'refused', detail: QUOTE })
      const written = (await tx.jobs.get(jobId('a')))!
      const action = { text: QUOTE, command: null, url: `https://host.example/${CANARY}` }
      await tx.jobs.update(written, { reason: { ...reasonOf('run_failed', QUOTE, T0), action } })
    })
  }

  async function everything(from: OpenStore): Promise<string> {
    const read = await from.state.unit('read', async (tx) => ({
      config: await tx.config.read(),
      job: await tx.jobs.get(jobId('a')),
      runs: await tx.runs.of([jobId('a')]),
      callbacks: await tx.callbacks.of(jobId('a')),
      outbox: await tx.outbox.due(T0, 10),
    }))
    const audit = []
    for await (const row of from.auditRows()) audit.push(row)
    return JSON.stringify({ ...read, audit })
  }

  it('writes no secret down, however it is spelt and wherever it stands, and everything else as it is', async () => {
    await writeEverywhere()
    const text = await everything(plain)
    expect(tracesOf(CANARY).filter((trace) => text.includes(trace))).toEqual([])
    expect(text.match(/it was sent \*\*\*/g)!.length).toBeGreaterThanOrEqual(8)
    expect(text).toContain('https://host.example/')
    expect((await plain.state.unit('read', (tx) => tx.jobs.get(jobId('a'))))!.environment).toBe(aJob('a').environment)
  })

  it('would be seen to write it down without', async () => {
    store = plain
    await writeEverywhere()
    const text = await everything(plain)
    expect(tracesOf(CANARY).every((trace) => text.includes(trace))).toBe(true)
  })
})
