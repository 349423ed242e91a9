import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { CONFIG_REPO, requestFile, SHOP_REPO } from './config-files.ts'
import { openScene, type Scene, WEBHOOK_SECRET } from './scene.ts'

/** A file system of a few megabytes for the database alone: only root may make one. */
const refusal = whyNoMount()
if (refusal !== null) console.log(`disk-full.test.ts is skipped: no small file system can be mounted here (${refusal})`)

let scene: Scene
let disk: string

beforeAll(async () => {
  if (refusal !== null) return
  scene = await openScene({ idle: true, actions: 'manual' })
  disk = join(scene.root, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'tmpfs', disk])
  scene.env['DRAVEN_DATA_DIR'] = disk
  await scene.begin()
  const hook = { url: `${scene.controller.url}/webhooks/github`, secret: WEBHOOK_SECRET, events: ['*'] }
  for (const repo of [CONFIG_REPO, SHOP_REPO]) scene.forge.addHook(repo, hook)
})

afterAll(async () => {
  if (refusal !== null) return
  await scene.controller.stop()
  // Lazily: a git process of the mirror may be about to end in there.
  execFileSync('umount', ['-l', disk])
  await scene.forge.close()
  rmSync(scene.root, { recursive: true, force: true })
})

describe.skipIf(refusal !== null)('a disk that is full', () => {
  it('stops deciding and accepting, says so, loses nothing, and is recovered from without hands', async () => {
    const before = 'requests/shop/stage/before.yaml'
    const during = 'requests/shop/demo/during.yaml'
    await scene.merge(await scene.propose({ [before]: requestFile('branch: develop') }))
    await scene.until(before, (job) => job.reason.code === 'run_queued')

    const filler = fill()
    // What the log has room for goes on; each of these commits takes some of it.
    await scene.eventually('it not to be ready', async () => (await ready()).status === 503)
    const reason = await ready()
    expect(reason.body).toMatch(/full/)
    const page = await fetch(`${scene.controller.url}/system`)
    expect([page.status, await page.text()]).toEqual([200, expect.stringMatching(/Not ready/)])
    const pull = await scene.propose({ [during]: requestFile('branch: main') })
    await scene.eventually('webhooks to be refused', () =>
      scene.forge.deliveries(CONFIG_REPO).some((delivery) => delivery.statusCode === 503),
    )
    scene.forge.finishRun(scene.forge.liveRuns()[0]!.runId, 'success')
    await scene.forge.settle()

    rmSync(filler)
    expect(await scene.ended(before)).toMatchObject({ status: 'success' })
    await scene.eventually('it to be ready', async () => (await ready()).status === 200)
    await scene.shown(pull)
    await scene.merge(pull)
    await scene.until(during, (job) => job.status === 'waiting_approval')
    expect(scene.forge.triggerCount(scene.jobId(before))).toBe(1)
    expect(await verifyChain(scene.controller.store.auditRows())).toMatchObject({ ok: true })
  })
})

async function ready(): Promise<{ status: number; body: string }> {
  const answer = await fetch(`${scene.controller.url}/readyz`)
  return { status: answer.status, body: await answer.text() }
}

/** Takes all the room there is; gives the file that holds it. */
function fill(): string {
  const file = join(disk, 'filler')
  const handle = openSync(file, 'w')
  for (const size of [65_536, 1]) {
    const piece = Buffer.alloc(size)
    try {
      for (;;) if (writeSync(handle, piece) < piece.length) break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(handle)
  return file
}

function whyNoMount(): string | null {
  const probe = `/tmp/draven-mount-${process.pid}`
  try {
    mkdirSync(probe)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'pipe' })
    execFileSync('umount', [probe], { stdio: 'pipe' })
    return null
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr ?? error).trim()
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}
