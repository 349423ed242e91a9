// npm run replicas -- --minutes 10 [--seed 7]
// Several controllers on one PostgreSQL, of which the leader is killed or stands still again and again, for as long as asked.
// The server: TEST_POSTGRES_URL, or the one at 127.0.0.1:5432.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } } })
const run = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/scenarios/replicas.test.ts', '-t', 'again and again'],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      CI_DATABASES: 'required',
      REPLICAS_MINUTES: values.minutes,
      ...(values.seed === undefined ? {} : { REPLICAS_SEED: values.seed }),
    },
  },
)
process.exit(run.status ?? 1)
