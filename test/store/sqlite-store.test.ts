import { sqliteUnderTest } from './sqlite-file.ts'
import { describeStore } from './state-store-contract.ts'

describeStore('SQLite', sqliteUnderTest)
