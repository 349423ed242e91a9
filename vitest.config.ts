import { defineConfig } from 'vitest/config'

/** Where a branch that no test takes is a decision that nobody checked: what decides, locks, verifies and parses. */
const FULLY_COVERED = [
  'controller/approvals/*.ts',
  'controller/audit/*.ts',
  'controller/jobs/*.ts',
  'controller/model/{document,patterns,prescan,source-text,yaml-tree}.ts',
  'controller/policy/**/*.ts',
  'controller/source/ref-names.ts',
  'controller/store/lock-table.ts',
  'controller/webhooks/*.ts',
]

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests start real processes, repositories and servers: two at a time keeps a small machine honest.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: FULLY_COVERED,
      reporter: ['text'],
      thresholds: { branches: 100 },
    },
    // Outside tests never see the developer's git or forge settings.
    env: { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', TZ: 'UTC', NO_COLOR: '1' },
  },
})
