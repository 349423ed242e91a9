import { describe, expect, it } from 'vitest'
import { bodyBudget, withBody } from '../../controller/webhooks/body.ts'
import { headersFor, intake, PULL_REQUEST } from './intake.ts'

describe('the memory of all bodies together', () => {
  it('is bounded, and is free again after each', async () => {
    const limits = { maxBytes: 100, budget: bodyBudget(10) }
    const kinds: string[] = []
    await withBody(source('12345678'), limits, async (first) => {
      kinds.push(first.kind)
      await withBody(source('12345678'), limits, async (second) => kinds.push(second.kind))
      await withBody(source('12', true), limits, async (third) => kinds.push(third.kind))
      await withBody(source('123', true), limits, async (fourth) => kinds.push(fourth.kind))
    })
    await withBody(source('1234567890'), limits, async (last) => kinds.push(last.kind))
    expect(kinds).toEqual(['read', 'busy', 'read', 'busy', 'read'])
  })
})

describe('a body', () => {
  const limits = () => ({ maxBytes: 10, budget: bodyBudget(100) })

  it('that turns out longer than it was announced is too large all the same', async () => {
    const liar = { ...source('12345678901'), header: (name: string) => (name === 'content-length' ? '3' : undefined) }
    await withBody(liar, limits(), async ({ kind }) => expect(kind).toBe('too_large'))
  })

  it('that is not there is empty', async () => {
    const none = { header: () => undefined, arrayBuffer: async () => new ArrayBuffer(0), raw: { body: null } }
    await withBody(none, limits(), async (body) => expect(body).toEqual({ kind: 'read', bytes: new Uint8Array() }))
  })

  it('of exactly the largest size is read, announced or in chunks, and one byte more is not', async () => {
    const kindOf = (text: string, chunked: boolean) => withBody(source(text, chunked), limits(), async ({ kind }) => kind)
    for (const chunked of [false, true]) {
      expect(await kindOf('1234567890', chunked)).toBe('read')
      expect(await kindOf('12345678901', chunked)).toBe('too_large')
    }
  })

  it('comes whole and in order, however many pieces it has', async () => {
    const pieces = ['ab', 'c', '', 'def'].map((piece) => Buffer.from(piece))
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const piece = pieces.shift()
        if (piece === undefined) controller.close()
        else controller.enqueue(piece)
      },
    })
    const request = { ...source('', true), raw: { body: stream } }
    expect(await withBody(request, limits(), async (body) => body.kind === 'read' && Buffer.from(body.bytes).toString())).toBe(
      'abcdef',
    )
    expect(
      await withBody(source('abc'), limits(), async (body) => body.kind === 'read' && Buffer.from(body.bytes).toString()),
    ).toBe('abc')
  })

  it('that breaks off is said to have, and its share is free again', async () => {
    const broken = {
      ...source('', true),
      raw: { body: new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) }) },
    }
    const shared = { maxBytes: 10, budget: bodyBudget(10) }
    expect(await withBody(broken, shared, async ({ kind }) => kind)).toBe('aborted')
    const torn = { ...source('1234567890'), arrayBuffer: () => Promise.reject(new Error('gone')) }
    expect(await withBody(torn, shared, async ({ kind }) => kind)).toBe('aborted')
    await expect(
      withBody(source('1234567890'), shared, async () => {
        throw new Error('used in vain')
      }),
    ).rejects.toThrow('used in vain')
    expect(await withBody(source('1234567890'), shared, async ({ kind }) => kind)).toBe('read')
  })

  it.each([
    ['is no number', { 'content-length': '3x' }],
    ['is no length', { 'content-length': '-3' }],
    ['is one among several', { 'content-length': '3, 3' }],
    ['is endless', { 'content-length': '1'.repeat(16) }],
    ['is given beside an encoding', { 'content-length': '3', 'transfer-encoding': 'chunked' }],
  ])('whose announcement %s is measured as it comes', async (_, headers: Record<string, string>) => {
    const measured = {
      ...source('123'),
      header: (name: string) => headers[name],
      arrayBuffer: () => Promise.reject(new Error('believed')),
    }
    expect(await withBody(measured, limits(), async (body) => body)).toEqual({ kind: 'read', bytes: Buffer.from('123') })
  })

  it('for which there is no room now is asked to come back', async () => {
    const { app } = intake({ maxBufferedBytes: 3 })
    const answer = await app.request('/webhooks/forge', {
      method: 'POST',
      body: PULL_REQUEST,
      headers: { ...headersFor(PULL_REQUEST), 'content-length': String(PULL_REQUEST.length) },
    })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
  })
})

/** A request body with its length announced, or in chunks. */
function source(text: string, chunked = false) {
  const request = new Request('http://127.0.0.1/', { method: 'POST', body: text })
  return {
    header: (name: string) => (name === 'content-length' && !chunked ? String(text.length) : undefined),
    arrayBuffer: () => request.arrayBuffer(),
    raw: request,
  }
}
