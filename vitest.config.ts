// Four kinds of tests: logic in Node, whatever claims something of a browser in Chromium, the built package and demo as
// users get them, and tests of the tests of verification.

import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { CHROMIUM_FLAGS, CHROMIUM_PATH } from './e2e/support/chromium.ts'

export default defineConfig({
  test: {
    coverage: {
      provider: 'v8',
      include: ['src/**', 'worker/**'],
      // AssemblyScript: it runs as the module that is made of it.
      exclude: ['src/log/sha256/assembly/**'],
      reporter: ['text-summary', 'json-summary', 'html'],
      thresholds: { lines: 90 },
    },
    projects: [
      {
        test: {
          name: 'node',
          // Property tests do much work, and the machine may do other work beside.
          testTimeout: 30_000,
          include: ['test/**/*.test.ts'],
          // The last one is a part of another, for the mutations.
          exclude: ['test/browser/**', 'test/mutations/**', 'test/simulation/first-histories.test.ts'],
        },
      },
      {
        test: {
          name: 'mutations',
          include: ['test/mutations/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: CHROMIUM_PATH,
                args: CHROMIUM_FLAGS,
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          globalSetup: 'e2e/support/build.ts',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          // What is waited for comes in its time: a drag across the board takes a second on a fast machine.
          expect: { poll: { timeout: 20_000 } },
        },
      },
    ],
  },
})
