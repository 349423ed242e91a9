import { startBitbucket } from '../../sandbox/bitbucket/forge.ts'
import { ENDED } from '../../sandbox/bitbucket/world.ts'
import { PEOPLE } from '../config/files.ts'
import { readJson } from './read-json.ts'
import type { ForgeDocuments, ForgeWords, ShownCheck, StoryForge, StoryForgeOptions } from './story-forge.ts'

const WORDS: ForgeWords = {
  name: 'Bitbucket',
  pull: 'pull request',
  sign: '#',
  closes: 'declines',
  findings: 'each is an annotation on its line',
  silence: null,
  refusesLateApprovals: false,
}

/** A pipeline says first whose it is: Bitbucket's answers do not. */
const CLAIM = [
  'curl --fail --silent --show-error --retry 5 --proxy "$PIPELINES_PROXY" --output /dev/null',
  `--request PUT --header 'Content-Type: application/json'`,
  String.raw`--data "{\"type\": \"report\", \"title\": \"DRAVEN job\", \"details\": \"pipeline $BITBUCKET_PIPELINE_UUID\", \"report_type\": \"TEST\"}"`,
  '"http://api.bitbucket.org/2.0/repositories/$BITBUCKET_REPO_FULL_NAME/commit/$BITBUCKET_COMMIT/reports/draven-job-$JOB_ID"',
].join(' ')

function definition(script: readonly string[]): string {
  return `pipelines:
  custom:
    deploy:
      - step:
          name: Deploy
          script:
${[CLAIM, ...script].map((line) => `            - ${JSON.stringify(line)}\n`).join('')}`
}

const BOT = 'draven-bot'
const WEBHOOK_SECRET = 'demo-webhook-secret'

/** The emulated Bitbucket Cloud, where an account is known by its UUID. */
export async function onBitbucket({ clock, root }: StoryForgeOptions): Promise<StoryForge> {
  const forge = await startBitbucket({ clock, root, pipelines: 'process' })
  const uuids = new Map(
    Object.keys(PEOPLE).map((login) => [login, forge.user(login, { email: `${login}@acme.example` }).uuid.replace(/[{}]/g, '')]),
  )
  forge.user(BOT, { type: 'app_user' })
  const documents: ForgeDocuments = {
    provider: 'bitbucket',
    apiUrl: null,
    selector: 'custom:deploy',
    requiredCheck: 'build',
    account: (login) => uuids.get(login)!,
    pipeline: (script) => ({ 'bitbucket-pipelines.yml': definition(script) }),
  }
  const headers = { authorization: `Bearer ${forge.token('greta')}` }
  return {
    words: WORDS,
    documents,
    settings: {
      DRAVEN_BITBUCKET_API_URL: forge.apiUrl,
      DRAVEN_SECRET_BITBUCKET_TOKEN: forge.token(BOT),
      DRAVEN_SECRET_WEBHOOK: WEBHOOK_SECRET,
    },
    faults: forge.faults,
    async createRepo(repo, files) {
      await forge.createRepo(repo, { files })
      for (const login of [...Object.keys(PEOPLE), BOT]) forge.addMember(repo, login, 'write')
    },
    addHook: (repo, _kind, url) => void forge.addHook(repo, { url, secret: WEBHOOK_SECRET }),
    git: (repo) => forge.repository(repo).git,
    gitUrl: forge.gitUrl,
    cloneUrl: (repo, by) => forge.gitUrl(repo).replace('://', `://x-token-auth:${forge.token(by)}@`),
    commit: forge.commit,
    createTag: forge.createTag,
    passCi(repo, branch, sha, by) {
      forge.setPipeline(forge.addPipeline(repo, { branch, sha, by, steps: [documents.requiredCheck] }).uuid, 'SUCCESSFUL')
    },
    openPull: forge.openPull,
    headOf: async (repo, pull) => forge.pull(repo, pull).sha,
    approve: async (repo, pull, by) => forge.approve(repo, pull, by),
    merge: async (repo, pull, by) => void (await forge.merge(repo, pull, { by })),
    closePull: async (repo, pull, by) => forge.decline(repo, pull, { by }),
    async shownOn(repo, pull, head) {
      const at = `${forge.apiUrl}/repositories/${repo}`
      const statuses = await readJson<Page<StatusBody>>(`${at}/commit/${head}/statuses?pagelen=100`, headers)
      const comments = await readJson<Page<{ content: { raw: string } }>>(
        `${at}/pullrequests/${pull}/comments?pagelen=100`,
        headers,
      )
      // The API answers them one report at a time; the emulator keeps them without that call.
      const annotations = forge.repository(repo).reports.get(`${head} draven-validate`)?.annotations.size ?? 0
      return {
        validate: checkOf(statuses.values, 'draven/validate', annotations),
        gate: checkOf(statuses.values, 'draven/gate', 0),
        comment: comments.values.find(({ content }) => content.raw.includes('### DRAVEN'))?.content.raw ?? '',
      }
    },
    runsOf: (repo, jobId) =>
      forge
        .pipelines(repo)
        .filter(({ variables }) => variables['JOB_ID'] === jobId)
        .map(({ word, createdAt, completedAt, steps }) => ({
          state: ENDED.includes(word) ? 'ended' : word === 'RUNNING' ? 'running' : 'queued',
          createdAt,
          endedAt: completedAt,
          log: steps.map((step) => step.log).join(''),
        })),
    triggerCount: forge.triggerCount,
    settle: forge.settle,
    contractKept() {
      forge.assertClean()
      return forge.specChecked ? 'every call and answer fits Bitbucket’s published API description' : null
    },
    close: forge.close,
  }
}

interface Page<T> {
  values: T[]
}

interface StatusBody {
  key: string
  state: string
  description: string
}

function checkOf(statuses: readonly StatusBody[], name: string, annotations: number): ShownCheck | null {
  const status = statuses.find(({ key }) => key === name)
  if (status === undefined) return null
  const state = status.state === 'SUCCESSFUL' ? 'success' : status.state === 'INPROGRESS' ? 'pending' : 'failure'
  return { state, title: status.description, annotations }
}
