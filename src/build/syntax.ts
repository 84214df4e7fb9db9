// Nodes of a syntax tree (ESTree with TypeScript, https://tc39.es/ and typescript-eslint's AST) as this folder sees them:
// everything by its `type`, since most of it is only passed through.

export type Node = Readonly<{ type: string; start: number; end: number }> & Readonly<Record<string, unknown>>

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

export const nodeIn = (node: Node, key: string): Node | null => {
  const value = node[key]
  return isNode(value) ? value : null
}

export const nodesIn = (node: Node, key: string): readonly Node[] => {
  const value = node[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** Expressions that have no effect but on types. */
const TYPE_WRAPPERS = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
  'ParenthesizedExpression',
])

/** The expression without what is only there for types. */
export function unwrapped(node: Node): Node {
  let inner = node
  while (TYPE_WRAPPERS.has(inner.type)) inner = nodeIn(inner, 'expression')!
  return inner
}

/** The name of a property's key, or null where only running the code would tell. */
export function keyName(property: Node): string | null {
  const key = nodeIn(property, 'key')
  if (!key) return null
  if (key.type === 'Literal') return String(key['value'])
  return property['computed'] === true ? null : nameOf(key)
}

export const nameOf = (node: Node): string => String(node['name'] ?? node['value'])
