import type { Prisma, PrismaClient } from './generated/sqlite/client.ts'

/**
 * The database as table files see it. A client generated for another database has the same shape but not the same type, so
 * its opener casts it to this, once. In return table files use no feature that only one database has.
 */
export type Db = PrismaClient
export type DbTx = Prisma.TransactionClient

/** Values that are text in the database and data in the code. */
export function fromJson<T>(text: string): T
export function fromJson<T>(text: string | null): T | null
export function fromJson<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T)
}

export function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}

/** Instants are BigInt in Prisma's eyes; ours fit a number until the year 287396. */
export function fromBig(value: bigint): number
export function fromBig(value: bigint | null): number | null
export function fromBig(value: bigint | null): number | null {
  return value === null ? null : Number(value)
}

/**
 * Text from outside as a database can keep it: what it cannot (NUL, halves of a surrogate pair) becomes U+FFFD. Text inside JSON
 * needs none of this, because JSON escapes it.
 */
export function plainText<T extends string | null>(text: T): T
export function plainText(text: string | null): string | null {
  return text === null ? null : Buffer.from(text).toString().replaceAll('\0', '\uFFFD')
}
