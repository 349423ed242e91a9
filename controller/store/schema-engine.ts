import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { bindMigrationAwareSqlAdapterFactory, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils'
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg'
import { ConfigFault, messageOf } from '../errors.ts'

/* Prisma's own migration engine, run in this process through our adapter: its command line would download a binary. */

/** One migration folder: `0001_initial` and the text of its migration.sql. */
export interface Migration {
  name: string
  sql: string
}

const NO_FILTERS = { externalTables: [], externalEnums: [] }

/** One connection to the database that is to be migrated. */
export interface MigrationTarget {
  provider: 'sqlite' | 'postgresql'
  factory: SqlMigrationAwareDriverAdapterFactory
  /** Finished migrations of this database, name → checksum. */
  applied(): Promise<ReadonlyMap<string, string>>
  /** Commits what `work` did through the factory, or undoes it; nobody else migrates meanwhile. */
  inTransaction(work: () => Promise<void>): Promise<void>
}

/**
 * Brings the database up to date: all missing migrations in one transaction, or none. Does nothing when there is nothing to do.
 * Throws ConfigFault when the database was written by a newer release, or an applied migration is not the one we carry.
 */
export async function migrate(target: MigrationTarget, schema: string, migrations: readonly Migration[]): Promise<void> {
  if ((await missingMigrations(target, migrations)).length === 0) return
  try {
    await target.inTransaction(async () => {
      // Another process may have done it while we waited for our turn.
      if ((await missingMigrations(target, migrations)).length === 0) return
      const engine = await openEngine(target.factory, schema)
      await engine.applyMigrations({ migrationsList: migrationList(target.provider, migrations), filters: NO_FILTERS })
      engine.free()
    })
  } catch (error) {
    if (error instanceof ConfigFault) throw error
    throw new Error(`the database could not be migrated and was left as it was: ${messageOf(error)}`, { cause: error })
  }
}

/** Names of the migrations that this database still has to take, in order. Throws ConfigFault as `migrate` does. */
export async function missingMigrations(target: MigrationTarget, migrations: readonly Migration[]): Promise<readonly string[]> {
  const applied = await target.applied()
  refuseForeignHistory(applied, migrations)
  return migrations.filter(({ name }) => !applied.has(name)).map(({ name }) => name)
}

/** SQL that leads from the database as it is to `schema`; null when they are equal. */
export async function diffToSchema(target: MigrationTarget, schema: string): Promise<string | null> {
  const engine = await openEngine(target.factory, schema)
  const files = [{ path: 'schema.prisma', content: schema }]
  const result = await engine.diff({
    from: { tag: 'schemaDatasource', files, configDir: '/' },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: true,
    filters: NO_FILTERS,
  })
  engine.free()
  return result.exitCode === 0 ? null : (result.stdout ?? '')
}

function refuseForeignHistory(applied: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  for (const [name, checksum] of applied) {
    const ours = migrations.find((migration) => migration.name === name)
    if (ours === undefined) {
      throw new ConfigFault(
        `the database was written by a newer release (migration ${name})`,
        'Start that release, or restore a backup.',
      )
    }
    if (createHash('sha256').update(ours.sql).digest('hex') !== checksum) {
      throw new ConfigFault(
        `migration ${name} of the database is not the one of this release`,
        'Start the release that made the database.',
      )
    }
  }
}

function migrationList(provider: MigrationTarget['provider'], migrations: readonly Migration[]) {
  return {
    baseDir: '/migrations',
    lockfile: { path: 'migration_lock.toml', content: `provider = "${provider}"\n` },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
    })),
  }
}

async function openEngine(factory: SqlMigrationAwareDriverAdapterFactory, schema: string) {
  await loadWasm()
  const adapter = bindMigrationAwareSqlAdapterFactory(factory)
  return engineModule.SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => {}, adapter)
}

/** The package expects a bundler to instantiate its .wasm file; Node has to do it by hand, once per process. */
let loading: Promise<void> | null = null

function loadWasm(): Promise<void> {
  loading ??= instantiate()
  return loading
}

/* TypeScript knows WebAssembly only together with a browser's whole world, so the one call in use is written down here. */
type Exports = Record<string, unknown>
interface Wasm {
  instantiate(bytes: Uint8Array, imports: Record<string, unknown>): Promise<{ instance: { exports: Exports } }>
}

async function instantiate(): Promise<void> {
  const script = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg')
  const bytes = readFileSync(script.replace(/\.js$/, '.wasm'))
  const { WebAssembly } = globalThis as unknown as { WebAssembly: Wasm }
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': engineModule })
  engineModule.__wbg_set_wasm(instance.exports)
  ;(instance.exports['__wbindgen_start'] as () => void)()
}
