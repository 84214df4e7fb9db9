// Before the end-to-end tests: builds the package, and on it the demo and the harness, as `npm start` would.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export default function setup(): void {
  for (const config of ['vite.config.ts', 'demo/vite.config.ts', 'e2e/harness/vite.config.ts']) {
    execFileSync('npx', ['vite', 'build', '--config', config, '--logLevel', 'warn'], {
      cwd: ROOT,
      // The test runner's own mode would build what nobody gets.
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }
}
