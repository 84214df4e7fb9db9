// npm run bench: the benchmarks, from a fresh clone.

import { findChromium, installDependencies, succeeds } from './set-up.mjs'

installDependencies()
const env = { CHROMIUM_PATH: await findChromium() }
const bench = [process.execPath, '--import', 'tsx', 'bench/run.ts', ...process.argv.slice(2)]
process.exitCode = succeeds(bench, env) ? 0 : 1
