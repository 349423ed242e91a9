import { afterAll, beforeAll, describe } from 'vitest'
import { noPostgres, postgresUnderTest, type ScratchDatabase, scratchDatabase } from './postgres-server.ts'
import { describeStore } from './state-store-contract.ts'

describe.skipIf(noPostgres)('the store', () => {
  let database: ScratchDatabase
  beforeAll(async () => {
    database = await scratchDatabase()
  })
  afterAll(() => database.remove())

  describeStore(
    'PostgreSQL',
    postgresUnderTest(() => database),
  )
})
