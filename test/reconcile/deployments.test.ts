import { afterEach, beforeEach, expect, test } from 'vitest'
import { TransientFault } from '../../controller/errors.ts'
import type { DeploymentBody } from '../../controller/notify/messages.ts'
import type { DeploymentMessage } from '../../controller/notify/publisher.ts'
import { listDeployment } from '../../controller/reconcile/courier.ts'
import { configFiles, SHOP_PROJECT } from '../scenarios/config-files.ts'
import { type Bench, openBench, SHA } from './bench.ts'

const BODY: DeploymentBody = {
  project: 'shop',
  message: {
    jobId: 'job',
    sha: SHA,
    ref: 'v1.4.2',
    environment: 'prod',
    production: true,
    state: 'success',
    description: 'success',
    logUrl: null,
    environmentUrl: null,
  },
}

let bench: Bench
const listed: DeploymentMessage[] = []
beforeEach(async () => {
  listed.length = 0
  bench = await openBench({ unseen: true })
  bench.engine.connections.deployments = () => ({
    async mirror(message) {
      listed.push(message)
      return '17'
    },
  })
})
afterEach(() => bench.close())

/** What is in force is what the config repository holds then. */
async function sendWith(files: Readonly<Record<string, string | null>>): Promise<string> {
  bench.commit(files)
  await bench.tick()
  return listDeployment(bench.engine, BODY, null)
}

test('a deployment is listed at the host of its project', async () => {
  expect(await sendWith({})).toBe('17')
  expect(listed).toEqual([BODY.message])
})

test('a deployment waits while the file of its project has a mistake', async () => {
  await expect(sendWith({ 'projects/shop/project.yaml': SHOP_PROJECT.replace('integration:', 'integratoin:') })).rejects.toThrow(
    TransientFault,
  )
  expect(listed).toEqual([])
})

test('a deployment waits until the config repository was read', async () => {
  await expect(listDeployment(bench.engine, BODY, null)).rejects.toThrow(TransientFault)
})

test('a deployment of a project that has left is listed nowhere', async () => {
  const files = Object.keys(configFiles()).filter((path) => path.startsWith('projects/shop/'))
  expect(await sendWith(Object.fromEntries(files.map((path) => [path, null])))).toBe('')
  expect(listed).toEqual([])
})
