import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { systemClock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { backUpSqlite } from '../../controller/store/sqlite-backup.ts'
import { sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { draven } from '../cli/run.ts'
import { aJob } from './rows.ts'
import { openAt, scratchFolder } from './sqlite-file.ts'

let scratch: ReturnType<typeof scratchFolder>
let store: OpenStore
let target: string
beforeEach(async () => {
  scratch = scratchFolder()
  target = join(dirname(scratch.file), 'backup.db')
  store = await openAt(scratch.file)
  for (const name of ['a', 'b', 'c']) await write(name)
})
afterEach(async () => {
  await store.close()
  scratch.remove()
})

function write(name: string): Promise<void> {
  return store.state.unit('write', async (tx) => {
    await tx.jobs.insert(aJob(name))
    const event = { at: 1, action: 'request_accepted', actor: 'controller', environment: null, commit: null } as const
    await tx.audit({ ...event, jobId: name, data: { name } })
  })
}

/** As somebody would who has the file: guards dropped, then plain SQL. */
function tamper(file: string, sql: string): void {
  const db = sqliteDriver().open(file, 1_000)
  const guards = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'").rows([])
  for (const [name] of guards) db.exec(`DROP TRIGGER "${String(name)}"`)
  db.exec(sql)
  db.close()
}

function leftovers(): string[] {
  return readdirSync(dirname(target)).filter((name) => name.startsWith('backup'))
}

describe('a backup', () => {
  test('of a database in use holds everything that was acknowledged, in one private file that can be opened', async () => {
    const backup = await backUpSqlite(scratch.file, target, systemClock())
    expect(backup).toMatchObject({ auditRows: 3, bytes: statSync(target).size })
    expect((statSync(target).mode & 0o777).toString(8)).toBe('600')
    expect(leftovers()).toEqual(['backup.db'])
    await write('d')
    const restored = await openAt(target)
    expect((await restored.views.job('c'))?.job.id).toBe('c')
    expect(await restored.views.job('d')).toBeNull()
    expect(await verifyChain(restored.auditRows())).toMatchObject({ ok: true, head: backup.auditHead })
    await restored.close()
  })

  test('taken while units are committed one after the other is a prefix of them', async () => {
    let more = true
    const writing = (async () => {
      for (let each = 0; more; each++) await write(`more-${each}`)
    })()
    const backup = await backUpSqlite(scratch.file, target, systemClock())
    more = false
    await writing
    const restored = await openAt(target)
    const jobs = await restored.state.unit('read', (tx) => tx.jobs.open())
    expect(jobs.length).toBe(backup.auditRows)
    await restored.close()
  })

  test('never takes the place of another file', async () => {
    writeFileSync(target, 'precious')
    await expect(backUpSqlite(scratch.file, target, systemClock())).rejects.toThrow('exists already')
    expect(readFileSync(target, 'utf8')).toBe('precious')
    expect(leftovers()).toEqual(['backup.db'])
  })

  test('of a database with a broken audit is refused and leaves nothing behind', async () => {
    tamper(scratch.file, `UPDATE "audit" SET "actor" = 'nobody' WHERE "seq" = 2`)
    await expect(backUpSqlite(scratch.file, target, systemClock())).rejects.toThrow('row 2')
    expect(leftovers()).toEqual([])
  })

  test('by command says what it wrote and the head of the audit', async () => {
    const ran = await draven(['store', 'backup', target, '--data-dir', dirname(scratch.file)])
    expect(ran).toMatchObject({ code: 0 })
    expect(ran.stdout).toMatch(/^Wrote .*backup\.db: \d+ bytes, 3 rows of audit, all checked\.\nHead .*: 3:[0-9a-f]{64}\n$/)
    const again = await draven(['store', 'backup', target, '--data-dir', dirname(scratch.file)])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('overwrites nothing')
    expect(await draven(['store', 'backup', `${target}2`, '--data-dir', '/nowhere'])).toMatchObject({ code: 3 })
    expect(existsSync(`${target}2`)).toBe(false)
  })
})

describe('a start', () => {
  test('is refused on an audit whose end was changed, and told what to do', async () => {
    await store.close()
    const copy = join(dirname(scratch.file), 'changed.db')
    copyFileSync(scratch.file, copy)
    tamper(copy, `UPDATE "audit" SET "data" = '{"name":"x"}' WHERE "seq" = 3`)
    await expect(openAt(copy)).rejects.toMatchObject({
      message: expect.stringContaining('broken at row 3'),
      fix: expect.stringContaining('restore'),
    })
    tamper(copy, `DELETE FROM "audit" WHERE "seq" = 2`)
    await expect(openAt(copy)).rejects.toThrow('broken at row')
    store = await openAt(scratch.file)
  })
})
