import { createAppAuth } from '@octokit/auth-app'
import { Octokit } from '@octokit/rest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HOUR_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Forge } from './forge.ts'
import { DEPLOY_INPUTS, octokitFor, sandboxClock, shop, temporaryForge } from './forge-fixture.ts'

const at = { owner: 'acme', repo: 'shop' }

describe('the REST API', () => {
  const clock = sandboxClock('2026-11-21T09:00:00Z')
  let forge: Forge
  let alice: Octokit
  let app: Octokit
  let main: string
  let pull: number

  beforeAll(async () => {
    forge = await temporaryForge({ clock })
    await shop(forge)
    forge.app('draven')
    alice = octokitFor(forge, forge.token('alice'))
    app = octokitFor(forge, forge.token('draven'))
    await forge.commit(
      'acme/shop',
      'feature',
      { 'a.txt': 'one\n', 'dir/ü b.txt': 'two\n' },
      { as: 'alice', message: 'Add two files' },
    )
    pull = await forge.openPull('acme/shop', { head: 'feature', author: 'alice', title: 'Two files' })
    main = (await forge.sha('acme/shop', 'main')) ?? ''
  })
  afterAll(() => forge.close())

  it('answers refs, tags and commits as they are in git, by name and by id', async () => {
    await forge.createTag('acme/shop', 'v1.0.0', 'main', { as: 'alice' })
    const annotated = await forge.createTag('acme/shop', 'v1.1.0', 'main', { as: 'alice', message: 'Release' })
    expect((await alice.git.getRef({ ...at, ref: 'tags/v1.0.0' })).data.object).toMatchObject({ type: 'commit', sha: main })
    expect((await alice.git.getRef({ ...at, ref: 'tags/v1.1.0' })).data.object).toMatchObject({ type: 'tag', sha: annotated })
    expect((await alice.git.getTag({ ...at, tag_sha: annotated })).data).toMatchObject({
      tag: 'v1.1.0',
      message: 'Release',
      object: { sha: main, type: 'commit' },
    })
    for (const ref of ['heads/main', 'tags/v1.1.0', 'main', main, main.slice(0, 10)]) {
      expect((await alice.repos.getCommit({ ...at, ref })).data.sha).toBe(main)
    }
    await expect(alice.repos.getCommit({ ...at, ref: 'tags/main' })).rejects.toMatchObject({ status: 422 })
    await expect(alice.git.getRef({ ...at, ref: 'heads/mai' })).rejects.toMatchObject({ status: 404 })
  })

  it('compares two commits both ways', async () => {
    const ahead = (await alice.repos.compareCommitsWithBasehead({ ...at, basehead: 'main...feature' })).data
    expect(ahead).toMatchObject({ status: 'ahead', ahead_by: 1, behind_by: 0, total_commits: 1 })
    expect(ahead.files?.map((file) => [file.filename, file.status, file.additions])).toEqual([
      ['a.txt', 'added', 1],
      ['dir/ü b.txt', 'added', 1],
    ])
    const behind = (await alice.repos.compareCommitsWithBasehead({ ...at, basehead: 'feature...main' })).data
    expect(behind).toMatchObject({ status: 'behind', ahead_by: 0, behind_by: 1 })
  })

  it('shows pull requests in list and detail, with files, commits and reviews', async () => {
    await forge.review('acme/shop', pull, { by: 'bob', state: 'APPROVED' })
    forge.user('erin')
    await forge.review('acme/shop', pull, { by: 'erin', state: 'COMMENTED' })
    expect((await alice.pulls.list({ ...at, base: 'main', state: 'all', sort: 'updated' })).data).toHaveLength(1)
    expect((await alice.pulls.list({ ...at, head: 'acme:feature' })).data[0]?.head.ref).toBe('feature')
    expect((await alice.pulls.get({ ...at, pull_number: pull })).data).toMatchObject({
      merged: false,
      mergeable: true,
      commits: 1,
      changed_files: 2,
      additions: 2,
      user: { login: 'alice' },
    })
    expect((await alice.pulls.listFiles({ ...at, pull_number: pull })).data).toHaveLength(2)
    const [commit] = (await alice.pulls.listCommits({ ...at, pull_number: pull })).data
    expect(commit).toMatchObject({ author: { login: 'alice' }, commit: { message: 'Add two files' } })
    const reviews = (await alice.pulls.listReviews({ ...at, pull_number: pull })).data
    expect(reviews.map((review) => [review.user?.login, review.state])).toEqual([
      ['bob', 'APPROVED'],
      ['erin', 'COMMENTED'],
    ])
    forge.deleteUser('erin')
    expect((await alice.pulls.listReviews({ ...at, pull_number: pull })).data[1]?.user).toBeNull()
  })

  it('tells roles as GitHub spells them, and does not find accounts that are gone', async () => {
    const role = async (username: string) => {
      const { permission, role_name } = (await alice.repos.getCollaboratorPermissionLevel({ ...at, username })).data
      return [permission, role_name]
    }
    expect(await role('alice')).toEqual(['admin', 'admin'])
    expect(await role('bob')).toEqual(['write', 'maintain'])
    expect(await role('dave')).toEqual(['read', 'read'])
    forge.user('frank')
    expect(await role('frank')).toEqual(['none', 'none'])
    forge.suspendUser('frank')
    await expect(role('frank')).rejects.toMatchObject({ status: 404 })
  })

  it('remembers who moved which branch', async () => {
    await forge.commit('acme/shop', 'topic', { x: '1' }, { as: 'carol', author: 'alice' })
    await forge.forcePush('acme/shop', 'topic', main, { as: 'bob' })
    const { data } = await alice.repos.listActivities({ ...at, ref: 'refs/heads/topic' })
    expect(data.map((each) => [each.activity_type, each.actor?.login])).toEqual([
      ['force_push', 'bob'],
      ['branch_creation', 'carol'],
    ])
    const first = await alice.repos.listActivities({ ...at, ref: 'topic', per_page: 1 })
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.link ?? '')?.[1] ?? ''
    expect((await alice.request(`GET ${next}`)).data).toMatchObject([{ activity_type: 'branch_creation' }])
  })

  it('keeps statuses by context and calls none at all pending', async () => {
    const status = (state: 'success' | 'failure', context: string) =>
      alice.repos.createCommitStatus({ ...at, sha: main, state, context })
    expect((await alice.repos.getCombinedStatusForRef({ ...at, ref: main })).data).toMatchObject({
      state: 'pending',
      total_count: 0,
    })
    await status('failure', 'ci/lint')
    await status('success', 'CI/lint')
    await status('success', 'ci/test')
    expect((await alice.repos.getCombinedStatusForRef({ ...at, ref: 'main' })).data).toMatchObject({
      state: 'success',
      total_count: 2,
    })
  })

  it('takes check runs from apps only, and adds annotations up', async () => {
    const wanted = { ...at, name: 'draven/gate', head_sha: main }
    await expect(alice.checks.create(wanted)).rejects.toMatchObject({ status: 403 })
    const annotation = { path: 'README.md', start_line: 1, end_line: 1, annotation_level: 'failure' as const, message: 'no' }
    const output = { title: 'Waiting', summary: 'for one more', annotations: [annotation] }
    const { data: check } = await app.checks.create({ ...wanted, status: 'in_progress', output })
    await app.checks.update({ ...at, check_run_id: check.id, conclusion: 'action_required', output })
    forge.setCheck('acme/shop', main, { name: 'test', conclusion: 'success' })
    const { data } = await alice.checks.listForRef({ ...at, ref: main })
    expect(data.check_runs.map((each) => [each.app?.slug, each.name, each.status, each.conclusion])).toEqual([
      ['github-actions', 'test', 'completed', 'success'],
      ['draven', 'draven/gate', 'completed', 'action_required'],
    ])
    expect(data.check_runs[1]?.output.annotations_count).toBe(2)
    expect((await alice.checks.listSuitesForRef({ ...at, ref: main })).data.total_count).toBe(2)
  })

  it('creates and edits comments, and pages them by absolute links', async () => {
    for (const body of ['one', 'two', 'three']) await app.issues.createComment({ ...at, issue_number: pull, body })
    const list = await alice.paginate(alice.issues.listComments, { ...at, issue_number: pull, per_page: 1 })
    expect(list.map((comment) => comment.body)).toEqual(['one', 'two', 'three'])
    const edited = await app.issues.updateComment({ ...at, comment_id: list[1]!.id, body: 'TWO' })
    expect(edited.data).toMatchObject({ body: 'TWO', user: { login: 'draven[bot]', type: 'Bot' } })
  })

  it('creates deployments, and merges or refuses when not told otherwise', async () => {
    const wanted = { ...at, ref: 'feature', environment: 'prod' }
    const { data } = await alice.repos.createDeployment({ ...wanted, auto_merge: false, required_contexts: [] })
    if (!('id' in data)) throw new Error('no deployment')
    await alice.repos.createDeploymentStatus({
      ...at,
      deployment_id: data.id,
      state: 'success',
      log_url: 'https://example.test/log',
    })
    const unmet = { ...wanted, auto_merge: false, required_contexts: ['never/seen'] }
    await expect(alice.repos.createDeployment(unmet)).rejects.toMatchObject({ status: 409 })
    await forge.commit('acme/shop', 'main', { 'b.txt': 'b' }, { as: 'alice' })
    expect((await alice.repos.createDeployment(wanted)).status).toBe(202)
    expect(await forge.read('acme/shop', 'feature', 'b.txt')).toBe('b')
    main = (await forge.sha('acme/shop', 'main')) ?? ''
  })

  it('gives installation tokens to an app that signs with its key', async () => {
    const clockNow = sandboxClock(new Date().toISOString())
    const other = await temporaryForge({ clock: clockNow })
    try {
      await shop(other)
      const { id, installationId, privateKey } = other.app('draven')
      const auth = { appId: id, privateKey: privateKey(), installationId }
      const asApp = new Octokit({ authStrategy: createAppAuth, auth, baseUrl: other.apiUrl })
      expect((await asApp.apps.getRepoInstallation(at)).data.id).toBe(installationId)
      expect(
        (await asApp.checks.create({ ...at, name: 'x', head_sha: (await other.sha('acme/shop', 'main')) ?? '' })).status,
      ).toBe(201)
      other.assertClean()
    } finally {
      await other.close()
    }
  })

  it('lists runs by date, event and state', async () => {
    const dispatch = { ...at, workflow_id: 'deploy.yml', ref: 'main', inputs: DEPLOY_INPUTS }
    await alice.actions.createWorkflowDispatch(dispatch)
    await forge.settle()
    clock.advance(HOUR_MS)
    await alice.actions.createWorkflowDispatch(dispatch)
    await forge.settle()
    const since = new Date(clock.now() - SECOND_MS).toISOString()
    const count = async (query: object) =>
      (await alice.actions.listWorkflowRuns({ ...at, workflow_id: 'deploy.yml', ...query })).data.total_count
    expect(await count({})).toBe(2)
    expect(await count({ event: 'workflow_dispatch', created: `>=${since}` })).toBe(1)
    expect(await count({ created: `<${since}` })).toBe(1)
    expect(await count({ status: 'success' })).toBe(2)
    expect(await count({ status: 'queued' })).toBe(0)
    expect((await alice.actions.listWorkflowRunsForRepo({ ...at, head_sha: main })).data.total_count).toBe(2)
  })

  it('spends the budget, tells its own time, and answers unchanged things with 304 for free', async () => {
    const first = await alice.rateLimit.get()
    expect(first.headers.date).toBe(new Date(clock.now()).toUTCString())
    const seen = await alice.pulls.get({ ...at, pull_number: pull })
    const headers = { 'if-none-match': seen.headers.etag ?? '' }
    await expect(alice.pulls.get({ ...at, pull_number: pull, headers })).rejects.toMatchObject({ status: 304 })
    const { remaining, used } = (await alice.rateLimit.get()).data.rate
    expect(remaining + used).toBe(5_000)
    expect(used - first.data.rate.used).toBe(2)
  })

  it('lets nobody spend more than an hour’s budget, and fills it up at the next hour', async () => {
    const poor = await temporaryForge({ clock, hourlyBudget: 2 })
    try {
      await shop(poor)
      const octokit = octokitFor(poor, poor.token('alice'))
      const list = async () => (await octokit.pulls.list(at)).headers['x-ratelimit-remaining']
      expect([await list(), await list()]).toEqual(['1', '0'])
      await expect(list()).rejects.toMatchObject({ status: 403, response: { headers: { 'x-ratelimit-remaining': '0' } } })
      clock.advance(HOUR_MS)
      expect(await list()).toBe('1')
    } finally {
      await poor.close()
    }
  })

  it('turns away unknown tokens, hides what may not be seen and forbids what may not be done', async () => {
    const stranger = octokitFor(forge, 'ghp_nobody')
    await expect(stranger.pulls.list(at)).rejects.toMatchObject({ status: 401 })
    forge.user('mallory')
    await expect(octokitFor(forge, forge.token('mallory')).pulls.list(at)).rejects.toMatchObject({ status: 404 })
    const dave = octokitFor(forge, forge.token('dave'))
    expect((await dave.pulls.list(at)).status).toBe(200)
    await expect(dave.repos.createCommitStatus({ ...at, sha: main, state: 'success' })).rejects.toMatchObject({ status: 403 })
    const readOnly = octokitFor(forge, forge.token('alice', { scopes: ['read'] }))
    await expect(readOnly.repos.createCommitStatus({ ...at, sha: main, state: 'success' })).rejects.toMatchObject({ status: 403 })
    const expired = octokitFor(forge, forge.token('alice', { expiresAt: clock.now() }))
    await expect(expired.pulls.list(at)).rejects.toMatchObject({ status: 401 })
  })

  it('has said and heard nothing that GitHub does not describe', ({ skip }) => {
    if (!forge.specChecked) skip('the description of GitHub is not beside the repository')
    forge.assertClean()
  })
})
