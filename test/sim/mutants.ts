/** A bug to plant: text of a compiled file of the controller, which must occur once, and what to put in its place. */
export interface Mutant {
  name: string
  /** Below dist/controller/. */
  file: string
  old: string
  new: string
}

/** Caught by chance only once in hours: a history that was found by it once is kept in `corpus/`, and must catch it. */
export const RARE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a retry waits for the ref of a request that nobody made',
    file: 'reconcile/apply-retry.js',
    old: "    if (origin.value.kind === 'direct_push')\n        return false;\n",
    new: '',
  },
]

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the intent is not written before the trigger',
    file: 'reconcile/apply-start.js',
    old: '        await tx.runs.insert(next);\n        await auditView(',
    new: '        await auditView(',
  },
  {
    name: 'a start without taking the lock',
    file: 'reconcile/apply-start.js',
    old: '        const lock = exclusive ? await tx.locks.acquire(lockKey(job.key), job.id, now) : null;\n        if (exclusive && lock === null)\n            return null;\n        const attempt = job.attempt + 1;\n        const next',
    new: '        const lock = null;\n        const attempt = job.attempt + 1;\n        const next',
  },
  {
    name: 'old facts may start a job',
    file: 'reconcile/apply-start.js',
    old: '        if (isStale(engine, evidence, now))\n            return null;',
    new: '',
  },
  {
    name: 'a clock that is set back makes old facts young',
    file: 'clock.js',
    old: 'return Math.abs(driftOf(clock) - drift) > UNSTEADY_MS;',
    new: 'return false;',
  },
  {
    name: 'the gates are not asked again at the start',
    file: 'reconcile/apply-start.js',
    old: "        if (decided.decision.verdict !== 'allow' || decided.pin === null)\n            return null;",
    new: '        if (decided.pin === null)\n            return null;',
  },
  {
    name: 'a start does not count the attempt',
    file: 'reconcile/apply-start.js',
    old: "            ...viewOf(job, decided, request),\n            status: 'running',\n            attempt,\n            startedAt: now,\n            reason: reasonOf('trigger_pending', 'Its",
    new: "            ...viewOf(job, decided, request),\n            status: 'running',\n            startedAt: now,\n            reason: reasonOf('trigger_pending', 'Its",
  },
  {
    name: 'a lost answer counts as refused',
    file: 'reconcile/trigger.js',
    old: "{ state: 'unknown', detail: outcome.why }",
    new: "{ state: 'refused', detail: outcome.why, retryAt: now }",
  },
  {
    name: 'an adapter that throws counts as refused',
    file: 'reconcile/trigger.js',
    old: "return { kind: 'unknown', why: messageOf(error) };",
    new: "return { kind: 'refused', why: messageOf(error), retryAfterMs: 0, unreachable: true };",
  },
  {
    name: 'an accepted trigger counts as refused',
    file: 'reconcile/trigger.js',
    old: "'run.record', { state: 'unknown' }, reasonOf(",
    new: "'run.record', { state: 'refused', retryAt: now }, reasonOf(",
  },
  {
    name: 'the branch is sent instead of what was pinned',
    file: 'reconcile/trigger.js',
    old: '            sha,\n            selector,',
    new: "            sha: ('0' + sha.slice(1)),\n            selector,",
  },
  {
    name: 'a retry does not ask the gates',
    file: 'reconcile/apply-retry.js',
    old: "if (decided.decision.verdict !== 'allow' || decided.pinChanged) {",
    new: 'if (decided.pinChanged) {',
  },
  {
    name: 'a retry takes what the ref has become',
    file: 'reconcile/apply-retry.js',
    old: "if (decided.decision.verdict !== 'allow' || decided.pinChanged) {",
    new: "if (decided.decision.verdict !== 'allow' && !decided.pinChanged) {",
  },
  {
    // The branch is looked at before the facts are, so asking how old that look is makes up for not asking how old they are.
    name: 'a retry rests on old facts',
    file: 'reconcile/apply-retry.js',
    old: `=== 'config_unreadable' || isOld(engine);
        if (!inForce || unreadable || isUnknown(evidence) || isStale(engine, evidence, now)) {`,
    new: `=== 'config_unreadable';
        if (!inForce || unreadable || isUnknown(evidence)) {`,
  },
  {
    name: 'a retry rests on a branch that was left long ago',
    file: 'reconcile/apply-retry.js',
    old: "=== 'config_unreadable' || isOld(engine);",
    new: "=== 'config_unreadable';",
  },
  {
    name: 'a refused attempt that failed keeps its lock',
    file: 'reconcile/apply-retry.js',
    old: '            await releaseLock(tx, job, step.run.fence, now);\n',
    new: '',
  },
  {
    name: 'two jobs may follow each other by any order',
    file: 'jobs/plan-queue.js',
    old: '        if (exclusive && isReadyButForTheQueue(decided))\n            ahead.push(job.id);',
    new: '',
  },
  {
    name: 'an unknown outcome is given up at once',
    file: 'jobs/plan-run.js',
    old: 'const limit = Math.max(run.sendDeadline, since + lookupMs);',
    new: 'const limit = run.intendedAt;',
  },
  {
    name: 'a run is given up before its call can have ended',
    file: 'jobs/plan-run.js',
    old: 'run.observedAt !== null && run.observedAt >= run.sendDeadline + Math.min(VISIBILITY_LAG_MS, timing.triggerLookupMs);',
    new: 'true;',
  },
  {
    name: 'a list is believed as soon as the call is over',
    file: 'jobs/plan-run.js',
    old: 'run.observedAt >= run.sendDeadline + Math.min(VISIBILITY_LAG_MS, timing.triggerLookupMs);',
    new: 'run.observedAt >= run.sendDeadline;',
  },
  {
    name: 'an absence counts as silence of the provider',
    file: 'jobs/plan-run.js',
    old: "return code === 'provider_unreachable' && now >= since + maxRunMs(desired, job, run) && observed.unanswered.has(job.id);",
    new: 'return now >= (observed.runs.get(job.id)?.at(-1)?.observedAt ?? since) + maxRunMs(desired, job, run);',
  },
  {
    name: 'one failed question is an outage',
    file: 'jobs/plan-run.js',
    old: '&& now >= since + maxRunMs(desired, job, run) && observed',
    new: '&& observed',
  },
  {
    name: 'a dry run is canceled',
    file: 'jobs/plan-run.js',
    old: "    if (job.type === 'dry_run')\n        return { kind: 'observe', job, run };\n",
    new: '',
  },
  {
    name: 'a deleted request starts all the same',
    file: 'jobs/plan-desired.js',
    old: "    if (unusable === undefined) {\n        return { status: 'canceled'",
    new: "    if (unusable === undefined) {\n        return null;\n        return { status: 'canceled'",
  },
  {
    name: 'a withdrawn run is not asked to stop',
    file: 'jobs/plan-run.js',
    old: 'if (canceled || job.cancelRequestedAt !== null) {',
    new: 'if (job.cancelRequestedAt !== null) {',
  },
  {
    name: 'a run is not followed by polling',
    file: 'jobs/plan-run.js',
    old: '    const due = run.observedAt === null || ageMs(run.observedAt, now) >= timing.runPollMs || observed.nudged.has(job.id);\n    if (!due)',
    new: '    const due = observed.nudged.has(job.id);\n    if (!due)',
  },
  {
    name: 'a waiting job is not looked at again',
    file: 'jobs/plan-queue.js',
    old: "AWAITS_FACTS.has(job.reason.code) && ageMs(evidence.lookedAt, now) >= timing.pollMs / 2 ? 'look' : 'none'",
    new: "'none'",
  },
  {
    name: 'the lock outlives the run',
    file: 'reconcile/apply-run.js',
    old: '        await releaseLock(tx, current, run.fence, now);\n',
    new: '',
  },
  {
    name: 'the lock is free before the run is over',
    file: 'reconcile/apply-run.js',
    old: "        await auditJob(tx, job, 'cancel_requested', now,",
    new: "        await releaseLock(tx, job, run.fence, now);\n        await auditJob(tx, job, 'cancel_requested', now,",
  },
  {
    name: 'a cancel ends the run',
    file: 'reconcile/apply-run.js',
    old: "        case 'active':\n            return follow(",
    new: "        case 'active':\n            if (stopping)\n                return finish(engine, job, run, { ...seen, state: 'canceled' }, change);\n            return follow(",
  },
  {
    name: 'a blocked run is over',
    file: 'reconcile/apply-run.js',
    old: "        case 'blocked':\n            return follow(",
    new: "        case 'blocked':\n            return finish(engine, job, run, { ...seen, state: 'failed' }, change);\n            return follow(",
  },
  {
    name: 'a failed run is a success',
    file: 'reconcile/apply-run.js',
    old: "        case 'success':\n            return { status: 'success'",
    new: "        case 'failed':\n        case 'success':\n            return { status: 'success'",
  },
  {
    name: 'a found run is not adopted',
    file: 'reconcile/apply-run.js',
    old: 'if (first === undefined) {',
    new: 'if (first !== null) {',
  },
  {
    name: 'releasing a lock is not audited',
    file: 'reconcile/apply-waiting.js',
    old: 'if (await tx.locks.release({ key, jobId: job.id, fence }))\n        await auditJob(',
    new: 'if ((await tx.locks.release({ key, jobId: job.id, fence })) && false)\n        await auditJob(',
  },
  {
    name: 'changes of status are not audited',
    file: 'reconcile/change-job.js',
    old: 'if (status !== job.status) {',
    new: 'if (false) {',
  },
  {
    name: 'a job that ends keeps its lock',
    file: 'reconcile/apply-waiting.js',
    old: '            await releaseLock(tx, job, run.fence, now);\n',
    new: '',
  },
  {
    name: 'rewritten history is accepted',
    file: 'reconcile/sync-config.js',
    old: 'if (!(await history.isAncestor(before.head, head)) && engine.config.acceptHistory !== head) {',
    new: 'if (false) {',
  },
  {
    name: "rules need nobody's approval",
    file: 'reconcile/sync-config.js',
    old: 'rulesCommit: verdict.approved ? head : before.rulesCommit,',
    new: 'rulesCommit: head,',
  },
  {
    name: 'unapproved rules do not stop anything',
    file: 'reconcile/sync-config.js',
    old: 'frozen: verdict.approved ? null : continued(before.frozen, unapproved(verdict.missing, now)),',
    new: 'frozen: null,',
  },
  {
    name: 'changes of holds are not guarded',
    file: 'reconcile/config-change.js',
    old: '!(change.before === null && /^(freezes|holds)\\//.test(change.path))',
    new: '!/^(freezes|holds)\\//.test(change.path)',
  },
  {
    name: 'requests are forgotten after a rules change',
    file: 'reconcile/sync-config.js',
    old: '        await auditAdvance(tx, before, state, { changes, by: verdict.by, onTrust: rules === null }, now);\n        return acceptRequests(tx, desired, state, now);',
    new: '        await auditAdvance(tx, before, state, { changes, by: verdict.by, onTrust: rules === null }, now);\n        return changes.length === 0 ? acceptRequests(tx, desired, state, now) : [];',
  },
  {
    name: 'the config repository is not looked at before a start',
    file: 'reconcile/tick.js',
    old: "const starts = steps.some((step) => step.kind === 'start' || step.kind === 'retry');",
    new: 'const starts = false;',
  },
  {
    name: 'a branch that cannot be read any more is believed for the rest of a pass',
    file: 'reconcile/tick.js',
    old: '!(unreadable && accepted.state.frozen !== null)',
    new: '!unreadable',
  },
  {
    name: 'deliveries are settled before they are handled',
    file: 'reconcile/tick.js',
    old: '    const nudges = inbox.map((row) => row.nudge);',
    new: '    const nudges = inbox.map((row) => row.nudge).slice(1);',
  },
  {
    name: 'deliveries are never settled',
    file: 'reconcile/tick.js',
    old: '    if (inbox.length > 0)\n        await store',
    new: '    if (inbox.length > 100)\n        await store',
  },
  { name: 'an author may approve', file: 'approvals/tally-reviews.js', old: '    if (part)\n        return part;\n', new: '' },
  {
    name: 'anybody may approve',
    file: 'approvals/tally-reviews.js',
    old: "    if (!mayApprove(input, person))\n        return 'not_in_role';\n",
    new: '',
  },
  {
    name: 'approvals outlive an edit of the request',
    file: 'approvals/tally-reviews.js',
    old: 'if (review.commit === null || content.blobAt.get(review.commit) !== requestBlob)',
    new: 'if (review.commit === null)',
  },
  {
    name: 'approvals outlive a moved tag',
    file: 'approvals/tally-reviews.js',
    old: "    if (!(review.submittedAt >= pin.since))\n        return 'before_pin';\n",
    new: '',
  },
  {
    name: 'a dismissed approval counts',
    file: 'approvals/tally-reviews.js',
    old: "    if (state !== 'approved')\n        return state === 'dismissed' ? 'dismissed' : 'changes_requested';\n",
    new: "    if (state === 'changes_requested')\n        return 'changes_requested';\n",
  },
  {
    name: 'somebody who asks for changes is ignored',
    file: 'approvals/tally-reviews.js',
    old: "objectors: reviewers.filter((person) => sides.lastStance.get(person)?.state === 'changes_requested'),",
    new: 'objectors: [],',
  },
  {
    name: 'a pull request into another branch counts',
    file: 'reconcile/gather.js',
    old: "if (pull.state !== 'merged' || pull.mergeCommit === null || pull.baseRef !== engine.config.branch)\n        return false;\n    if (!pull",
    new: "if (pull.state !== 'merged' || pull.mergeCommit === null)\n        return false;\n    if (!pull",
  },
  {
    name: 'lists are believed less than memory',
    file: 'reconcile/tick-facts.js',
    old: 'memory.pullUpdatedAt.set(number, updatedAt);\n',
    new: '',
  },
  {
    name: 'a pull request is remembered for ever',
    file: 'reconcile/tick-facts.js',
    old: 'return value.updatedAt === updatedAt && value.hostTime - value.updatedAt >= CHANGE_MARGIN_MS && ageMs(at, now) < PULL_MAX_AGE_MS;',
    new: 'return true;',
  },
  {
    name: 'facts are as old as the answer',
    file: 'reconcile/tick-facts.js',
    old: '        return { value: await read, at };',
    new: '        const value = await read;\n        return { value, at: at + 3_600_000 };',
  },
  { name: 'the window is not asked', file: 'policy/rules/window.js', old: 'if (isWindowOpen(window, now))', new: 'if (true)' },
  {
    name: 'holds are not asked',
    file: 'policy/rules/freeze.js',
    old: '    if (holds.length > 0)\n        return held(facts, holds);\n',
    new: '',
  },
  {
    name: 'freezes are not asked',
    file: 'policy/rules/freeze.js',
    old: '    if (freezes.length > 0)\n        return frozen(facts, freezes);\n',
    new: '',
  },
  {
    name: 'a message that failed is not sent again',
    file: 'notify/outbox.js',
    old: "return store.unit('outbox failed', (tx) => tx.outbox.failed(row, messageOf(error), retryAt));",
    new: "return store.unit('outbox failed', (tx) => tx.outbox.delivered(row, null, retryAt));",
  },
  {
    name: 'a message is due for ever',
    file: 'notify/outbox.js',
    old: "        await store.unit('outbox delivered', (tx) => tx.outbox.delivered(row, externalId, clock.now()));\n",
    new: '',
  },
  {
    name: 'a message to a list of deployments is dropped while no project is known',
    file: 'reconcile/courier.js',
    old: "throw new TransientFault('the config repository was not read yet');",
    new: "return '';",
  },
  {
    name: 'a former leader goes on writing',
    file: 'reconcile/leadership.js',
    old: 'if (!(await tx.holdsLease(fence)))',
    new: 'if (false)',
  },
  {
    name: 'a run may claim what is not approved',
    file: 'jobs/callback.js',
    old: 'if (mismatch !== null) {',
    new: 'if (false) {',
  },
  {
    name: 'a leader takes its lease for endless',
    file: 'reconcile/leadership.js',
    old: 'return age >= 0 && age < leaseMs ? held.fence : null;',
    new: 'return held.fence;',
  },
  {
    name: 'a message due in a day that never comes is waited for',
    file: 'jobs/state-store.js',
    old: 'LONGEST_PUT_OFF_MS = HOUR_MS',
    new: 'LONGEST_PUT_OFF_MS = 1e15',
  },
  {
    name: 'a deadline of a day that never comes is waited for',
    file: 'reconcile/apply-run.js',
    old: 'sendDeadline: Math.min(run.sendDeadline, latestDeadline(engine, now))',
    new: 'sendDeadline: run.sendDeadline',
  },
  {
    name: 'since when a subject is on show is told by our own clock',
    file: 'jobs/decide.js',
    old: 'if (!ref.known || !ref.value.found || !origin.known)',
    new: `if (!ref.known || !ref.value.found)
        return input.pin;
    if (!origin.known)
        return { digest: subjectDigest({ request: input.request, sha: ref.value.sha, environment, project }), sha: ref.value.sha, since: input.now };
    if (false)`,
  },
  {
    name: 'nobody asks what ran before the records',
    file: 'reconcile/gather.js',
    old: 'if (memory.witnessed.has(job.id) || project',
    new: 'if (true || project',
  },
  {
    name: 'a job whose request is gone ends before anybody asked about its run',
    file: 'jobs/plan-queue.js',
    old: 'if (settled || !desired.environments.has(job.key))',
    new: 'if (true)',
  },
  {
    name: 'a run from before the records is not followed',
    file: 'jobs/plan-past.js',
    old: 'if (past.value.found) {',
    new: 'if (false) {',
  },
  {
    name: 'a force skips approvals',
    file: 'policy/skips.js',
    old: 'if (force && isForceable(gate) && force.skip.includes(gate))',
    new: "if (force && (gate === 'approval' || (isForceable(gate) && force.skip.includes(gate))))",
  },
  {
    name: 'a force skips every gate that can be skipped',
    file: 'policy/skips.js',
    old: 'if (force && isForceable(gate) && force.skip.includes(gate))',
    new: 'if (force && isForceable(gate))',
  },
  {
    name: 'anybody may force',
    file: 'policy/rules/role.js',
    old: "if (!may(desired, person, 'force', where)) {",
    new: 'if (false) {',
  },
  {
    name: 'a force under any policy',
    file: 'policy/rules/role.js',
    old: 'if (!policy.allowForceDeploy) {',
    new: 'if (false) {',
  },
]
