// The ranks of the house: imports go only to lower ranks, folders of one rank never import each other.

const RANKS = [
  ['src/log'],
  ['src/integrity', 'src/model', 'src/storage'],
  ['src/protocol', 'src/dexie'],
  ['src/engine', 'src/client'],
  ['src/sync', 'src/server', 'src/conformance', 'src/testing', 'src/cli', 'src/build'],
  ['worker'],
]

const inFolder = name => `^${name}/`

const ranks = RANKS.flatMap((names, rank) =>
  names.map(name => ({
    name: `rank-of-${name.replace('/', '-')}`,
    comment: `${name} may import only from folders of a rank below ${rank}`,
    severity: 'error',
    from: { path: inFolder(name) },
    to: {
      path: '^(src|worker|demo|test|e2e|bench|scripts)/',
      pathNot: [name, ...RANKS.slice(0, rank).flat()].map(inFolder),
    },
  })),
)

module.exports = {
  forbidden: [
    ...ranks,
    {
      name: 'every-folder-has-a-rank',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: RANKS.flat().map(inFolder) },
      to: {},
    },
    {
      name: 'page-stays-light',
      comment: 'what the page loads reaches no storage, no hashing and no engine, by whatever way',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: ['^src/(storage|integrity|engine)/', 'node_modules/(idb|hash-wasm)/'], reachable: true },
    },
    {
      name: 'queries-of-rows-stay-light',
      comment: 'a page that queries rows loads Dexie, and nothing else that is large',
      severity: 'error',
      from: { path: '^src/dexie/' },
      to: { path: ['^src/(integrity|engine)/', 'node_modules/(idb|hash-wasm)/'], reachable: true },
    },
    {
      name: 'browser-has-no-node',
      severity: 'error',
      from: {
        path: '^(worker|src)/',
        pathNot: '^src/(server|conformance|testing|cli|build|storage/postgres)/',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'declared-dependencies-only',
      comment: 'what the package imports is a dependency or a peer of it, or users do not have it',
      severity: 'error',
      from: { path: '^(src|worker)/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^(src|worker)/' }, to: {} },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
}
