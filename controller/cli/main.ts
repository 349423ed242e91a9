#!/usr/bin/env node
import './no-debug.ts'
import { processIo } from './io.ts'
import { runCli } from './program.ts'

process.exitCode = await runCli(process.argv.slice(2), processIo())
// A start that failed half-way may have left the loop running: nothing may deploy from a controller that nobody can see.
// The empty write waits until everything before it is out.
process.stdout.write('', () => process.exit())
