import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Forge, ForgeOptions } from './forge.ts'
import { DEPLOY_INPUTS, DEPLOY_WORKFLOW, octokitFor, shop, temporaryForge } from './forge-fixture.ts'

const at = { owner: 'acme', repo: 'shop' }
const dispatch = { ...at, workflow_id: 'deploy.yml', ref: 'main', inputs: DEPLOY_INPUTS }

describe('actions', () => {
  let forge: Forge
  afterEach(async () => {
    await forge.close()
    forge.assertClean()
  })

  async function start(options: Partial<ForgeOptions>, workflow?: string) {
    forge = await temporaryForge(options)
    await shop(forge, workflow)
    return octokitFor(forge, forge.token('alice'))
  }

  /** Dispatches and gives the run's id, as servers do that return it. */
  async function dispatched(octokit: Awaited<ReturnType<typeof start>>, more: object = {}): Promise<number> {
    const { data } = await octokit.actions.createWorkflowDispatch({ ...dispatch, ...more, return_run_details: true })
    return (data as unknown as { workflow_run_id: number }).workflow_run_id
  }

  it('really run the script with its inputs, under the name that names the job', async () => {
    const octokit = await start({ actions: 'process' })
    const run_id = await dispatched(octokit)
    await forge.settle()
    const { data: run } = await octokit.actions.getWorkflowRun({ ...at, run_id })
    expect(run).toMatchObject({
      status: 'completed',
      conclusion: 'success',
      display_title: 'Deploy v1.0.0 to prod (job-1)',
      path: '.github/workflows/deploy.yml',
      head_sha: await forge.sha('acme/shop', 'main'),
      run_attempt: 1,
    })
    const { jobs } = (await octokit.actions.listJobsForWorkflowRun({ ...at, run_id })).data
    expect(jobs).toMatchObject([{ name: 'deploy', conclusion: 'success', steps: [{ name: 'Deploy', conclusion: 'success' }] }])
    const log = await octokit.actions.downloadJobLogsForWorkflowRun({ ...at, job_id: jobs[0]!.id })
    expect(log.data).toBe('job-1 deploys v1.0.0 (deploy) to prod\n')
    const checks = await octokit.checks.listForRef({ ...at, ref: run.head_sha })
    expect(checks.data.check_runs).toMatchObject([{ name: 'deploy', app: { slug: 'github-actions' }, conclusion: 'success' }])
  })

  it('answer 204 unless the run is asked for', async () => {
    const octokit = await start({ actions: 'manual' })
    expect((await octokit.actions.createWorkflowDispatch(dispatch)).status).toBe(204)
    expect(forge.runs('acme/shop')).toHaveLength(1)
  })

  it('answer 204 even then on a server that is too old', async () => {
    const octokit = await start({ actions: 'manual', returnsRunDetails: false })
    const { status } = await octokit.actions.createWorkflowDispatch({ ...dispatch, return_run_details: true })
    expect([status, forge.triggerCount('job-1')]).toEqual([204, 1])
  })

  it('fail with the script, skip what follows and still run what always runs', async () => {
    const steps = ['exit 3', 'echo never', 'echo cleaned']
    const workflow = DEPLOY_WORKFLOW.replace(
      / {4}steps:[\s\S]*/,
      `    steps:\n${steps.map((run) => `      - run: ${run}\n`).join('')}        if: always()\n`,
    )
    const octokit = await start({ actions: 'process' }, workflow)
    const run_id = await dispatched(octokit)
    await forge.settle()
    const { jobs } = (await octokit.actions.listJobsForWorkflowRun({ ...at, run_id })).data
    expect(jobs[0]).toMatchObject({ conclusion: 'failure' })
    expect(jobs[0]?.steps?.map((step) => step.conclusion)).toEqual(['failure', 'skipped', 'success'])
    expect((await octokit.actions.getWorkflowRun({ ...at, run_id })).data.conclusion).toBe('failure')
  })

  it('are killed by a cancel, with everything the script had started', async () => {
    const endless = DEPLOY_WORKFLOW.replace(
      /run: \|[\s\S]*/,
      'run: |\n          sleep 600 &\n          echo "child $!"\n          wait\n',
    )
    const octokit = await start({ actions: 'process' }, endless)
    const run_id = await dispatched(octokit)
    const log = () => forge.runs('acme/shop')[0]?.jobs[0]?.log ?? ''
    await vi.waitFor(() => expect(log()).toContain('child'), { timeout: 10_000 })
    const child = Number(/child (\d+)/.exec(log())?.[1])
    expect((await octokit.actions.cancelWorkflowRun({ ...at, run_id })).status).toBe(202)
    await forge.settle()
    expect((await octokit.actions.getWorkflowRun({ ...at, run_id })).data).toMatchObject({
      status: 'completed',
      conclusion: 'cancelled',
    })
    await vi.waitFor(() => expect(() => process.kill(child, 0)).toThrow('ESRCH'), { timeout: 10_000 })
    await expect(octokit.actions.cancelWorkflowRun({ ...at, run_id })).rejects.toMatchObject({ status: 409 })
  })

  it('end with the forge that runs them', async () => {
    const octokit = await start(
      { actions: 'process' },
      DEPLOY_WORKFLOW.replace(/run: \|[\s\S]*/, 'run: echo $BASHPID; sleep 600\n'),
    )
    await dispatched(octokit)
    const log = () => forge.runs('acme/shop')[0]?.jobs[0]?.log ?? ''
    await vi.waitFor(() => expect(log()).toMatch(/\d+/), { timeout: 10_000 })
    await forge.close()
    expect(() => process.kill(Number(log()), 0)).toThrow('ESRCH')
  })

  it('stop what always runs only by force', async () => {
    const stubborn = DEPLOY_WORKFLOW.replace(
      /run: \|[\s\S]*/,
      'run: sleep 600\n      - run: echo cleaning; sleep 600\n        if: always()\n',
    )
    const octokit = await start({ actions: 'process' }, stubborn)
    const run_id = await dispatched(octokit)
    const run = () => forge.runs('acme/shop')[0]
    await vi.waitFor(() => expect(run()?.jobs[0]?.steps[0]?.status).toBe('in_progress'), { timeout: 10_000 })
    await octokit.actions.cancelWorkflowRun({ ...at, run_id })
    await vi.waitFor(() => expect(run()?.jobs[0]?.log).toContain('cleaning'), { timeout: 10_000 })
    expect(run()?.status).toBe('in_progress')
    await octokit.actions.forceCancelWorkflowRun({ ...at, run_id })
    await forge.settle()
    expect(run()).toMatchObject({ status: 'completed', conclusion: 'cancelled' })
  })

  it('run again under the same id with the next attempt', async () => {
    const octokit = await start({ actions: 'instant' })
    const run_id = await dispatched(octokit)
    await forge.settle()
    await octokit.actions.reRunWorkflow({ ...at, run_id })
    await forge.settle()
    expect((await octokit.actions.getWorkflowRun({ ...at, run_id })).data).toMatchObject({
      id: run_id,
      run_attempt: 2,
      conclusion: 'success',
    })
    expect((await octokit.actions.listJobsForWorkflowRun({ ...at, run_id, filter: 'all' })).data.total_count).toBe(2)
    expect(forge.triggerCount('job-1')).toBe(1)
    expect(forge.liveRuns('prod').map(({ attempt, endedAt }) => [attempt, endedAt !== null])).toEqual([
      [1, true],
      [2, true],
    ])
  })

  it.each([
    ['an undeclared input', { inputs: { ...DEPLOY_INPUTS, EXTRA: 'x' } }, 422, 'Unexpected inputs provided: ["EXTRA"]'],
    ['a missing required input', { inputs: { JOB_ID: 'job-1' } }, 422, "Required input 'ENV' not provided"],
    ['an unknown ref', { ref: 'nowhere' }, 422, 'No ref found for: nowhere'],
    ['a workflow that is not there', { workflow_id: 'other.yml' }, 404, 'Not Found'],
    ['a workflow without the trigger', { workflow_id: 'ci.yml' }, 422, "Workflow does not have 'workflow_dispatch' trigger"],
    ['a ref without the workflow', { ref: 'old' }, 422, 'does not exist on ref old'],
  ])('refuse %s', async (_, wrong, status, message) => {
    const octokit = await start({ actions: 'manual' })
    await forge.commit('acme/shop', 'main', { '.github/workflows/ci.yml': 'on: push\njobs: {}\n' }, { as: 'alice' })
    await forge.commit('acme/shop', 'old', { '.github/workflows/deploy.yml': null }, { as: 'alice' })
    const error = await octokit.actions.createWorkflowDispatch({ ...dispatch, ...wrong }).catch((each: unknown) => each)
    expect(error).toMatchObject({ status })
    expect(String(error)).toContain(message)
    expect(forge.runs('acme/shop')).toHaveLength(0)
  })

  it('take tags, but no commit ids, as refs', async () => {
    const octokit = await start({ actions: 'manual' })
    const sha = (await forge.sha('acme/shop', 'main')) ?? ''
    await forge.createTag('acme/shop', 'v1.0.0', 'main', { as: 'alice', message: 'annotated' })
    await dispatched(octokit, { ref: 'v1.0.0' })
    expect(forge.runs('acme/shop')[0]).toMatchObject({ ref: 'refs/tags/v1.0.0', head: { sha } })
    await expect(dispatched(octokit, { ref: sha })).rejects.toMatchObject({ status: 422 })
  })

  it('keep one running and one waiting of a concurrency group, whose name does not mind capitals', async () => {
    const octokit = await start({ actions: 'manual' }, `${DEPLOY_WORKFLOW}concurrency: deploy-\${{ inputs.ENV }}\n`)
    const first = await dispatched(octokit)
    const second = await dispatched(octokit)
    const third = await dispatched(octokit, { inputs: { ...DEPLOY_INPUTS, ENV: 'PROD' } })
    const states = () => forge.runs('acme/shop').map((run) => [run.id, run.status, run.conclusion])
    expect(states()).toEqual([
      [first, 'queued', null],
      [second, 'completed', 'cancelled'],
      [third, 'pending', null],
    ])
    forge.finishRun(first, 'success')
    expect(states()[2]).toEqual([third, 'queued', null])
  })

  it('move only by hand in manual mode, and can vanish', async () => {
    const octokit = await start({ actions: 'manual' })
    const run_id = await dispatched(octokit)
    const state = async () => (await octokit.actions.getWorkflowRun({ ...at, run_id })).data
    expect(await state()).toMatchObject({ status: 'queued', conclusion: null })
    forge.startRun(run_id)
    expect(await state()).toMatchObject({ status: 'in_progress' })
    forge.finishRun(run_id, 'failure')
    expect(await state()).toMatchObject({ status: 'completed', conclusion: 'failure' })
    forge.removeRun(run_id)
    await expect(state()).rejects.toMatchObject({ status: 404 })
    expect(forge.triggerCount('job-1')).toBe(1)
  })
})
