import { formatFindings } from '../../../controller/cli/format-findings.ts'
import type { Finding } from '../../../controller/model/finding.ts'
import { documentCache, loadDesiredState } from '../../../controller/model/load.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { expectThat } from '../cast.ts'
import { CONFIG_REPO } from '../config/repositories.ts'
import { checkLine } from '../pull-view.ts'
import type { Show } from '../show.ts'

const PATH = 'requests/docs/prod/2026-11-23-v2.1.yaml'
const BAD = `apiVersion: draven/v1
kind: DeployRequest
type: deply
ref: { tag: 2.1 }
reason: New handbook
`

/** A mistake is told where it stands, and hurts nobody. */
export async function badFile(show: Show): Promise<void> {
  const { stage, cast, tell } = show
  await tell.heading('4. A bad file is caught on its own pull request')
  await tell.note('Emil is in a hurry:')
  await tell.file(PATH, BAD)
  const { pull } = await cast.propose('emil', { [PATH]: BAD }, 'Release docs')
  await tell.say('Emil', `opens pull request #${pull}`)
  const { validate } = await cast.seen(pull, 'a red check', ({ validate }) => validate.state === 'failure')
  const findings = await findingsOf(show, pull)
  expectThat(findings.length > 0 && validate.annotations === findings.length, 'an annotation for each finding', validate)
  await tell.say('DRAVEN', `${checkLine('validate', validate)}; each is an annotation on its line:`)
  await tell.block(formatFindings(findings, { color: false, max: 5 }))

  await stage.forge.closePull(CONFIG_REPO, pull, { by: 'emil' })
  const inForce = stage.controller.engine.memory.desired?.findings.length
  expectThat(inForce === 0, 'no finding in the config in force', inForce)
  expectThat((await cast.job(PATH)) === null, 'no job from a bad file', PATH)
  await tell.say('Emil', `closes #${pull}`)
  await tell.say('DRAVEN', `nothing else is affected: no job was made, ${inForce} findings on main`)
}

/** The findings on this pull request's file, as `draven validate` prints them on the author's machine. */
async function findingsOf({ stage }: Show, pull: number): Promise<readonly Finding[]> {
  const { source } = stage.controller.engine
  const snapshot = await source.snapshot(commitSha((await stage.forge.sha(CONFIG_REPO, `refs/pull/${pull}/head`))!))
  const desired = await loadDesiredState({
    rules: snapshot,
    requests: snapshot,
    readBlobs: source.readBlobs,
    cache: documentCache(),
  })
  return desired.findings.filter((finding) => finding.place.file === PATH)
}
