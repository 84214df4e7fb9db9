// Finds what an application writes for the store: object literals with an `initialState` and an `evolve`.

import type { SourceModule } from './source-module.ts'
import { isNode, keyName, type Node, nameOf, nodeIn, nodesIn, unwrapped } from './syntax.ts'

export type FoundDefinition = Readonly<{
  /** What it is bound to, for people; `default` where it has no name. */
  name: string
  /** The object literal. */
  node: Node
  properties: ReadonlyMap<string, Node>
}>

export const HANDLER_CODE = 'handlerCode'

export function findDefinitions({ program }: SourceModule): FoundDefinition[] {
  const found: FoundDefinition[] = []
  const visit = (node: Node, name: string): void => {
    if (node.type === 'ObjectExpression') {
      const properties = propertiesOf(node)
      const isDefinition = properties.has('evolve') && properties.has('initialState')
      if (isDefinition && !properties.has(HANDLER_CODE)) found.push({ name, node, properties })
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
  return properties.size === nodesIn(object, 'properties').length ? properties : null
}

function boundName(node: Node): string | null {
  if (node.type === 'VariableDeclarator') return nameOf(nodeIn(node, 'id')!)
  return node.type === 'Property' ? keyName(node) : null
}
