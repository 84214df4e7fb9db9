// Before the end-to-end tests: builds the package, and on it the demo and the harness.

import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export default async function setup(): Promise<void> {
  for (const configFile of ['vite.config.ts', 'demo/vite.config.ts', 'e2e/harness/vite.config.ts']) {
    await build({ configFile: at(configFile), logLevel: 'warn' })
  }
}
