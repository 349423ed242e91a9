import { formatFindings } from '../../../controller/cli/format-findings.ts'
import type { Finding } from '../../../controller/model/finding.ts'
import { documentCache, loadDesiredState } from '../../../controller/model/load.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { expectThat } from '../cast.ts'
import { CONFIG_REPO } from '../config/repositories.ts'
import { checkLine } from '../pull-view.ts'
import { numbered, type Show } from '../show.ts'

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
  const { words } = stage.forge
  await tell.heading(`4. A bad file is caught on its own ${words.pull}`)
  const before = inForce(show)
  await tell.note('Emil is in a hurry:')
  await tell.file(PATH, BAD)
  const { pull } = await cast.propose('emil', { [PATH]: BAD }, 'Release docs')
  await tell.say('Emil', `opens ${words.pull} ${numbered(show, pull)}`)
  const { validate, comment } = await cast.seen(pull, 'a red check', ({ validate }) => validate.state === 'failure')
  const findings = await findingsOf(show, pull)
  const shown = validate.annotations ?? findings.filter(({ place }) => comment.includes(`${place.file}:${place.line}:`)).length
  expectThat(findings.length > 0 && shown === findings.length, 'every finding to be shown with its line', { validate, comment })
  await tell.say('DRAVEN', `${checkLine('validate', validate)}; ${words.findings}:`)
  await tell.block(formatFindings(findings, { color: false, max: 5 }))

  await cast.close(pull, 'emil')
  const after = inForce(show)
  expectThat(after.length === before.length, `${before.length} findings in the config in force, as before`, after)
  expectThat((await cast.job(PATH)) === null, 'no job from a bad file', PATH)
  await tell.say('Emil', `${words.closes} ${numbered(show, pull)}`)
  // A forge may lack something that documents ask for, which is a warning wherever they do.
  const [first] = after
  const known = first === undefined ? '' : ` as before (“${first.message}”)`
  await tell.say('DRAVEN', `nothing else is affected: no job was made, ${after.length} findings on main${known}`)
}

/** Findings on the config that is in force; none of them may be an error. */
function inForce({ stage }: Show): readonly Finding[] {
  const findings = stage.controller.engine.memory.desired?.findings
  expectThat(findings?.every(({ severity }) => severity === 'warning') === true, 'a config in force without errors', findings)
  return findings
}

/** The findings on this pull request's file, as `draven validate` prints them on the author's machine. */
async function findingsOf({ stage }: Show, pull: number): Promise<readonly Finding[]> {
  const { source } = stage.controller.engine
  const snapshot = await source.snapshot(commitSha(await stage.forge.headOf(CONFIG_REPO, pull)))
  const desired = await loadDesiredState({
    rules: snapshot,
    requests: snapshot,
    readBlobs: source.readBlobs,
    cache: documentCache(),
  })
  return desired.findings.filter((finding) => finding.place.file === PATH)
}
