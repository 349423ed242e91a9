import { DAY_MS, HOUR_MS } from '../clock.ts'
import { type ConfigFile, canonicalOf, contentOf, findingAt, hasErrors, ownFindings, placeAt, placesOf } from './config-file.ts'
import type { DeployWindow, Pattern, Policy } from './desired-state.ts'
import type { DocumentCache } from './document-cache.ts'
import type { PolicyDocument } from './documents.ts'
import type { Finding } from './finding.ts'
import { isTimeZone, knownTimeZones, minuteOfDay } from './local-time.ts'
import { anchorsOneAlternative, compilePattern, MAX_PATTERN_STEPS } from './patterns.ts'
import { quoted } from './printable.ts'
import { didYouMean } from './suggest.ts'

export interface ResolvedPolicy {
  file: ConfigFile<'Policy'>
  /** Null when the document has errors. */
  policy: Policy | null
  findings: readonly Finding[]
}

const DEFAULT_APPROVAL_VALID_MS = 7 * DAY_MS

/** A policy rests on nothing but its own document, so its patterns are compiled once for all loads. */
export function resolvePolicies(
  files: readonly ConfigFile<'Policy'>[],
  cache: DocumentCache,
): ReadonlyMap<string, ResolvedPolicy> {
  return new Map(files.map((file) => [file.names[0]!, cache.derived(file.document, file.path, () => resolvePolicy(file))]))
}

function resolvePolicy(file: ConfigFile<'Policy'>): ResolvedPolicy {
  const content = contentOf(file)
  if (!content) return { file, policy: null, findings: ownFindings(file) }
  const findings: Finding[] = []
  const policy: Policy = {
    name: file.names[0]!,
    allowedRefTypes: content.allowed_ref_types,
    allowedBranches: resolvePatterns(file, 'allowed_branches', content.allowed_branches, findings),
    allowedTags: resolvePatterns(file, 'allowed_tags', content.allowed_tags, findings),
    requireApproval: content.require_approval,
    approvalsRequired: content.require_approval ? (content.approvals_required ?? Number.POSITIVE_INFINITY) : 0,
    requireCiSuccess: content.require_ci_success,
    allowRollback: content.allow_rollback,
    allowForceDeploy: content.allow_force_deploy,
    window: resolveWindow(file, content.restrict_deploy_window, findings),
    approvalValidMs:
      content.approval_valid_hours === undefined ? DEFAULT_APPROVAL_VALID_MS : content.approval_valid_hours * HOUR_MS,
    rollbackToAnyCommit: content.rollback_to_any_commit ?? false,
    rollbackIgnoresWindow: content.rollback_ignores_window ?? false,
    canonical: canonicalOf(file),
    places: placesOf(file),
    place: placeAt(file, ''),
  }
  return { file, policy: hasErrors(findings) ? null : policy, findings }
}

function resolvePatterns(file: ConfigFile, key: string, sources: readonly string[] | undefined, findings: Finding[]): Pattern[] {
  return (sources ?? []).flatMap((source, index) => {
    const pointer = `/${key}/${index}`
    const compiled = compilePattern(source, placeAt(file, pointer))
    if ('kind' in compiled) {
      findings.push(
        compiled.kind === 'syntax'
          ? findingAt(file, 'DRV1401', pointer, {
              message: `the pattern ${quoted(source)} is not understood: ${quoted(compiled.why).slice(1, -1)}`,
              allowed: 'RE2 expressions: no look-around, no back-references',
              help: 'correct it after https://github.com/google/re2/wiki/Syntax; say what is allowed rather than what is not',
            })
          : findingAt(file, 'DRV1403', pointer, {
              message: `the pattern ${quoted(source)} grows to ${compiled.steps} steps`,
              allowed: `at most ${MAX_PATTERN_STEPS} steps`,
              help: 'use + or * in place of large counts',
            }),
      )
      return []
    }
    if (anchorsOneAlternative(source)) findings.push(looseAnchor(file, pointer, source))
    return [compiled]
  })
}

function looseAnchor(file: ConfigFile, pointer: string, source: string): Finding {
  return findingAt(file, 'DRV1402', pointer, {
    severity: 'warning',
    message: `in ${quoted(source)} the anchor belongs to one alternative only`,
    allowed: 'patterns match the whole name here, so anchors are not needed',
    help: 'leave out ^ and $, or write the alternatives as entries of their own',
  })
}

function resolveWindow(
  file: ConfigFile,
  window: PolicyDocument['restrict_deploy_window'],
  findings: Finding[],
): DeployWindow | null {
  if (!window) return null
  const bad = timeZoneFinding(file, '/restrict_deploy_window/tz', window.tz)
  if (bad) findings.push(bad)
  return {
    tz: window.tz,
    days: window.days,
    fromMinute: minuteOfDay(window.from),
    toMinute: minuteOfDay(window.to),
    place: placeAt(file, '/restrict_deploy_window'),
  }
}

/** Null when the zone is one we know. */
export function timeZoneFinding(file: ConfigFile, pointer: string, tz: string): Finding | null {
  if (isTimeZone(tz)) return null
  return findingAt(file, 'DRV1404', pointer, {
    message: `${quoted(tz)} is not a time zone`,
    allowed: 'an IANA name such as Europe/Rome, or UTC',
    help: didYouMean(tz, knownTimeZones()) ?? 'find the name at https://www.iana.org/time-zones',
  })
}
