// node scripts/make-migration.mjs <name>
// Writes the next numbered migration of each database: what leads from the migrations so far (applied to a temporary database) to
// the schema. PostgreSQL's needs a server where it may make a database: POSTGRES_URL, or the one at 127.0.0.1:5432.
// Read what it wrote before you commit it; triggers and data moves are added by hand. A migration that was released never changes,
// and only ever adds: controllers of the release before go on working while it is applied.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { createViteServer } from 'vitest/node'
import { readDatabases } from './generate-clients.mjs'

const store = join(dirname(fileURLToPath(import.meta.url)), '../controller/store')

const name = process.argv[2]
if (!/^[a-z0-9_]+$/.test(name ?? '')) {
  console.error('usage: node scripts/make-migration.mjs <name_in_small_letters>')
  process.exit(2)
}

// Node 20 cannot read TypeScript by itself; the test runner's loader can.
const loader = await createViteServer({
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null },
  appType: 'custom',
})
const load = (file) => loader.ssrLoadModule(join(store, file))
try {
  const { diffToSchema, migrate } = await load('schema-engine.ts')
  for (const database of readDatabases()) {
    const { target, remove } = await (database.name === 'sqlite' ? scratchSqlite() : scratchPostgres())
    try {
      await migrate(target, database.schema, database.migrations)
      write(database, await diffToSchema(target, database.schema))
    } finally {
      await remove()
    }
  }
} finally {
  await loader.close()
}

function write(database, sql) {
  if (sql === null) return console.log(`${database.name}: migrations and schema are equal, nothing to write`)
  const number = String(database.migrations.length + 1).padStart(4, '0')
  const folder = join(store, 'migrations', database.name, `${number}_${name}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'migration.sql'), sql)
  console.log(`wrote ${folder}/migration.sql`)
}

async function scratchSqlite() {
  const { sqliteDriver } = await load('sqlite-driver.ts')
  const { openSqliteSession } = await load('sqlite-session.ts')
  const { sqliteTarget } = await load('sqlite-target.ts')
  const folder = mkdtempSync(join(tmpdir(), 'draven-migration-'))
  const session = openSqliteSession(sqliteDriver(), join(folder, 'database'))
  const remove = () => {
    session.close()
    rmSync(folder, { recursive: true })
  }
  return { target: sqliteTarget(session), remove }
}

async function scratchPostgres() {
  const { systemClock } = await loader.ssrLoadModule(join(store, '../clock.ts'))
  const { migrationPool } = await load('postgres-connection.ts')
  const { postgresTarget } = await load('postgres-target.ts')
  const server = new URL(process.env.POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres')
  const database = `draven_migration_${process.pid}`
  const admin = new pg.Client({ connectionString: server.href })
  await admin.connect()
  await admin.query(`CREATE DATABASE ${database}`)
  server.pathname = `/${database}`
  const pool = migrationPool(server.href)
  const remove = async () => {
    await pool.end()
    await admin.query(`DROP DATABASE ${database}`)
    await admin.end()
  }
  return { target: postgresTarget(pool, systemClock()), remove }
}
