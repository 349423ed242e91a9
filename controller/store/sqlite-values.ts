import { type ArgType, type ColumnType, ColumnTypeEnum, DriverAdapterError, type MappedError } from '@prisma/driver-adapter-utils'
import { messageOf } from '../errors.ts'
import { isBusy, type SqlValue, sqliteCode } from './sqlite-driver.ts'

/* Translation between what Prisma hands to a driver adapter and what SQLite stores. */

/** A bound value. Throws for a type SQLite does not have: libsql would end the process for it. */
export function toSqlValue(value: unknown, type: ArgType | undefined): SqlValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (typeof value !== 'string') throw new Error(`cannot bind a value of type ${typeof value}`)
  switch (type?.scalarType) {
    case 'int':
    case 'float':
    case 'decimal':
      return Number(value)
    case 'bigint':
      return BigInt(value)
    case 'bytes':
      return Buffer.from(value, 'base64')
    default:
      return textValue(value)
  }
}

/** libsql reads text only up to a NUL, and PostgreSQL stores none: better refused than cut. */
function textValue(value: string): string {
  if (value.includes('\0')) throw new Error('cannot store text with a NUL character')
  return value
}

/** By declared type, in capitals. Our schema and Prisma's own migration table use no others. */
const DECLARED: Readonly<Record<string, ColumnType>> = {
  INTEGER: ColumnTypeEnum.Int32,
  'INTEGER UNSIGNED': ColumnTypeEnum.Int32,
  INT: ColumnTypeEnum.Int32,
  BIGINT: ColumnTypeEnum.Int64,
  REAL: ColumnTypeEnum.Double,
  TEXT: ColumnTypeEnum.Text,
  BOOLEAN: ColumnTypeEnum.Boolean,
  DATETIME: ColumnTypeEnum.DateTime,
  BLOB: ColumnTypeEnum.Bytes,
}

/** Type of a column: as declared, else (an expression such as COUNT) as its first value shows. */
export function columnType(declared: string | null, values: readonly SqlValue[]): ColumnType {
  const known = declared === null ? undefined : DECLARED[declared.toUpperCase()]
  if (known !== undefined) return known
  const sample = values.find((value) => value !== null)
  if (typeof sample === 'string') return ColumnTypeEnum.Text
  if (sample instanceof Uint8Array) return ColumnTypeEnum.Bytes
  return ColumnTypeEnum.UnknownNumber
}

/** A value on its way out: Prisma takes dates as text only. */
export function fromSqlValue(value: SqlValue, type: ColumnType): unknown {
  if (type === ColumnTypeEnum.DateTime && typeof value === 'number') return new Date(value).toISOString()
  return value
}

/** Extended result codes that Prisma has its own names for. */
const UNIQUE = 2067
const PRIMARY_KEY = 1555
const NOT_NULL = 1299
const FOREIGN_KEY = 787

/** The error Prisma understands; errors that are not SQLite's pass unchanged. */
export function toAdapterError(error: unknown): unknown {
  const code = sqliteCode(error)
  if (code === null) return error
  const message = messageOf(error)
  return new DriverAdapterError({ ...mapped(error, code, message), originalCode: String(code), originalMessage: message })
}

function mapped(error: unknown, code: number, message: string): MappedError {
  const missing = /no such (table|column): (\S+)/.exec(message)
  if (code === UNIQUE || code === PRIMARY_KEY)
    return { kind: 'UniqueConstraintViolation', constraint: { fields: fieldsOf(message) } }
  if (code === NOT_NULL) return { kind: 'NullConstraintViolation', constraint: { fields: fieldsOf(message) } }
  if (code === FOREIGN_KEY) return { kind: 'ForeignKeyConstraintViolation', constraint: { foreignKey: {} } }
  if (isBusy(error)) return { kind: 'SocketTimeout' }
  if (missing?.[1] === 'table') return { kind: 'TableDoesNotExist', table: missing[2]! }
  if (missing?.[1] === 'column') return { kind: 'ColumnNotFound', column: missing[2]! }
  return { kind: 'sqlite', extendedCode: code, message }
}

/** `UNIQUE constraint failed: deliveries.integration, deliveries.deliveryId` → both column names. */
function fieldsOf(message: string): string[] {
  const list = message.split('constraint failed: ')[1] ?? ''
  return list.split(', ').map((name) => name.slice(name.indexOf('.') + 1))
}
