// Hashes the handlers of every definition in a module, each by itself.

import type { CodeGraph, HashedCode, PlacedNode } from './code-graph.ts'
import { allPropertiesOf, type FoundDefinition, findDefinitions } from './find-definitions.ts'
import type { Problem } from './problem.ts'
import type { SourceModule } from './source-module.ts'
import { type Node, nameOf, unwrapped } from './syntax.ts'

/** Raised with each change of what is hashed, and how: then all handlers count as changed. */
export const HASHER_VERSION = 1

/** Stands for all types, where one function handles them. */
export const EVERY_TYPE = '*'

export type HashedDefinition = Readonly<{
  name: string
  /** The object literal, in the module's code. */
  node: Node
  /** Of what counts for every event: the initial state, and to which document an event belongs. */
  base: string
  /** By event type. */
  handlers: Readonly<Record<string, string>>
  problems: readonly Problem[]
  files: ReadonlySet<string>
}>

export async function hashHandlers(module: SourceModule, graph: CodeGraph): Promise<HashedDefinition[]> {
  return Promise.all(findDefinitions(module).map(definition => hashDefinition(definition, module, graph)))
}

async function hashDefinition(
  { name, node, properties, isWhole }: FoundDefinition,
  module: SourceModule,
  graph: CodeGraph,
): Promise<HashedDefinition> {
  if (!isWhole)
    return { name, node, base: '', handlers: {}, problems: [partsProblem(node, module)], files: new Set() }
  const ofAll = ['initialState', 'getDocumentId'].flatMap(key => properties.get(key) ?? [])
  const base = await Promise.all(ofAll.map(one => graph.hashOf({ node: one, module })))
  const handlers = await Promise.all(
    [...(await foldingParts(properties, module, graph))].map(
      async ([type, code]) => [type, await graph.hashOf(code)] as const,
    ),
  )
  const all: readonly HashedCode[] = [...base, ...handlers.map(([, code]) => code)]
  return {
    name,
    node,
    base: base.map(({ hash }) => hash).join('.'),
    handlers: Object.fromEntries(handlers.map(([type, { hash }]) => [type, hash])),
    problems: [...new Set(all.flatMap(({ problems }) => problems))],
    files: new Set(all.flatMap(({ files }) => [...files])),
  }
}

const partsProblem = ({ start }: Node, module: SourceModule): Problem => ({
  kind: 'unknown',
  module,
  start,
  message: 'Parts of the definition are only known when the code runs',
  wayOut: 'Write down each of its properties by name.',
})

/** What makes something of an event, by the type of it. */
async function foldingParts(
  properties: FoundDefinition['properties'],
  module: SourceModule,
  graph: CodeGraph,
): Promise<ReadonlyMap<string, PlacedNode>> {
  const upcast = properties.get('upcast')
  if (upcast) return new Map([[EVERY_TYPE, { node: upcast, module }]])
  return handlersOf({ node: properties.get('evolve')!, module }, graph)
}

/** One expression for each event type, wherever the table of them stands; else one for all. */
async function handlersOf(evolve: PlacedNode, graph: CodeGraph): Promise<ReadonlyMap<string, PlacedNode>> {
  const table = await valueBehind(evolve, graph)
  const properties = allPropertiesOf(table.node)
  if (!properties) return new Map([[EVERY_TYPE, evolve]])
  return new Map([...properties].map(([type, node]) => [type, { node, module: table.module }]))
}

async function valueBehind({ node, module }: PlacedNode, graph: CodeGraph): Promise<PlacedNode> {
  const inner: Node = unwrapped(node)
  if (inner.type !== 'Identifier' || module.bindingOf(inner)?.type !== 'module')
    return { node: inner, module }
  const value = await graph.valueOf(nameOf(inner), module)
  return value ? valueBehind(value, graph) : { node: inner, module }
}
