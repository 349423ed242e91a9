// Makes dist/ from the TypeScript sources: generated database client first, then tsc. Skips what is up to date.
import { spawnSync } from 'node:child_process'
import { generateClients } from './generate-clients.mjs'

await generateClients()
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], { stdio: 'inherit' })
process.exit(tsc.status ?? 1)
