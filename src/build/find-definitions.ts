// Finds what an application writes for the store: object literals with an `evolve` and an `initialState`, or, for rows,
// `tables`; or with one of them and the rest of another definition; and those with an `upcast` and a `from`.

import type { SourceModule } from './source-module.ts'
import { isNode, keyName, type Node, nameOf, nodeIn, nodesIn, unwrapped } from './syntax.ts'

export type FoundDefinition = Readonly<{
  /** What it is bound to, for people; `default` where it has no name. */
  name: string
  /** The object literal. */
  node: Node
  properties: ReadonlyMap<string, Node>
  /** False where some of it is only known when the code runs: what is spread into it, or stands under computed keys. */
  isWhole: boolean
}>

export const HANDLER_CODE = 'handlerCode'

/** Parts of a definition that events are folded with. */
const FOLDING = ['initialState', 'evolve', 'getDocumentId']

export function findDefinitions({ program }: SourceModule): FoundDefinition[] {
  const found: FoundDefinition[] = []
  const visit = (node: Node, name: string): void => {
    if (node.type === 'ObjectExpression') {
      const properties = propertiesOf(node)
      const isWhole = isAllOf(properties, node)
      const parts = FOLDING.filter(part => properties.has(part)).length
      const isUpcaster = properties.has('upcast') && properties.has('from')
      const isFold = properties.has('evolve') && (properties.has('initialState') || properties.has('tables'))
      const isDefinition = isUpcaster || (isWhole ? isFold : parts > 0)
      if (isDefinition && !properties.has(HANDLER_CODE)) found.push({ name, node, properties, isWhole })
    }
    const inner = boundName(node) ?? name
    for (const value of Object.values(node)) {
      for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) visit(one, inner)
    }
  }
  visit(program, 'default')
  return found
}

/** Values of the properties whose names are written down. */
export function propertiesOf(object: Node): ReadonlyMap<string, Node> {
  const properties = new Map<string, Node>()
  for (const property of nodesIn(object, 'properties')) {
    const name = property.type === 'Property' ? keyName(property) : null
    if (name !== null) properties.set(name, nodeIn(property, 'value')!)
  }
  return properties
}

/** Values of all properties; null where some are only known when the code runs, or come from elsewhere. */
export function allPropertiesOf(expression: Node): ReadonlyMap<string, Node> | null {
  const object = unwrapped(expression)
  if (object.type !== 'ObjectExpression') return null
  const properties = propertiesOf(object)
  return isAllOf(properties, object) ? properties : null
}

const isAllOf = (properties: ReadonlyMap<string, Node>, object: Node): boolean =>
  properties.size === nodesIn(object, 'properties').length

function boundName(node: Node): string | null {
  if (node.type === 'VariableDeclarator') return nameOf(nodeIn(node, 'id')!)
  return node.type === 'Property' ? keyName(node) : null
}
