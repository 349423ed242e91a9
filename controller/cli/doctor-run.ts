import { ConfigFault, RefusedFault, TransientFault } from '../errors.ts'
import { silentLogger } from '../log.ts'
import type { DesiredState, Project } from '../model/desired-state.ts'
import type { AccessReport } from '../providers/access.ts'
import { atCode } from '../providers/at-code.ts'
import { readCommandsFile } from '../providers/local/commands-file.ts'
import type { ConnectedProviders } from '../providers/table.ts'
import type { SecretReader } from '../secrets/references.ts'
import { readSettings, type Settings } from '../settings.ts'
import { type Check, fail, ok, warn } from './doctor-check.ts'
import { checkDataDirectory, checkGit, checkNode, checkPostgresDatabase } from './doctor-machine.ts'
import { accessChecks, approverCheck, clockCheck, configCheck, localCheck } from './doctor-reports.ts'
import type { Io } from './io.ts'
import { withAbsolutePaths } from './serve.ts'

const TIMEOUTS = { callMs: 15_000, triggerMs: 15_000 }
const FETCH_TIMEOUT_MS = 60_000

/** Every check in the order in which a person would mend them; a check that hangs on a failed one is left out. */
export async function* runChecks(io: Io): AsyncGenerator<Check> {
  yield checkNode(process.versions.node)
  yield await checkGit()
  let settings: Settings
  try {
    settings = withAbsolutePaths(readSettings(io.env), io.cwd)
  } catch (error) {
    yield faultCheck('settings', error)
    return
  }
  yield ok('settings', 'readable')
  yield* checkDataDirectory(settings.dataDirectory, settings.database)
  if (settings.database.kind === 'postgres') yield await checkPostgresDatabase(io.clock, settings.database.url)
  const surroundings = await connect(io, settings)
  yield await webhookCheck(settings, surroundings.secrets)
  const read = await readConfig(settings, surroundings.providers)
  yield read.check
  const approvers = read.desired === null ? null : approverCheck(settings, read.desired)
  if (approvers !== null) yield approvers
  yield* callbackCheck(settings, read.desired)
  const reports: AccessReport[] = []
  yield* access(settings, surroundings.providers, read.desired, reports)
  yield* clockCheck(reports)
}

async function connect(io: Io, settings: Settings): Promise<{ providers: ConnectedProviders; secrets: SecretReader }> {
  const [{ connectProviders }, { secretReader }] = await Promise.all([
    import('../providers/table.ts'),
    import('../secrets/references.ts'),
  ])
  const secrets = secretReader({ env: io.env, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: settings.secretsDirectory })
  const { config } = settings
  const providers = connectProviders({
    ...settings.forges,
    local: null,
    allowedOrigins: settings.allowedOrigins,
    callbacks: { of: async () => [] },
    secrets,
    redactor: io.redactor,
    fetch: io.fetch,
    clock: io.clock,
    log: silentLogger,
    timeouts: TIMEOUTS,
    configRepo: config.kind === 'remote' ? { provider: config.provider, fullName: config.repoFullName } : null,
  })
  return { providers, secrets }
}

async function webhookCheck({ config, webhookSecretRefs, configForge, timing }: Settings, secrets: SecretReader): Promise<Check> {
  const name = 'webhooks'
  if (config.kind === 'directory' && webhookSecretRefs.length === 0) return ok(name, 'not needed: the directory is watched')
  if (webhookSecretRefs.length === 0) {
    return warn(
      name,
      `polling only, every ${timing.pollMs / 1_000} s: no webhook secret is set`,
      `For answers within a second, set DRAVEN_WEBHOOK_SECRET_REF and add a webhook to /webhooks/${configForge}.`,
    )
  }
  try {
    for (const ref of webhookSecretRefs) await secrets.read(ref)
    return ok(name, `the secret is set; deliveries go to /webhooks/${configForge}`)
  } catch (error) {
    return faultCheck(name, error)
  }
}

interface ReadConfig {
  check: Check
  desired: DesiredState | null
}

/** Reads the config branch as the controller would, into a mirror of its own that is thrown away. */
async function readConfig(settings: Settings, providers: ConnectedProviders): Promise<ReadConfig> {
  const [{ withConfigSource }, { documentCache, loadDesiredState }] = await Promise.all([
    import('./doctor-source.ts'),
    import('../model/load.ts'),
  ])
  try {
    return await withConfigSource(settings, providers.gitAuthorization, FETCH_TIMEOUT_MS, async (source) => {
      const snapshot = await source.snapshot(await source.fetch())
      const cache = documentCache()
      const desired = await loadDesiredState({ rules: snapshot, requests: snapshot, readBlobs: source.readBlobs, cache })
      return { check: configCheck(settings, snapshot.commit, desired), desired }
    })
  } catch (error) {
    return { check: faultCheck('config', error), desired: null }
  }
}

/** Whoever asks for callbacks has pipelines that do nothing without. */
function* callbackCheck({ publicUrl }: Settings, desired: DesiredState | null): Generator<Check> {
  const asking = [...(desired?.projects.values() ?? [])].filter((project) => project.active && project.integration.callbacks)
  if (asking.length === 0) return
  const names = asking.map(({ name }) => name).join(', ')
  yield publicUrl === null
    ? fail(
        'callbacks',
        `asked for by ${names}, whose jobs are refused`,
        'Set DRAVEN_PUBLIC_URL to where pipelines reach this controller.',
      )
    : ok('callbacks', `of ${names} come to ${publicUrl}/callbacks`)
}

/** One look for each repository, however many projects share it. */
async function* access(
  settings: Settings,
  providers: ConnectedProviders,
  desired: DesiredState | null,
  reports: AccessReport[],
): AsyncGenerator<Check> {
  const targets = new Map<string, { name: string; target: 'config' | Project }>()
  if (providers.configHost !== null) targets.set('config', { name: 'access config', target: 'config' })
  for (const project of desired?.projects.values() ?? []) {
    if (!project.active) continue
    const where = [
      { name: `access ${project.name}`, target: project },
      { name: `access ${project.name} code`, target: atCode(project) },
    ]
    for (const { name, target } of where) {
      const { provider, apiUrl, repoFullName, credentialRef, pipelines } = target.integration
      // One credential is asked about once; commands of this machine are each project's own.
      const key = JSON.stringify([provider, apiUrl, repoFullName, credentialRef, provider === 'local' ? [...pipelines] : null])
      if (!targets.has(key)) targets.set(key, { name, target })
    }
  }
  for (const { name, target } of targets.values()) {
    try {
      if (target !== 'config' && target.integration.provider === 'local') {
        yield await checkLocal(name, target, settings)
        continue
      }
      const report = await providers.describeAccess(target)
      if (report === null) continue
      reports.push(report)
      yield* accessChecks(name, report)
    } catch (error) {
      yield faultCheck(name, error)
    }
  }
}

/** Commands of this machine need no credential, but a file that lists them. */
async function checkLocal(name: string, project: Project, { localPipelinesFile: file }: Settings): Promise<Check> {
  if (file !== null) return localCheck(name, project, await readCommandsFile(file))
  const fix = 'Set DRAVEN_LOCAL_PIPELINES to the file that lists them; docs/local.md has one.'
  return warn(name, 'no local commands are configured, so its jobs are refused', fix)
}

/** A fault of the outside as a failed check. Anything else is a defect of ours and goes on upwards. */
function faultCheck(name: string, error: unknown): Check {
  if (error instanceof ConfigFault) return fail(name, error.message, error.fix)
  if (error instanceof RefusedFault) return fail(name, error.message, 'Mend that, then run draven doctor again.')
  if (error instanceof TransientFault) {
    return fail(name, error.message, 'Check the address and the network, then run draven doctor again.')
  }
  throw error
}
