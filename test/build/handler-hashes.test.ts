// A handler's hash is the same as long as its code does the same, and another one as soon as it does not.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type Builder,
  byEsbuild,
  byRollup,
  byRspack,
  byVite,
  byViteDev,
  byWebpack,
  handlerCodeIn,
  inFolder,
  withDevServer,
  write,
} from './bundle.ts'
import { BEFORE, EDITS, edited, type Sources } from './edits.ts'

async function hashesOf(sources: Sources, build: Builder): Promise<Readonly<Record<string, string>>> {
  const code = handlerCodeIn(await inFolder(sources, build))
  if (!code) throw new Error('no handler was hashed')
  return code.handlers
}

describe.each([
  ['vite build', byVite],
  ['vite dev', byViteDev],
  ['esbuild', byEsbuild],
  ['rollup', byRollup],
  ['webpack', byWebpack],
  ['rspack', byRspack],
] as const)('%s', (_, build) => {
  test.each(EDITS.map(edit => [edit.isSame ? 'same' : 'another', edit.name, edit] as const))(
    '%s: %s',
    async (_outcome, _name, edit) => {
      const [before, after] = [await hashesOf(BEFORE, build), await hashesOf(edited(edit), build)]
      expect(Object.keys(after)).toEqual(['Added', 'Emptied'])
      if (edit.isSame) expect(after['Added']).toBe(before['Added'])
      else expect(after['Added']).not.toBe(before['Added'])
    },
  )
})

test('all bundlers come to the same hashes', async () => {
  const builders = [byVite, byViteDev, byEsbuild, byRollup, byWebpack, byRspack]
  const [first, ...others] = await Promise.all(builders.map(build => hashesOf(BEFORE, build)))
  for (const other of others) expect(other).toEqual(first)
})

test('a change in another file is known while the dev server runs', async () => {
  await inFolder(BEFORE, folder =>
    withDevServer(folder, async (get, change) => {
      const before = handlerCodeIn(await get('app.ts'))!.handlers
      const half = BEFORE['half.ts']!
      await change({ 'half.ts': half.replace('n / 2', 'n / 4') })
      const changed = handlerCodeIn(await get('app.ts'))!.handlers
      expect(changed['Added']).not.toBe(before['Added'])
      expect(changed['Emptied']).toBe(before['Emptied'])
      await change({ 'half.ts': `// Only a comment\n${half}` })
      expect(handlerCodeIn(await get('app.ts'))!.handlers).toEqual(before)
      // What the module itself imports, too.
      const numbers = BEFORE['numbers.ts']!
      await change({ 'numbers.ts': numbers.replace('LIMIT = 100', 'LIMIT = 99') })
      await get('numbers.ts')
      expect(handlerCodeIn(await get('app.ts'))!.handlers['Added']).not.toBe(before['Added'])
    }),
  )
})

const handlerWith = (body: string, before = ''): Sources => ({
  'app.ts': `${before}
export const counter = {
  initialState: () => 0,
  evolve: { Added: (state: number, event: any) => ${body} },
}
`,
})

describe('what cannot be deterministic fails the build, with its place and the way out:', () => {
  test.each([
    ['Date.now()', 'reads the clock'],
    ['new Date()', 'reads the clock'],
    ['new Date(2026, 1, 1).valueOf()', 'reads the clock'],
    ['Math.random()', 'another one each time'],
    ['crypto.randomUUID()', 'not the same everywhere'],
    ['fetch("/")', 'not the same everywhere'],
    ['state.toLocaleString()', 'where the device is'],
    ['new Date(event.at).getHours()', 'where the device is'],
    ['Intl.NumberFormat().format(state)', 'not the same everywhere'],
    ['globalThis.crypto', 'not the same everywhere'],
    ['import("./other")', 'must not wait'],
    ['import.meta.env', 'another one in each build'],
    ['(async () => state)()', 'must not be asynchronous'],
  ])('%s', async (body, problem) => {
    for (const build of [byVite, byEsbuild]) {
      await expect(inFolder(handlerWith(body), build)).rejects.toThrow(problem)
    }
  })

  test('in a helper of another file, which is named', async () => {
    const sources = {
      ...handlerWith('state + stamp()', "import { stamp } from './stamp'"),
      'stamp.ts': 'const unused = 1\nexport const stamp = () => Date.now()\n',
    }
    await expect(inFolder(sources, byVite)).rejects.toThrow(
      /stamp\.ts:2:28: `Date` reads the clock\. Take the time from the event/,
    )
  })

  test.each([
    'new Date(event.metadata.recordedAt).toISOString()',
    'Date.UTC(2026, 0, 1)',
    'Math.max(state, 1)',
    'JSON.stringify(structuredClone(event))',
    'event instanceof Date ? 1 : 2',
  ])('but not %s', async body => {
    expect(handlerCodeIn(await inFolder(handlerWith(body), byVite))).not.toBeNull()
  })

  test('nor what decides on commands', async () => {
    const sources = {
      'app.ts': `export const counter = {
  initialState: () => 0,
  decide: () => ({ type: 'Added', data: { at: Date.now() } }),
  evolve: { Added: (state: number) => state + 1 },
}
`,
    }
    expect(handlerCodeIn(await inFolder(sources, byVite))).not.toBeNull()
  })
})

test('what is known to be the same everywhere can be allowed, by its name', async () => {
  const sources = handlerWith(
    'Intl.NumberFormat("en-GB").format(state) + state.toLocaleString("en-GB") + Math.random()',
  )
  const allow = ['Intl', 'toLocaleString']
  for (const build of [byVite, byEsbuild]) {
    const withAllowed = (allowed: readonly string[]) =>
      inFolder(sources, folder => build(folder, 'app.ts', { report: false, allow: allowed }))
    await expect(withAllowed(allow)).rejects.toThrow('`Math.random` is another one each time')
    expect(handlerCodeIn(await withAllowed([...allow, 'Math.random']))).not.toBeNull()
  }
})

test('upcasters are hashed as well', async () => {
  const upcasterWith = (body: string): Sources => ({
    'app.ts': `const rate = 100
export const upcaster = { type: 'Bought', from: 1, upcast: (data: any) => ${body} }
`,
  })
  const [first, same, other] = await Promise.all(
    ['({ cents: data.euros * rate })', '({ cents: (data.euros) * rate })', '({ cents: data.euros })'].map(
      body => hashesOf(upcasterWith(body), byVite),
    ),
  )
  expect(Object.keys(first!)).toEqual(['*'])
  expect(same).toEqual(first)
  expect(other).not.toEqual(first)
  await expect(inFolder(upcasterWith('Date.now()'), byVite)).rejects.toThrow('reads the clock')
})

test('the handlers of a read model are hashed, with what they have done to rows', async () => {
  const searchWith = (change: string): Sources => ({
    'app.ts': `export const search = {
  tables: { cards: 'id' },
  canHandle: ['Added', 'Renamed'],
  evolve: {
    Added: (rows: any, event: any) => rows.cards.put({ id: event.data.id }),
    Renamed: (rows: any, event: any) => rows.cards.update(event.data.id, (card: any) => ${change}),
  },
}
`,
  })
  const [first, same, other] = await Promise.all(
    [
      '({ ...card, title: event.data.title })',
      '( { ...card, title: (event.data.title) } )',
      '({ ...card })',
    ].map(change => hashesOf(searchWith(change), byVite)),
  )
  expect(same).toEqual(first)
  expect(other!['Added']).toBe(first!['Added'])
  expect(other!['Renamed']).not.toBe(first!['Renamed'])
  await expect(inFolder(searchWith('({ ...card, at: Date.now() })'), byVite)).rejects.toThrow(
    'reads the clock',
  )
})

describe('the report', () => {
  const cart = (added: string, more = ''): Sources => ({
    'app.ts': `export const cart = {
  initialState: () => 0,
  evolve: { Added: (n: number) => n + ${added}, Emptied: () => 0${more} },
}
`,
  })

  async function reportsOf(builds: readonly Sources[], typeCounts?: Record<string, number>, build = byVite) {
    return inFolder(builds[0]!, async folder => {
      const reports: string[] = []
      const report = { file: join(folder, 'kept', 'handlers.json'), ...(typeCounts && { typeCounts }) }
      for (const sources of builds) {
        await write(folder, sources)
        let said = ''
        await build(folder, 'app.ts', {
          report,
          onReport: text => {
            said = text.replace(/\(.*?\/app\.ts\)/, '(app.ts)')
          },
        })
        reports.push(said)
      }
      return reports
    })
  }

  test.each([
    ['vite', byVite],
    ['esbuild', byEsbuild],
    ['rollup', byRollup],
    ['webpack', byWebpack],
    ['rspack', byRspack],
  ])('says what changed since the last build, and nothing where nothing did: %s', async (_, build) => {
    const builds = [cart('1'), cart('1'), cart('2'), cart('2', ', Removed: () => 1'), cart('2')]
    expect(await reportsOf(builds, undefined, build)).toEqual([
      '',
      '',
      'Handlers changed since the last build:\n  cart (app.ts): Added',
      'Handlers changed since the last build:\n  cart (app.ts): Removed is new',
      'Handlers changed since the last build:\n  cart (app.ts): Removed is gone',
    ])
  })

  test('says how many events of a store that concerns', async () => {
    const counts = { Added: 1_200, Other: 48_800 }
    const otherStart = {
      'app.ts': cart('2')['app.ts']!.replace('initialState: () => 0', 'initialState: () => 5'),
    }
    expect(
      await reportsOf([cart('1'), cart('2'), cart('2', ', Removed: () => 1'), otherStart], counts),
    ).toEqual([
      '',
      'Handlers changed since the last build:\n  cart (app.ts): Added (1,200 of 50,000 events)',
      'Handlers changed since the last build:\n  cart (app.ts): Removed is new (the store has none)',
      'Handlers changed since the last build:\n  cart (app.ts): what counts for every event (all 50,000 events)',
    ])
  })
})

describe('what is hashed apart:', () => {
  test('one function for all types', async () => {
    const sources = {
      'app.ts': 'export default { initialState: () => 0, evolve: (state, event) => state + 1 }\n',
    }
    expect(Object.keys(await hashesOf(sources, byVite))).toEqual(['*'])
  })

  test('a table of handlers that stands elsewhere', async () => {
    const sources = {
      'app.ts':
        "import { evolve } from './handlers'\nexport const counter = { initialState: () => 0, evolve }\n",
      'handlers.ts': 'export const evolve = { Added: (n: number) => n + 1, Emptied: () => 0 }\n',
    }
    expect(Object.keys(await hashesOf(sources, byVite))).toEqual(['Added', 'Emptied'])
  })

  test('a table that is changed beside where it is declared, as a whole', async () => {
    const sources = {
      'app.ts':
        'const evolve: any = { Added: (n: number) => n + 1 }\nevolve.Emptied = () => 0\nexport const counter = { initialState: () => 0, evolve }\n',
    }
    expect(Object.keys(await hashesOf(sources, byVite))).toEqual(['*'])
  })

  test('the initial state and the document that an event belongs to, for all types together', async () => {
    const baseOf = async (sources: Sources) => handlerCodeIn(await inFolder(sources, byVite))!.base
    const sources = (start: string, id: string): Sources => ({
      'app.ts': `export const counter = { initialState: () => ${start}, getDocumentId: e => ${id}, evolve: { Added: n => n + 1 } }\n`,
    })
    const before = await baseOf(sources('0', 'e.data.id'))
    expect(await baseOf(sources('0 ', '(e.data.id)'))).toBe(before)
    expect(await baseOf(sources('1', 'e.data.id'))).not.toBe(before)
    expect(await baseOf(sources('0', 'e.data.of'))).not.toBe(before)
  })
})

describe('what cannot be known is told, and left as it is without a plugin:', () => {
  test.each([
    [
      'a variable of a function around it',
      'const create = (step: number) => ({\n  initialState: () => 0,\n  evolve: { Added: (n: number) => n + step },\n})\nexport const counter = create(2)\n',
      /app\.ts:3:39: `step` is of the function around the handlers/,
    ],
    [
      'another handler, by way of `this`',
      'export const counter = {\n  initialState: () => 0,\n  evolve: { Added(n: number) { return this.Emptied() + n }, Emptied: () => 0 },\n}\n',
      /app\.ts:3:39: What `this` is/,
    ],
    [
      'a namespace',
      'namespace Steps { export const one = 1 }\nexport const counter = {\n  initialState: () => 0,\n  evolve: { Added: (n: number) => n + Steps.one },\n}\n',
      /app\.ts:1:1: A namespace/,
    ],
  ])('%s', async (_, code, problem) => {
    const told: string[] = []
    const built = await inFolder({ 'app.ts': code }, folder =>
      byVite(folder, 'app.ts', { report: false, onUnknown: message => told.push(message) }),
    )
    expect(handlerCodeIn(built)).toBeNull()
    expect(told).toEqual([expect.stringMatching(problem)])
  })

  test('a definition with parts of another one, whose hashes are not its own', async () => {
    const told: string[] = []
    const sources = {
      'app.ts': `const first = { initialState: () => 0, evolve: { Added: (n: number) => n + 1 } }
export const second = { ...first, evolve: { Added: (n: number) => n + 2 } }
export const third = { initialState: () => 0, evolve: { Added: (n: number) => n + 3 }, ...first }
`,
    }
    const built = await inFolder(sources, folder =>
      byVite(folder, 'app.ts', { report: false, onUnknown: message => told.push(message) }),
    )
    expect(handlerCodeIn(built)).not.toBeNull()
    const module = await import(`data:text/javascript,${encodeURIComponent(built)}`)
    expect([module.second.handlerCode, module.third.handlerCode]).toEqual([undefined, undefined])
    expect(told.toSorted()).toEqual([
      expect.stringMatching(/second cannot be known: .*app\.ts:2:23: Parts of the definition/),
      expect.stringMatching(/third cannot be known: .*app\.ts:3:22: Parts of the definition/),
    ])
  })

  test('but what a class calls `this` is known', async () => {
    const code = `class Sum {
  #n = 0
  add(n: number) { this.#n += n; return this }
  get value() { return this.#n }
}
enum Step { One = 1, Two }
export const counter = {
  initialState: () => 0,
  evolve: { Added: (n: number) => new Sum().add(n).add(Step.Two).value },
}
`
    const before = await hashesOf({ 'app.ts': code }, byVite)
    const renamed = { 'app.ts': code.replaceAll('Sum', 'Total') }
    expect(await hashesOf(renamed, byVite)).toEqual(before)
    for (const [find, replace] of [
      ['+= n', '-= n'],
      ['One = 1', 'One = 2'],
      ['Step.Two', 'Step.One'],
    ] as const) {
      expect(await hashesOf({ 'app.ts': code.replace(find, replace) }, byVite)).not.toEqual(before)
    }
  })
})
