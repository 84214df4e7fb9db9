// npm start: the demo and its sync server, from a fresh clone, on embedded defaults.

import { installDependencies, run } from './set-up.mjs'

installDependencies()
run('npx', ['vite', 'build', '--config', 'demo/vite.config.ts'])
run('npx', ['tsx', 'demo/server.ts'])
