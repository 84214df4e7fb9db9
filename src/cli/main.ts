#!/usr/bin/env node
// The command line: npx streamdingo verify …

import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), {
  out: text => void process.stdout.write(`${text}\n`),
  error: text => void process.stderr.write(`${text}\n`),
})
