import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defaultSpecPath, openContract } from './contract.ts'
import type { Forge } from './forge.ts'
import { octokitFor, shop, temporaryForge } from './forge-fixture.ts'

const described = existsSync(defaultSpecPath())
if (!described) console.warn(`Skipped: ${defaultSpecPath()} is not there.`)

describe.runIf(described)('the contract with GitHub', () => {
  let forge: Forge
  beforeEach(async () => {
    forge = await temporaryForge()
    await shop(forge)
    forge.app('draven')
  })
  afterEach(() => forge.close())

  async function send(method: string, path: string, body?: unknown): Promise<void> {
    const headers = { authorization: `Bearer ${forge.token('draven')}` }
    await fetch(`${forge.apiUrl}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  }

  const dispatch = '/repos/acme/shop/actions/workflows/deploy.yml/dispatches'
  it.each<[string, string, string, unknown, string]>([
    ['an unknown path', 'GET', '/repos/acme/shop/pull', undefined, 'no such operation'],
    ['an unknown method', 'DELETE', '/repos/acme/shop/pulls', undefined, 'no such operation'],
    ['an unknown parameter', 'GET', '/repos/acme/shop/pulls?stat=open', undefined, 'parameter stat is unknown'],
    ['a wrong parameter', 'GET', '/repos/acme/shop/pulls?per_page=many', undefined, 'parameter per_page: /value must be integer'],
    [
      'a word outside of the list',
      'GET',
      '/repos/acme/shop/pulls?state=merged',
      undefined,
      'parameter state: /value must be equal to one',
    ],
    ['a missing body', 'POST', dispatch, undefined, 'the body is missing'],
    ['a missing property', 'POST', dispatch, { inputs: {} }, "body: (whole) must have required property 'ref'"],
    ['an unknown property', 'POST', dispatch, { ref: 'main', input: {} }, 'body: /input is unknown'],
    ['a wrong type', 'POST', dispatch, { ref: 1 }, 'body: /ref must be string'],
    [
      'a check run with too many annotations',
      'POST',
      '/repos/acme/shop/check-runs',
      { name: 'x', head_sha: 'main', output: { title: '', summary: '', annotations: Array(51).fill({}) } },
      'body: /output/annotations must NOT have more than 50 items',
    ],
    [
      'a deep unknown property',
      'POST',
      '/repos/acme/shop/check-runs',
      { name: 'x', head_sha: 'main', output: { title: '', summary: '', sumary: '' } },
      'body: /output/sumary is unknown',
    ],
    [
      'a body where none belongs',
      'POST',
      '/repos/acme/shop/actions/runs/1/cancel',
      { now: true },
      'a body was sent where none is described',
    ],
  ])('is broken by %s', async (_, method, path, body, detail) => {
    await send(method, path, body)
    expect(forge.violations.map((violation) => violation.detail).join('\n')).toContain(detail)
    expect(forge.violations.every((violation) => violation.side === 'request')).toBe(true)
    expect(() => forge.assertClean()).toThrow(detail)
  })

  it('is kept by a date search that the description itself allows', async () => {
    const alice = octokitFor(forge, forge.token('alice'))
    await alice.actions.listWorkflowRunsForRepo({ owner: 'acme', repo: 'shop', created: '>=2026-11-21T00:00:00Z' })
    forge.assertClean()
  })

  it('binds the emulator’s own answers', () => {
    const contract = openContract(defaultSpecPath())
    const answered = (path: string, status: number, body: unknown) => {
      contract.violations.length = 0
      contract.answer({ method: 'GET', path }, status, body)
      return contract.violations.map(({ detail }) => detail).join('\n')
    }
    const reference = {
      ref: 'refs/heads/main',
      node_id: 'x',
      url: 'https://example.test',
      object: { type: 'commit', sha: 'a'.repeat(40), url: 'https://example.test' },
    }
    const path = '/repos/{owner}/{repo}/git/ref/{ref}'
    expect(answered(path, 200, reference)).toBe('')
    expect(answered(path, 200, { ...reference, object: { ...reference.object, more: 1 } })).toBe('/object/more is unknown')
    expect(answered(path, 200, { ...reference, ref: null })).toContain('/ref must be string')
    expect(answered(path, 201, reference)).toBe('status is not described')
    expect(answered(path, 404, { message: 'Not Found' })).toBe('')
    expect(answered(path, 418, { oops: true })).toBe('/oops is unknown')
    expect(answered('/repos/{owner}/{repo}/pulls', 200, [{}])).toContain('/0 must have required property')
  })
})

it('a forge without the description says so once and records only what it does not know', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const forge = await temporaryForge({ specPath: null })
  try {
    await shop(forge)
    expect(warn).toHaveBeenCalledOnce()
    expect(forge.specChecked).toBe(false)
    await expect(octokitFor(forge, forge.token('alice')).request('GET /nowhere')).rejects.toMatchObject({ status: 404 })
    expect(forge.violations).toHaveLength(1)
  } finally {
    warn.mockRestore()
    await forge.close()
  }
})
