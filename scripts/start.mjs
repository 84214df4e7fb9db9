// npm start: the demo and its sync server, from a fresh clone, on embedded defaults.

import { spawn } from 'node:child_process'
import { installDependencies, ROOT, run } from './set-up.mjs'

installDependencies()
run(['npx', 'vite', 'build'])
run(['npx', 'vite', 'build', '--config', 'demo/vite.config.ts'])

// Its tsconfig has no paths to the sources: the server runs on the package as it is published.
const server = spawn(process.execPath, ['--import', 'tsx', 'demo/server.ts'], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, TSX_TSCONFIG_PATH: 'demo/tsconfig.json' },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal))
server.on('exit', (code, signal) => process.exit(signal ? 0 : code))
