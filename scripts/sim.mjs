// npm run sim: the simulator, from a fresh clone.

import { installDependencies, succeeds } from './set-up.mjs'

installDependencies()
const sim = [process.execPath, '--import', 'tsx', 'test/simulation/cli.ts', ...process.argv.slice(2)]
process.exitCode = succeeds(sim) ? 0 : 1
