// Edits of an application's code, and whether each changes what a handler does: the hashes of `Added` must tell.

/** File names and their contents. */
export type Sources = Readonly<Record<string, string>>

export const BEFORE: Sources = {
  'app.ts': `import { clamp, LIMIT } from './numbers'
import * as texts from './texts'
import table from './table.json'
import { plural } from 'words'

/** How many there are. */
type State = { count: number; label: string }
const STEP: number = 1

export const counter = {
  canHandle: ['Added', 'Emptied'],
  initialState: (): State => ({ count: 0, label: '' }),
  evolve: {
    Added(state: State, event: { data: { by: number } }) {
      const next = clamp(state.count + event.data.by * STEP * table.factor)
      return { count: next, label: texts.labelOf(next) + plural(next) }
    },
    Emptied: () => ({ count: 0, label: '' }),
  },
}
`,
  'numbers.ts': `import { half } from './half'
export const LIMIT = 100
const unused = 5
export function clamp(n: number): number {
  if (n <= 0) return 0
  return Math.min(n, LIMIT - half(unrelated()))
}
function unrelated(): number { return 0 }
export function isEven(n: number): boolean { return n === 0 ? true : isOdd(n - 1) }
export function isOdd(n: number): boolean { return n === 0 ? false : isEven(n - 1) }
`,
  'half.ts': `export const half = (n: number): number => n / 2
`,
  'texts.ts': `export { labelOf } from './labels'
export const somethingElse = () => 1
`,
  'labels.ts': `let prefix = 'n'
prefix += '='
export const labelOf = (n: number): string => prefix + n
`,
  'table.json': '{ "factor": 1 }\n',
  'node_modules/words/package.json':
    '{ "name": "words", "version": "1.0.0", "type": "module", "exports": "./index.js" }\n',
  'node_modules/words/index.js': `export const plural = n => (n === 1 ? '' : 's')
export const other = () => 0
`,
}

export type Edit = Readonly<{
  name: string
  isSame: boolean
  /** File, what to replace, and by what. */
  changes: readonly (readonly [file: string, find: string | RegExp, replace: string])[]
}>

const same = (name: string, ...changes: Edit['changes']): Edit => ({ name, isSame: true, changes })
const differs = (name: string, ...changes: Edit['changes']): Edit => ({ name, isSame: false, changes })

export const EDITS: readonly Edit[] = [
  same('a comment', ['app.ts', 'const next', '// the next one\n      const next']),
  same('a doc comment', ['app.ts', 'How many there are.', 'Something else.']),
  same('white space and line breaks', ['app.ts', 'state.count + event', 'state.count\n          +   event']),
  same('semicolons and quotes', ['labels.ts', /'/g, '"'], ['labels.ts', /\n/g, ';\n']),
  same('a local is renamed', ['app.ts', /\bnext\b/g, 'following']),
  same('parameters are renamed', ['app.ts', /\bevent\b/g, 'e'], ['app.ts', /\bstate\b/g, 's']),
  same('a constant is renamed', ['app.ts', /\bSTEP\b/g, 'STRIDE']),
  same('a helper is renamed', ['app.ts', /\bclamp\b/g, 'bound'], ['numbers.ts', /\bclamp\b/g, 'bound']),
  same(
    'an import gets another name',
    ['app.ts', 'clamp, LIMIT', 'clamp as bounded, LIMIT'],
    ['app.ts', '= clamp(', '= bounded('],
  ),
  same('a type is changed', ['app.ts', 'label: string }', 'label: string; more?: boolean }']),
  same('types are left out', ['app.ts', '(state: State, event: { data: { by: number } })', '(state, event)']),
  same('as const and satisfies', ['app.ts', 'count: next,', 'count: next as number satisfies number,']),
  same('parentheses', [
    'app.ts',
    'texts.labelOf(next) + plural(next)',
    '(texts.labelOf(next) + (plural(next)))',
  ]),
  same('a file is moved', ['numbers.ts', './half', './math/half'], ['half.ts', /[\s\S]*/, '']),
  same('an unused definition', ['numbers.ts', 'unused = 5', 'unused = 6']),
  same('another export of a namespace', ['texts.ts', '=> 1', '=> 2']),
  same('another export of a package', ['node_modules/words/index.js', '() => 0', '() => 1']),
  same('another handler', ['app.ts', 'Emptied: () => ({ count: 0', 'Emptied: () => ({ count: 1']),
  same('what may be handled', ['app.ts', "['Added', 'Emptied']", "['Added']"]),
  same('a type of an import', ['app.ts', 'clamp, LIMIT', 'type Clamp, clamp, LIMIT']),
  same('a method is a property with a function', ['app.ts', 'label: texts', "'label': texts"]),
  differs('a constant', ['app.ts', 'STEP: number = 1', 'STEP: number = 2']),
  differs('a constant of another module', ['numbers.ts', 'LIMIT = 100', 'LIMIT = 101']),
  differs('a helper', ['numbers.ts', 'return 0\n', 'return 1\n']),
  differs('a helper of a helper', ['half.ts', 'n / 2', 'n / 3']),
  differs('a function that a helper calls', [
    'numbers.ts',
    'unrelated(): number { return 0 }',
    'unrelated(): number { return 1 }',
  ]),
  differs('an operator', ['app.ts', 'state.count + event', 'state.count - event']),
  differs('the order of operands', [
    'app.ts',
    'texts.labelOf(next) + plural(next)',
    'plural(next) + texts.labelOf(next)',
  ]),
  differs('which parameter is used', ['labels.ts', 'prefix + n', 'prefix + prefix']),
  differs('a property that is read', ['app.ts', 'event.data.by', 'event.data.to']),
  differs('a property that is written', ['app.ts', 'label: texts', 'title: texts']),
  differs('an optional chain', ['app.ts', 'event.data.by', 'event.data?.by']),
  differs('a comparison with an equal bound', ['numbers.ts', 'n <= 0', 'n < 0']),
  differs('a text', ['labels.ts', "'n'", "'m'"]),
  differs('an assignment beside the declaration', ['labels.ts', "prefix += '='", "prefix += ':'"]),
  differs('what is exported again', [
    'texts.ts',
    "export { labelOf } from './labels'",
    'export const labelOf = (n: number) => String(n)',
  ]),
  differs('JSON that is imported', ['table.json', '1', '2']),
  differs('a package', ['node_modules/words/index.js', "? '' : 's'", "? '' : 'es'"]),
  differs('the operator of a logical expression', ['numbers.ts', 'LIMIT - half(', '(LIMIT || 0) - half(']),
]

/** The sources behind an edit. */
export function edited({ name, changes }: Edit): Sources {
  const sources: Record<string, string> = { ...BEFORE }
  for (const [file, find, replace] of changes) {
    const before = sources[file]
    if (before === undefined) throw new Error(`${name}: there is no ${file}`)
    const after = before.replace(find, replace)
    if (after === before) throw new Error(`${name}: nothing to change in ${file}`)
    sources[file] = after
  }
  if (name === 'a file is moved') sources['math/half.ts'] = BEFORE['half.ts']!
  return sources
}
