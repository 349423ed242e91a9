import type { FaultRule } from '../faults.ts'
import { Refusal } from '../refusal.ts'
import type { Repository, User, World } from './world.ts'

export interface Call {
  world: World
  repository: Repository
  user: User
  params: Readonly<Record<string, string>>
  query: URLSearchParams
  body: Readonly<Record<string, unknown>>
  fault: FaultRule | null
}

export interface Answer {
  status: number
  /** Undefined: no content. */
  body?: unknown
  headers?: Record<string, string>
}

export const ok = (body: unknown): Answer => ({ status: 200, body })
export const created = (body: unknown): Answer => ({ status: 201, body })
export function found<T>(item: T | undefined | null): T {
  if (item === undefined || item === null) throw new Refusal(404, 'The target couldn’t be found.')
  return item
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

interface Page<Item> {
  items: Item[]
  headers: Record<string, string>
}

/** `limit` at most what the operator allows, whatever is asked for. */
export function paged<Item>({ world, query }: Call, all: readonly Item[], tells: 'link' | 'total' | 'both' = 'both'): Page<Item> {
  const size = Math.min(Number(query.get('limit') ?? 30), world.maxPage)
  const page = Math.max(Number(query.get('page') ?? 1), 1)
  const headers: Record<string, string> = {}
  if (tells !== 'link') headers['x-total-count'] = String(all.length)
  if (tells !== 'total' && all.length > page * size) headers['link'] = `<${world.origin}/next>; rel="next"`
  return { items: all.slice((page - 1) * size, page * size), headers }
}
