// One source file, parsed: what it declares, imports and exports, and what each of its names refers to.

import { parseSync } from 'oxc-parser'
import { ScopeTracker, walk } from 'oxc-walker'
import { isNode, type Node, nameOf, nodeIn, nodesIn } from './syntax.ts'

/** What a name refers to, beside the globals. */
export type Binding =
  | Readonly<{ type: 'module'; name: string }>
  /** Declared in a function or block. `key` tells two of the same name apart. */
  | Readonly<{ type: 'local'; key: string; start: number }>

export type Import = Readonly<{ specifier: string; name: string }>

/** Where an exported value comes from: a name of the module, another module, or an expression of its own. */
export type Export =
  | Readonly<{ type: 'local'; name: string }>
  | Readonly<{ type: 'from'; specifier: string; name: string }>
  | Readonly<{ type: 'expression'; node: Node }>

export type SourceModule = Readonly<{
  id: string
  code: string
  program: Node
  /** False for CommonJS. */
  isModule: boolean
  /** By the local name; the name `*` stands for all of a module's exports. */
  imports: ReadonlyMap<string, Import>
  exports: ReadonlyMap<string, Export>
  /** Specifiers of `export * from`. */
  exportsAllOf: readonly string[]
  /** Declarations at the top of the module, by name. */
  declarations: ReadonlyMap<string, Node>
  /** Statements at the top that are no declarations, or that assign to a name that was declared elsewhere. */
  effects: readonly Readonly<{ node: Node; names: ReadonlySet<string> }>[]
  /** Null for a global. */
  bindingOf: (identifier: Node) => Binding | null
}>

/** @throws `SyntaxError` */
export function parseModule(id: string, code: string): SourceModule {
  const { program, errors, module } = parseSync(id.replace(/\?.*$/, ''), code, { preserveParens: false })
  const [error] = errors
  if (error) throw new SyntaxError(`${id}: ${error.message}`)
  const root = program as unknown as Node
  const bindings = bindingsIn(root)
  const parts = topOf(root)
  const bindingOf = (identifier: Node): Binding | null => bindings.get(identifier) ?? null
  return {
    id,
    code,
    program: root,
    isModule: module.hasModuleSyntax,
    ...parts,
    effects: effectsIn(root, parts.declarations, bindingOf),
    bindingOf,
  }
}

function bindingsIn(program: Node): ReadonlyMap<Node, Binding> {
  const bindings = new Map<Node, Binding>()
  const scopeTracker = new ScopeTracker({ preserveExitedScopes: true })
  const tree = program as unknown as Parameters<typeof walk>[0]
  walk(tree, { scopeTracker })
  scopeTracker.freeze()
  walk(tree, {
    scopeTracker,
    enter(visited) {
      if (visited.type !== 'Identifier' && visited.type !== 'JSXIdentifier') return
      const node = visited as unknown as Node
      const declaration = scopeTracker.getDeclaration(nameOf(node))
      if (!declaration) return
      const { scope } = declaration
      const name = nameOf(node)
      bindings.set(
        node,
        scope === ''
          ? { type: 'module', name }
          : { type: 'local', key: `${scope} ${name}`, start: declaration.node.start },
      )
    },
  })
  return bindings
}

type Top = Pick<SourceModule, 'imports' | 'exports' | 'exportsAllOf' | 'declarations'>

function topOf(program: Node): Top {
  const imports = new Map<string, Import>()
  const exports = new Map<string, Export>()
  const exportsAllOf: string[] = []
  const declarations = new Map<string, Node>()
  const declare = (statement: Node): string[] => {
    const names = declaredBy(statement)
    for (const [name, node] of names) declarations.set(name, node)
    return names.map(([name]) => name)
  }
  for (const statement of nodesIn(program, 'body')) {
    switch (statement.type) {
      case 'ImportDeclaration':
        for (const [local, one] of importsOf(statement)) imports.set(local, one)
        break
      case 'ExportNamedDeclaration': {
        const declaration = nodeIn(statement, 'declaration')
        if (declaration) for (const name of declare(declaration)) exports.set(name, { type: 'local', name })
        const source = nodeIn(statement, 'source')
        for (const one of nodesIn(statement, 'specifiers')) {
          const name = nameOf(nodeIn(one, 'local')!)
          const specifier = source && nameOf(source)
          exports.set(
            nameOf(nodeIn(one, 'exported')!),
            specifier === null ? { type: 'local', name } : { type: 'from', specifier, name },
          )
        }
        break
      }
      case 'ExportDefaultDeclaration': {
        const node = nodeIn(statement, 'declaration')!
        const [name] = declare(node)
        exports.set('default', name === undefined ? { type: 'expression', node } : { type: 'local', name })
        break
      }
      case 'ExportAllDeclaration': {
        const specifier = nameOf(nodeIn(statement, 'source')!)
        const exported = nodeIn(statement, 'exported')
        if (exported) exports.set(nameOf(exported), { type: 'from', specifier, name: '*' })
        else exportsAllOf.push(specifier)
        break
      }
      default:
        declare(statement)
    }
  }
  return { imports, exports, exportsAllOf, declarations }
}

function importsOf(statement: Node): [local: string, Import][] {
  if (statement['importKind'] === 'type') return []
  const specifier = nameOf(nodeIn(statement, 'source')!)
  return nodesIn(statement, 'specifiers')
    .filter(one => one['importKind'] !== 'type')
    .map(one => [nameOf(nodeIn(one, 'local')!), { specifier, name: importedName(one) }])
}

function importedName(specifier: Node): string {
  if (specifier.type === 'ImportNamespaceSpecifier') return '*'
  if (specifier.type === 'ImportDefaultSpecifier') return 'default'
  return nameOf(nodeIn(specifier, 'imported')!)
}

/** Names that a statement declares, each with the part of it that says what it is. */
function declaredBy(statement: Node): [name: string, Node][] {
  switch (statement.type) {
    case 'VariableDeclaration':
      return nodesIn(statement, 'declarations').flatMap(one =>
        namesIn(nodeIn(one, 'id')!).map((name): [string, Node] => [name, one]),
      )
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
    case 'TSEnumDeclaration':
    case 'TSModuleDeclaration': {
      const id = nodeIn(statement, 'id')
      return id ? [[nameOf(id), statement]] : []
    }
    default:
      return []
  }
}

/** Names that a pattern binds. */
function namesIn(pattern: Node): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [nameOf(pattern)]
    case 'ObjectPattern':
      return nodesIn(pattern, 'properties').flatMap(one =>
        namesIn(nodeIn(one, one.type === 'RestElement' ? 'argument' : 'value')!),
      )
    case 'ArrayPattern':
      return nodesIn(pattern, 'elements').flatMap(namesIn)
    case 'AssignmentPattern':
      return namesIn(nodeIn(pattern, 'left')!)
    case 'RestElement':
      return namesIn(nodeIn(pattern, 'argument')!)
    default:
      return []
  }
}

const DECLARATIONS =
  /^(Import|Export|Variable|Function|Class|TSEnum|TSInterface|TSTypeAlias|TSDeclare|TSModule)/

/**
 * What can change the value of a declared name beside its declaration: any other statement at the top that names it,
 * and any statement that assigns to it from within a function.
 */
function effectsIn(
  program: Node,
  declarations: ReadonlyMap<string, Node>,
  bindingOf: SourceModule['bindingOf'],
): SourceModule['effects'] {
  const effects: { node: Node; names: ReadonlySet<string> }[] = []
  for (const statement of nodesIn(program, 'body')) {
    const names = DECLARATIONS.test(statement.type)
      ? assignedIn(statement, bindingOf)
      : namesUsedIn(statement, bindingOf)
    const declared = new Set([...names].filter(name => declarations.has(name)))
    if (declared.size > 0) effects.push({ node: statement, names: declared })
  }
  return effects
}

function namesUsedIn(node: Node, bindingOf: SourceModule['bindingOf']): Set<string> {
  const names = new Set<string>()
  visit(node, one => {
    const binding = bindingOf(one)
    if (binding?.type === 'module') names.add(binding.name)
  })
  return names
}

/** Names whose value, or something in it, is assigned to. */
function assignedIn(node: Node, bindingOf: SourceModule['bindingOf']): Set<string> {
  const names = new Set<string>()
  visit(node, one => {
    if (!/^(AssignmentExpression|UpdateExpression|UnaryExpression)$/.test(one.type)) return
    if (one.type === 'UnaryExpression' && one['operator'] !== 'delete') return
    for (const root of rootsOf(nodeIn(one, 'left') ?? nodeIn(one, 'argument')!)) {
      const binding = bindingOf(root)
      if (binding?.type === 'module') names.add(binding.name)
    }
  })
  return names
}

/** The identifiers that `a`, `a.b[0]` and `[a, b]` begin with. */
function rootsOf(target: Node): Node[] {
  let root = target
  while (root.type === 'MemberExpression') root = nodeIn(root, 'object')!
  if (root.type === 'Identifier') return [root]
  const roots: Node[] = []
  visit(root, one => {
    if (one.type === 'Identifier') roots.push(one)
  })
  return roots
}

function visit(node: Node, onNode: (node: Node) => void): void {
  onNode(node)
  for (const value of Object.values(node)) {
    if (isNode(value)) visit(value, onNode)
    else if (Array.isArray(value)) for (const one of value) if (isNode(one)) visit(one, onNode)
  }
}
