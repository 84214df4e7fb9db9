// npm start: the demo and its sync server, from a fresh clone, on embedded defaults.

import { installDependencies, run } from './set-up.mjs'

installDependencies()
run('npx', ['vite', 'build'])
run('npx', ['vite', 'build', '--config', 'demo/vite.config.ts'])
// Its tsconfig has no paths to the sources: the server runs on the package as it is published.
run('npx', ['tsx', '--tsconfig', 'demo/tsconfig.json', 'demo/server.ts'])
