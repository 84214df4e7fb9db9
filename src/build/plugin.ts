// The build plugin: writes the hashes of their code beside handlers, and refuses those that cannot be deterministic.

import MagicString from 'magic-string'
import { ResolverFactory } from 'oxc-resolver'
import { createUnplugin, type UnpluginInstance } from 'unplugin'
import { ChangeReport, type ChangeReportOptions } from './change-report.ts'
import { CodeGraph } from './code-graph.ts'
import { HANDLER_CODE } from './find-definitions.ts'
import { HASHER_VERSION, type HashedDefinition, hashHandlers } from './handler-hashes.ts'
import { ModuleFiles } from './module-files.ts'
import { type Problem, placeOf, tellProblem } from './problem.ts'
import { parseModule } from './source-module.ts'
import { nodesIn } from './syntax.ts'
import { UsedFiles } from './used-files.ts'

export type StreamDingoPluginOptions = Readonly<{
  /**
   * Told of definitions whose code cannot be known as a whole: their `version` counts, as without the plugin. Default:
   * a warning of the bundler.
   */
  onUnknown?: (message: string) => void
  /**
   * Names of globals and methods that handlers may use all the same, such as `Intl` or `toLocaleString`: where you know
   * that they give the same everywhere and always.
   */
  allow?: readonly string[]
  /** Which handlers changed since the last build. False: nothing is kept or said. */
  report?: ChangeReportOptions | false
  /** Told what changed, after a build. Default: it is printed. */
  onReport?: (report: string) => void
}>

/** Of a bundler: how it finds a file. */
type Resolve = (specifier: string, importer: string) => Promise<string | null>

/** `streamdingo.rollup()`, `.webpack()`, `.rspack()`, `.esbuild()`; for Vite, `streamdingo/vite` does more. */
export const streamdingo: UnpluginInstance<StreamDingoPluginOptions | undefined, false> = createUnplugin(
  (options: StreamDingoPluginOptions | undefined) => {
    const files = new ModuleFiles()
    const changes = options?.report === false ? null : new ChangeReport(options?.report ?? {})
    const allowed = new Set(options?.allow)
    const usedBy = new UsedFiles()
    const resolver = new ResolverFactory({
      conditionNames: ['browser', 'import', 'module', 'default'],
      extensions: ['.ts', '.tsx', '.mts', '.js', '.jsx', '.mjs', '.cjs', '.json'],
      extensionAlias: { '.js': ['.ts', '.tsx', '.js'], '.mjs': ['.mts', '.mjs'] },
      tsconfig: 'auto',
    })
    const resolveFile: Resolve = async (specifier, importer) => {
      const { path } = await resolver.resolveFileAsync(importer, specifier)
      return path ?? null
    }

    return {
      name: 'streamdingo',
      enforce: 'pre',
      transform: {
        filter: {
          id: { include: /\.[cm]?[jt]sx?$/, exclude: /[\\/]node_modules[\\/]/ },
          code: /\b(evolve|initialState|getDocumentId|upcast)\b/,
        },
        async handler(code, id) {
          const native = this as unknown as { resolve?: NativeResolve }
          const resolve = native.resolve ? resolverOf(native.resolve.bind(this), resolveFile) : resolveFile
          const module = parseModule(id, code)
          const graph = new CodeGraph({
            resolve,
            read: file => files.read(file),
            module: file => (file === id ? Promise.resolve(module) : files.module(file)),
          })
          const definitions = await hashHandlers(module, graph)
          if (definitions.length === 0) return null
          const text = new MagicString(code)
          usedBy.set(id, new Set(definitions.flatMap(definition => [...definition.files])))
          for (const definition of definitions) {
            for (const file of definition.files) if (file !== id) this.addWatchFile(file)
            const fault = definition.problems.find(problem => isFault(problem, allowed))
            if (fault) return this.error(faultOf(definition, fault))
            const unknown = definition.problems.find(({ kind }) => kind !== 'not-deterministic')
            if (unknown) {
              const message = `The code of ${definition.name} cannot be known: ${tellProblem(unknown)}`
              if (options?.onUnknown) options.onUnknown(message)
              else this.warn(message)
            }
            if (!unknown) changes?.add(definition.name, id, definition)
            const written = unknown ? 'undefined' : JSON.stringify(codeOf(definition))
            // Last, and of an unknown one, too: the hashes of a definition that is spread into it are not its own.
            text.appendLeft(endOfProperties(definition), `, ${HANDLER_CODE}: ${written} `)
          }
          return { code: text.toString(), map: text.generateMap({ hires: true, source: id }) }
        },
      },
      async buildEnd() {
        const report = await changes?.finish()
        if (!report) return
        if (options?.onReport) options.onReport(report)
        else console.info(report)
      },
      vite: { configureServer: server => usedBy.watch(server) },
    }
  },
)

const isFault = ({ kind, subject }: Problem, allowed: ReadonlySet<string>): boolean =>
  kind === 'not-deterministic' && !(subject !== undefined && allowed.has(subject))

/** Behind the last property, before a comma that may follow. */
const endOfProperties = ({ node }: HashedDefinition): number => nodesIn(node, 'properties').at(-1)!.end

const codeOf = ({ base, handlers }: HashedDefinition) => ({ hasher: HASHER_VERSION, base, handlers })

function faultOf({ name }: HashedDefinition, problem: Problem) {
  const { file, line, column } = placeOf(problem)
  return {
    message: `A handler of ${name} is not deterministic. ${tellProblem(problem)}`,
    id: file,
    loc: { file, line, column: column - 1 },
  }
}

/** Of Rollup and its kin: aliases and other plugins are heard. */
type NativeResolve = (
  specifier: string,
  importer: string,
  options: { skipSelf: boolean },
) => Promise<{ id: string; external?: boolean | string } | null>

function resolverOf(resolve: NativeResolve, otherwise: Resolve): Resolve {
  return async (specifier, importer) => {
    const found = await resolve(specifier, importer, { skipSelf: true })
    if (!found || specifier.startsWith('node:')) return null
    // What is left to the application is a file all the same, and its code counts.
    if (found.external) return otherwise(specifier, importer)
    return found.id.startsWith('\0') || !found.id.includes('/') ? null : found.id
  }
}
