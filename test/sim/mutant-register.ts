import { register } from 'node:module'

/** `node --import` of this file plants the bug that SIM_MUTANT describes into the modules that are loaded afterwards. */
register('./mutant-loader.js', import.meta.url, { data: JSON.parse(process.env['SIM_MUTANT'] ?? 'null') })
