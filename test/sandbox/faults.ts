/** What can go wrong with one call. `after` kinds act first: the caller cannot know. */
export const CALL_FAULTS = [
  'accept_then_drop', // acts, then closes the connection without an answer
  'drop_before', // closes the connection without acting
  'error_after', // acts, then answers 502
  'error_before', // answers 502 without acting
  'rate_limited', // 429 with Retry-After
  'rate_limited_bare', // 429 without
  'secondary_limited', // 403 that means "slower", as GitHub's secondary limit
  'slow_before', // waits, then acts
  'slow_after', // acts, then waits
  'stale_list', // lists do not show the young yet
  'cancel_ignored', // says the run will be canceled, and lets it go on
] as const

/** What can go wrong with one webhook delivery. */
export const HOOK_FAULTS = [
  'lost',
  'duplicate',
  'reordered', // leaves after the next delivery of the same hook
  'late', // leaves after a while, later ones overtake it
  'forged', // a copy signed with a wrong secret comes first
] as const

export type CallFaultKind = (typeof CALL_FAULTS)[number]
export type HookFaultKind = (typeof HOOK_FAULTS)[number]

export interface FaultRule {
  /**
   * Operation id (`actions/create-workflow-dispatch`), `git/fetch`, `git/push`,
   * `hook/<event>` for deliveries; `*` for every REST call, `hook/*` for every delivery.
   */
  on: string
  kind: CallFaultKind | HookFaultKind
  /** How often it strikes; once unless told. `Infinity` until removed. */
  times?: number
  /** Lets this many matching calls pass first. */
  skip?: number
  /** For slow and late. */
  delayMs?: number
  /** For rate_limited. */
  retryAfterSeconds?: number
  /** For stale_list: what was created less than this ago is not shown. */
  youngerThanMs?: number
}

export interface Faults {
  /** Rules strike in the order in which they were added; one per call. Gives a function that takes the rule back. */
  add(rule: FaultRule): () => void
  clear(): void
  /** The rule that strikes this call, used up by asking; null when none does. */
  draw(operation: string): FaultRule | null
  /** How often each `operation kind` struck. */
  hits: ReadonlyMap<string, number>
  /** Strikes of one kind, on one operation or on all. */
  count(kind: FaultRule['kind'], operation?: string): number
}

/**
 * A fault table without chance: the same calls in the same order meet the same faults.
 * `operations` are the ids that exist; a rule that could never strike is refused.
 */
export function faultTable(operations: readonly string[]): Faults {
  const rules: { rule: FaultRule; left: number; skip: number }[] = []
  const hits = new Map<string, number>()
  return {
    hits,
    add(rule) {
      assertFits(rule, operations)
      const entry = { rule, left: rule.times ?? 1, skip: rule.skip ?? 0 }
      rules.push(entry)
      return () => {
        entry.left = 0
      }
    },
    clear() {
      rules.length = 0
    },
    draw(operation) {
      const entry = rules.find((each) => each.left > 0 && matches(each.rule.on, operation))
      if (!entry) return null
      if (entry.skip > 0) {
        entry.skip -= 1
        return null
      }
      entry.left -= 1
      const key = `${operation} ${entry.rule.kind}`
      hits.set(key, (hits.get(key) ?? 0) + 1)
      return entry.rule
    },
    count(kind, operation) {
      let sum = 0
      for (const [key, times] of hits) {
        // Names of GitLab's events have spaces.
        const space = key.lastIndexOf(' ')
        if (key.slice(space + 1) === kind && (operation === undefined || key.slice(0, space) === operation)) sum += times
      }
      return sum
    },
  }
}

function matches(on: string, operation: string): boolean {
  const isHook = operation.startsWith('hook/')
  const isGit = operation === 'git/fetch' || operation === 'git/push'
  return on === operation || (on === 'hook/*' && isHook) || (on === '*' && !isHook && !isGit)
}

/** What git's transport can suffer, and the two kinds that mean something to a few operations only. */
const GIT_KINDS: readonly string[] = ['drop_before', 'error_before', 'slow_before']
const ONLY_ON: Readonly<Record<string, RegExp>> = {
  stale_list: /^(actions\/list-workflow-runs|pipelines\/list$|receiver\/status$|queue\/list$|job\/builds$)/,
  cancel_ignored: /^(actions\/(force-)?cancel-workflow-run|pipelines\/cancel|receiver\/stop|queue\/cancel|build\/stop)$/,
}

function assertFits({ on, kind }: FaultRule, operations: readonly string[]): void {
  const isHookKind = (HOOK_FAULTS as readonly string[]).includes(kind)
  const fits = on.startsWith('hook/')
    ? isHookKind
    : !isHookKind &&
      (on === 'git/fetch' || on === 'git/push' ? GIT_KINDS.includes(kind) : on === '*' || operations.includes(on)) &&
      (ONLY_ON[kind]?.test(on) ?? true)
  if (!fits) throw new Error(`the fault ${kind} cannot strike ${on}`)
}
