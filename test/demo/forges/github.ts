import { startForge } from '../../sandbox/forge.ts'
import type { CheckStatus, Conclusion } from '../../sandbox/world.ts'
import { PEOPLE } from '../config/files.ts'
import { dispatchedWorkflow } from './dispatched-workflow.ts'
import { readJson } from './read-json.ts'
import type { ForgeDocuments, ForgeWords, ShownCheck, StoryForge, StoryForgeOptions } from './story-forge.ts'

const WORDS: ForgeWords = {
  name: 'GitHub',
  pull: 'pull request',
  sign: '#',
  closes: 'closes',
  findings: 'each is an annotation on its line',
  silence: null,
  refusesLateApprovals: false,
}

const DOCUMENTS: ForgeDocuments = {
  provider: 'github',
  apiUrl: null,
  selector: 'deploy.yml',
  requiredCheck: 'build',
  account: (login) => login,
  pipeline: (script) => ({ '.github/workflows/deploy.yml': dispatchedWorkflow(script) }),
}

const WEBHOOK_SECRET = 'demo-webhook-secret'
const EVENTS = { config: ['push', 'pull_request', 'pull_request_review'], code: ['workflow_run'] }

/** The emulated GitHub, with the controller as an app. */
export async function onGithub({ clock, root }: StoryForgeOptions): Promise<StoryForge> {
  const forge = await startForge({ clock, root, actions: 'process' })
  forge.user('acme')
  for (const [login, name] of Object.entries(PEOPLE)) forge.user(login, { name, email: `${login}@acme.example` })
  const app = forge.app('draven')
  const headers = { authorization: `Bearer ${forge.token('greta', { scopes: ['read'] })}` }
  return {
    words: WORDS,
    documents: DOCUMENTS,
    settings: {
      DRAVEN_GITHUB_API_URL: forge.apiUrl,
      DRAVEN_GITHUB_LOGIN: app.login,
      DRAVEN_GITHUB_APP_ID: String(app.id),
      DRAVEN_GITHUB_APP_KEY_REF: 'env:DRAVEN_SECRET_APP_KEY',
      DRAVEN_SECRET_APP_KEY: app.privateKey(),
      DRAVEN_SECRET_WEBHOOK: WEBHOOK_SECRET,
    },
    faults: forge.faults,
    async createRepo(repo, files) {
      await forge.createRepo(repo, { files })
      for (const login of Object.keys(PEOPLE)) forge.addCollaborator(repo, login, 'maintain')
    },
    addHook: (repo, kind, url) => void forge.addHook(repo, { url, secret: WEBHOOK_SECRET, events: EVENTS[kind] }),
    git: forge.git,
    gitUrl: forge.gitUrl,
    cloneUrl: (repo, by) => forge.gitUrl(repo).replace('://', `://${by}:${forge.token(by)}@`),
    commit: forge.commit,
    createTag: forge.createTag,
    passCi: (repo, _branch, sha) => forge.setCheck(repo, sha, { name: DOCUMENTS.requiredCheck, conclusion: 'success' }),
    openPull: forge.openPull,
    headOf: async (repo, pull) => (await forge.sha(repo, `refs/pull/${pull}/head`))!,
    approve: async (repo, pull, by) => void (await forge.review(repo, pull, { by, state: 'APPROVED' })),
    merge: async (repo, pull, by) => void (await forge.merge(repo, pull, { by })),
    closePull: async (repo, pull, by) => void (await forge.closePull(repo, pull, { by })),
    async shownOn(repo, pull, head) {
      const at = `${forge.apiUrl}/repos/${repo}`
      const { check_runs: checks } = await readJson<{ check_runs: CheckBody[] }>(`${at}/commits/${head}/check-runs`, headers)
      const comments = await readJson<{ body: string }[]>(`${at}/issues/${pull}/comments`, headers)
      return {
        validate: checkOf(checks, 'draven/validate'),
        gate: checkOf(checks, 'draven/gate'),
        comment: comments.find(({ body }) => body.includes('### DRAVEN'))?.body ?? '',
      }
    },
    runsOf: (repo, jobId) =>
      forge
        .runs(repo)
        .filter(({ inputs }) => inputs['JOB_ID'] === jobId)
        .map(({ status, attempts, createdAt, jobs }) => ({
          state: status === 'completed' ? 'ended' : status === 'in_progress' ? 'running' : 'queued',
          createdAt,
          endedAt: attempts.at(-1)?.endedAt ?? null,
          log: jobs.map((job) => job.log).join(''),
        })),
    triggerCount: forge.triggerCount,
    settle: forge.settle,
    contractKept() {
      forge.assertClean()
      return forge.specChecked ? 'every call and answer fits GitHub’s published API description' : null
    },
    close: forge.close,
  }
}

interface CheckBody {
  name: string
  status: CheckStatus
  conclusion: Conclusion | null
  output: { title: string | null; annotations_count: number }
}

function checkOf(checks: readonly CheckBody[], name: string): ShownCheck | null {
  const check = checks.find((each) => each.name === name)
  if (check === undefined) return null
  const { conclusion, output } = check
  return {
    state: conclusion === null ? 'pending' : conclusion === 'success' ? 'success' : 'failure',
    title: output.title ?? '',
    annotations: output.annotations_count,
  }
}
