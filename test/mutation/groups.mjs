/**
 * What must hold against a wrong operator, and the tests that hold it: those that need neither a process nor a repository, so that
 * a mutant costs milliseconds. Globs from the root.
 * @type {Readonly<Record<string, { mutated: readonly string[], tests: readonly string[], named?: RegExp }>>}
 */
export const GROUPS = {
  decide: {
    mutated: [
      'controller/jobs/{decide,job-reasons,plan*,transitions}.ts',
      'controller/policy/**/*.ts',
      'controller/approvals/*.ts',
    ],
    tests: [
      'test/approvals/*.test.ts',
      'test/jobs/{decide,plan*,transitions}.test.ts',
      'test/policy/{evaluate,window,wording}.test.ts',
    ],
  },
  // jobs/lease.ts declares types alone. Each test of the contract opens a database, so only those of locks are asked.
  lock: { mutated: ['controller/store/lock-table.ts'], tests: ['test/store/sqlite-store.test.ts'], named: /locks on/ },
  verify: {
    mutated: ['controller/webhooks/*.ts', 'controller/audit/*.ts', 'controller/jobs/callback.ts'],
    tests: [
      // Without limits and signatures, which open servers and a whole controller.
      'test/webhooks/{bitbucket,body,callbacks,gitea,github,gitlab,json-depth,payload,routes,senders,signature}.test.ts',
      'test/audit/*.test.ts',
      'test/jobs/callback.test.ts',
    ],
  },
  parse: {
    mutated: ['controller/model/{document,patterns,prescan,source-text,yaml-tree}.ts', 'controller/source/ref-names.ts'],
    tests: ['test/model/{document,patterns,prescan,yaml-tree}.test.ts', 'test/source/ref-names.test.ts'],
  },
}
