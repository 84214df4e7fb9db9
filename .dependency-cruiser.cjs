// The ranks of the house: imports go only to lower ranks, folders of one rank never import each other.
const RANKS = [
  ['log'],
  ['integrity', 'model', 'storage'],
  ['protocol'],
  ['engine', 'client'],
  ['sync', 'server', 'testing'],
]

const folder = name => `^src/${name}/`
const rules = RANKS.flatMap((names, rank) =>
  names.map(name => ({
    name: `rank-of-${name}`,
    comment: `src/${name} may import only folders of a rank below ${rank}`,
    severity: 'error',
    from: { path: folder(name) },
    to: {
      path: '^(src/[^/]+/|worker/|demo/|test/|e2e/|bench/)',
      pathNot: [folder(name), ...RANKS.slice(0, rank).flat().map(folder)],
    },
  })),
)

module.exports = {
  forbidden: [
    ...rules,
    {
      name: 'page-stays-light',
      comment: 'the main-thread door reaches no storage, no hashing and no engine',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^(src/(storage|integrity|engine)/|node_modules/(idb|hash-wasm)/)' },
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
