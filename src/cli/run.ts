// Reads the arguments, has the file or the served log verified, and says what came of it: in words, or as JSON.

import { readFile } from 'node:fs/promises'
import { buffer as bufferOfStream } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { isLogFile } from '../integrity/log-file.ts'
import { isStoreError } from '../log/errors.ts'
import { verifyLogFile } from './log-file.ts'
import { CannotFetch, verifyServedLog } from './served-log.ts'
import { type Finding, verifyText } from './verify-file.ts'

export type Output = Readonly<{ out: (text: string) => void; error: (text: string) => void }>

/** What the process ends with. */
export const EXIT = { trusted: 0, fails: 1, usage: 2, unreadable: 3, untrusted: 4 } as const

const HELP = `Usage: streamdingo verify <file | - | url> [options]

Checks what a StreamDingo store or server gave out, without the store:

  file   an exported log, a proof (.tlog-proof), a signed checkpoint, or a proof as JSON; - reads standard input
  url    a served log, such as https://example.org/sync/v1/logs/<epoch>: every entry is fetched and hashed

Options:
  --key <vkey>     a key that you trust, of a log or of a witness; may be given several times
  --root <hash>    a root that you noted, in hexadecimal: for proofs as JSON
  --old <file>     a checkpoint of before: the served log must go on from it
  --token <token>  bearer token for a served log
  --json           the result as JSON
  --help           this text

Ends with
  0  it holds, by a key or root that you trust
  1  it does not hold
  2  the call is wrong
  3  it cannot be read or fetched
  4  it holds in itself, but nothing that you trust vouches for it`

const OPTIONS = {
  key: { type: 'string', multiple: true },
  root: { type: 'string' },
  old: { type: 'string' },
  token: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

export async function run(args: readonly string[], output: Output): Promise<number> {
  const call = parse(args)
  if (call === null) {
    output.error(HELP)
    return EXIT.usage
  }
  const { values, what } = call
  if (values.help) {
    output.out(HELP)
    return EXIT.trusted
  }
  try {
    const finding = await verify(what, values)
    output.out(values.json ? JSON.stringify(finding, null, 2) : inWords(finding))
    return finding.isTrusted ? EXIT.trusted : finding.holds ? EXIT.untrusted : EXIT.fails
  } catch (error) {
    if (!isForeseen(error)) throw error
    output.error(`Cannot verify ${what}: ${(error as Error).message}`)
    return EXIT.unreadable
  }
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

function parse(args: readonly string[]): { values: Values; what: string } | null {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
    const [command, what, ...more] = positionals
    if (values.help) return { values, what: '' }
    return command === 'verify' && what !== undefined && more.length === 0 ? { values, what } : null
  } catch {
    return null
  }
}

async function verify(what: string, { key: keys = [], root, old, token }: Values): Promise<Finding> {
  if (/^https?:\/\//.test(what)) {
    const before = old === undefined ? null : await readFile(old, 'utf8')
    return verifyServedLog(what, { keys, before, token: token ?? null })
  }
  const bytes = what === '-' ? await bufferOfStream(process.stdin) : await readFile(what)
  if (isLogFile(bytes)) return verifyLogFile(new Blob([bytes]), { keys })
  return verifyText(bytes.toString('utf8'), { keys, root: root ?? null })
}

/** A file that is not there, a server that does not answer, a key that is none. */
const isForeseen = (error: unknown): boolean =>
  error instanceof CannotFetch ||
  isStoreError(error, 'malformed-proof') ||
  (error instanceof Error && 'code' in error && String(error.code).startsWith('E'))

function inWords({ kind, isTrusted, holds, steps, shows }: Finding): string {
  const marks = { holds: 'ok  ', fails: 'FAIL', skipped: '  - ' }
  const lines = steps.map(
    ({ name, outcome, detail }) => `  ${marks[outcome]} ${name}${detail ? `: ${detail}` : ''}`,
  )
  const verdict = isTrusted
    ? 'It holds, and what you trust vouches for it.'
    : holds
      ? 'It holds in itself. Nothing that you trust vouches for it: give a key or a root that you have from somebody you trust.'
      : 'It does not hold: it was changed, or is of something else.'
  return [`${kind}`, ...lines, '', verdict, ...shows.map(line => `  ${line}`)].join('\n')
}
