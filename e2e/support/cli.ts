// The command of the built package, as npx runs it.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export function streamdingo(
  args: readonly string[],
  input = '',
): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', part => {
    out += String(part)
  })
  child.stdin.end(input)
  return new Promise(resolve => child.once('close', code => resolve({ code, out })))
}
