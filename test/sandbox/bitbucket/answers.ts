import { Refusal } from '../refusal.ts'
import type { Answer } from './api.ts'

export const ok = (body: unknown): Answer => ({ status: 200, body })
export const created = (body: unknown): Answer => ({ status: 201, body })
export const listed = (list: readonly unknown[]): Answer => ({ status: 200, list })

export function found<T>(item: T | undefined | null, what: string): T {
  if (item === undefined || item === null) throw new Refusal(404, `${what} not found`)
  return item
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
