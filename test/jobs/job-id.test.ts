import { describe, expect, it } from 'vitest'
import { isJobId, jobIdFor } from '../../controller/jobs/job-id.ts'

describe('the id of a job', () => {
  it('is the same for the same file of the same repository, and another for any other', () => {
    const id = jobIdFor('acme', 'requests/shop/prod/a.yaml')
    expect(jobIdFor('acme', 'requests/shop/prod/a.yaml')).toBe(id)
    expect(jobIdFor('acme', 'requests/shop/prod/b.yaml')).not.toBe(id)
    expect(jobIdFor('other', 'requests/shop/prod/a.yaml')).not.toBe(id)
  })

  it('is a version 5 UUID that never changes between releases', () => {
    const id = jobIdFor('acme', 'requests/shop/prod/a.yaml')
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(isJobId(id)).toBe(true)
    expect(isJobId('1234')).toBe(false)
  })
})
