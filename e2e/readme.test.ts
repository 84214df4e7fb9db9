// The README's code compiles: a start that does not is none.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Within the repository, so that the package's own tsconfig and dependencies are found. */
const FOLDER = `${ROOT}.tmp/readme/`

/** The files the README speaks of, in order, with what each takes as given. */
const FILES = [
  ['app.ts', ''],
  ['store-worker.ts', ''],
  ['page.ts', 'declare const token: string\n'],
  [
    'server.ts',
    'declare function verifyToken(token: string | null): Promise<{ workspace: string; mayWrite: boolean; isAdmin: boolean } | null>\n',
  ],
] as const

test('the five minutes of the README compile as they stand', () => {
  const readme = readFileSync(`${ROOT}README.md`, 'utf8')
  const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
  expect(blocks).toHaveLength(FILES.length)
  mkdirSync(FOLDER, { recursive: true })
  for (const [i, [name, given]] of FILES.entries()) writeFileSync(FOLDER + name, given + blocks[i])
  const tsconfig = {
    extends: '../../tsconfig.json',
    compilerOptions: { noPropertyAccessFromIndexSignature: false },
  }
  writeFileSync(`${FOLDER}tsconfig.json`, JSON.stringify({ ...tsconfig, include: ['*.ts'] }))
  try {
    execFileSync('npx', ['tsc', '--project', FOLDER], { cwd: ROOT, encoding: 'utf8' })
  } catch (error) {
    expect.fail((error as { stdout: string }).stdout)
  } finally {
    rmSync(FOLDER, { recursive: true, force: true })
  }
})
