// Follows code from module to module, and hashes it with all that it uses.

import { createHash } from 'node:crypto'
import { type NormalForm, normalFormOf, normalFormOfHandler, type Reference } from './normal-form.ts'
import type { Problem } from './problem.ts'
import type { SourceModule } from './source-module.ts'
import type { Node } from './syntax.ts'

/** What the bundler knows of files. */
export type SourceHost = Readonly<{
  /** The file that a specifier stands for; null for what is in no file, such as a module of Node. */
  resolve: (specifier: string, importer: string) => Promise<string | null>
  /** @throws `SyntaxError` */
  module: (file: string) => Promise<SourceModule>
  read: (file: string) => Promise<string>
}>

export type HashedCode = Readonly<{
  /** 32 digits: half of a SHA-256. */
  hash: string
  problems: readonly Problem[]
  /** Files that the hash depends on. */
  files: ReadonlySet<string>
}>

/** An expression, and the module it stands in. */
export type PlacedNode = Readonly<{ node: Node; module: SourceModule }>

const SOURCE = /\.[cm]?[jt]sx?$/

export class CodeGraph {
  readonly #host: SourceHost
  readonly #definitions = new Map<string, Definition>()

  constructor(host: SourceHost) {
    this.#host = host
  }

  /** Of a handler, or another function that the store calls. */
  async hashOf({ node, module }: PlacedNode): Promise<HashedCode> {
    const definition = this.#define(`${module.id}!${node.start}`, module.id, () => [
      normalFormOfHandler(node, module),
    ])
    const all = await this.#reachedFrom(definition)
    return {
      hash: hashOf(definition),
      problems: all.flatMap(({ problems }) => problems),
      files: new Set(all.map(({ file }) => file).filter(file => file !== '')),
    }
  }

  /** The expression that a name stands for, in whichever module; null for what is none, or is changed elsewhere. */
  async valueOf(name: string, module: SourceModule): Promise<PlacedNode | null> {
    const imported = module.imports.get(name)
    if (!imported) return declaredValue(name, module)
    const found = await this.#findExport(imported.specifier, imported.name, module)
    if (found?.type === 'expression') return found
    return found?.type === 'local' ? this.valueOf(found.name, found.module) : null
  }

  /** All that a definition uses, itself included, with what each uses known. */
  async #reachedFrom(definition: Definition): Promise<Definition[]> {
    const reached = new Set([definition])
    for (const one of reached) {
      one.linked ??= this.#link(one)
      await one.linked
      for (const used of one.uses.values()) reached.add(used)
    }
    return [...reached]
  }

  /** Never waits for another definition to be linked: code may be used in a circle. */
  async #link({ parts, uses }: Definition): Promise<void> {
    for (const part of parts) {
      if (typeof part !== 'string') uses.set(part, await this.#definitionOf(part))
    }
  }

  async #definitionOf(reference: Reference): Promise<Definition> {
    const { module, name } = reference
    const imported = reference.type === 'imported' ? reference : module.imports.get(name)
    return imported ? this.#imported(imported.specifier, imported.name, module) : this.#declared(name, module)
  }

  #declared(name: string, module: SourceModule): Definition {
    return this.#define(`${module.id}#${name}`, module.id, () => {
      const node = module.declarations.get(name)
      const effects = module.effects.filter(({ names }) => names.has(name))
      return [node, ...effects.map(effect => effect.node)].map(one =>
        one ? normalFormOf(one, module, name) : textForm(`undeclared ${name}`),
      )
    })
  }

  async #imported(specifier: string, name: string, importer: SourceModule): Promise<Definition> {
    const found = await this.#findExport(specifier, name, importer)
    switch (found?.type) {
      case undefined:
        return this.#define(`${specifier}#${name}`, '', () => [textForm(`external ${specifier} ${name}`)])
      case 'local':
        return this.#definitionOf({ type: 'declared', module: found.module, name: found.name })
      case 'expression': {
        const { node, module } = found
        return this.#define(`${module.id}:${node.start}`, module.id, () => [normalFormOf(node, module)])
      }
      case 'whole': {
        const { module } = found
        return this.#define(`${module.id}#*`, module.id, () => wholeModule(module))
      }
      case 'asset': {
        const { file } = found
        const [path, query = ''] = file.split('?')
        const content = await this.#host.read(path!)
        return this.#define(file, path!, () => [textForm(`asset ${query} ${content}`)])
      }
    }
  }

  async #findExport(specifier: string, name: string, importer: SourceModule): Promise<Found | null> {
    const file = await this.#host.resolve(specifier, importer.id)
    if (file === null) return null
    if (!SOURCE.test(file)) return { type: 'asset', file }
    const module = await this.#host.module(file)
    // Of CommonJS nobody can tell which part is used.
    if (name === '*' || !module.isModule) return { type: 'whole', module }
    const found = module.exports.get(name)
    if (found?.type === 'from') return this.#findExport(found.specifier, found.name, module)
    if (found) return { ...found, module }
    for (const other of module.exportsAllOf) {
      const inOther = await this.#findExport(other, name, module)
      if (inOther) return inOther
    }
    return null
  }

  #define(key: string, file: string, forms: () => readonly NormalForm[]): Definition {
    const known = this.#definitions.get(key)
    if (known) return known
    const made = forms()
    const definition: Definition = {
      file,
      parts: made.flatMap(({ parts }) => parts),
      problems: made.flatMap(({ problems }) => problems),
      uses: new Map(),
      linked: null,
    }
    this.#definitions.set(key, definition)
    return definition
  }
}

/** A piece of code, and what its references stand for once it is linked. */
type Definition = {
  /** '' for what is in no file. */
  readonly file: string
  readonly parts: NormalForm['parts']
  readonly problems: readonly Problem[]
  readonly uses: Map<Reference, Definition>
  linked: Promise<void> | null
}

type Found =
  | Readonly<{ type: 'local'; name: string; module: SourceModule }>
  | (Readonly<{ type: 'expression' }> & PlacedNode)
  | Readonly<{ type: 'whole'; module: SourceModule }>
  | Readonly<{ type: 'asset'; file: string }>

const textForm = (text: string): NormalForm => ({ parts: [text], problems: [] })

function declaredValue(name: string, module: SourceModule): PlacedNode | null {
  const declaration = module.declarations.get(name)
  if (!declaration || module.effects.some(({ names }) => names.has(name))) return null
  const node = declaration['init'] as Node | null | undefined
  const isPlain = (declaration['id'] as Node | null)?.type === 'Identifier'
  return node && isPlain ? { node, module } : null
}

/** Everything that a module exports, each with the name that it has there. */
function wholeModule(module: SourceModule): readonly NormalForm[] {
  if (!module.isModule) return [normalFormOf(module.program, module)]
  const exported = [...module.exports].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const forms = exported.map(([name, one]): NormalForm => {
    if (one.type === 'expression') return normalFormOf(one.node, module)
    const reference: Reference =
      one.type === 'from'
        ? { type: 'imported', module, specifier: one.specifier, name: one.name }
        : { type: 'declared', module, name: one.name }
    return { parts: [`export ${name}`, reference], problems: [] }
  })
  const all = module.exportsAllOf.map(
    (specifier): NormalForm => ({
      parts: ['export *', { type: 'imported', module, specifier, name: '*' }],
      problems: [],
    }),
  )
  return [...forms, ...all]
}

/**
 * A definition and all it uses, each written out once where it is first met, and by its number from then on: so neither
 * names nor places count, and a circle has an end.
 */
function hashOf(definition: Definition): string {
  const hash = createHash('sha256')
  const numbers = new Map<Definition, number>()
  const write = (one: Definition): void => {
    const number = numbers.get(one)
    if (number !== undefined) {
      hash.update(`@${number}\n`)
      return
    }
    numbers.set(one, numbers.size)
    hash.update('{\n')
    for (const part of one.parts) {
      if (typeof part === 'string') hash.update(`${part}\n`)
      else write(one.uses.get(part)!)
    }
    hash.update('}\n')
  }
  write(definition)
  return hash.digest('hex').slice(0, 32)
}
