// Code without what makes no difference to what it does: names of locals, types, comments, white space, places. What it
// takes from elsewhere is left open, as references.

import { determinismProblem } from './determinism.ts'
import type { Problem } from './problem.ts'
import type { Import, SourceModule } from './source-module.ts'
import { isNode, keyName, type Node, nameOf, nodeIn, unwrapped } from './syntax.ts'

/** A value that code takes from a module: one that the module declares, or exports. */
export type Reference =
  | Readonly<{ type: 'declared'; module: SourceModule; name: string }>
  | (Readonly<{ type: 'imported'; module: SourceModule }> & Import)

export type NormalForm = Readonly<{
  parts: readonly (string | Reference)[]
  problems: readonly Problem[]
}>

/** @param self the name that a declaration gives: it counts as little as a local's */
export function normalFormOf(node: Node, module: SourceModule, self?: string): NormalForm {
  const writer = new FormWriter(node, module, self)
  writer.write(node, null)
  return writer
}

/** Of a function that is taken out of the object it stands in: what it is called on is not in its code. */
export function normalFormOfHandler(node: Node, module: SourceModule): NormalForm {
  const form = normalFormOf(node, module)
  const receiver = receiverIn(unwrapped(node))
  return receiver ? { ...form, problems: [...form.problems, receiverProblem(receiver, module)] } : form
}

/** Keys of nodes that say nothing of what code does. */
const WITHOUT_EFFECT = new Set([
  'type',
  'start',
  'end',
  'range',
  'loc',
  'parent',
  'raw',
  'typeAnnotation',
  'typeParameters',
  'typeArguments',
  'returnType',
  'superTypeArguments',
  'implements',
  'accessibility',
  'definite',
  'declare',
  'override',
  'readonly',
  'abstract',
  'shorthand',
  'importKind',
  'exportKind',
])

/** Statements that are there for types alone. */
const TYPES_ONLY = /^TS(Interface|TypeAlias|Declare)/

class FormWriter implements NormalForm {
  readonly parts: (string | Reference)[] = []
  readonly problems: Problem[] = []
  readonly #root: Node
  readonly #module: SourceModule
  readonly #self: string | undefined
  readonly #locals = new Map<string, number>()

  constructor(root: Node, module: SourceModule, self: string | undefined) {
    this.#root = root
    this.#module = module
    this.#self = self
  }

  write(wrapped: Node, parent: Node | null): void {
    const node = unwrapped(wrapped)
    if (TYPES_ONLY.test(node.type)) return
    const problem = determinismProblem(node, parent, this.#module)
    if (problem) this.problems.push(problem)
    switch (node.type) {
      case 'TSModuleDeclaration':
        this.problems.push(namespaceProblem(node, this.#module))
        return
      case 'Identifier':
      case 'JSXIdentifier':
        this.#writeName(node)
        return
      case 'Literal':
        this.#token(literalText(node))
        return
      case 'Property':
      case 'MethodDefinition':
      case 'PropertyDefinition':
      case 'AccessorProperty':
        this.#writeProperty(node)
        return
      case 'MemberExpression':
        if (this.#writeExportOfNamespace(node)) return
        break
      case 'MetaProperty':
        this.#token(`${nameOf(nodeIn(node, 'meta')!)}.${nameOf(nodeIn(node, 'property')!)}`)
        return
      case 'CallExpression':
        if (this.#writeRequire(node)) return
    }
    this.#writeNode(node)
  }

  #writeNode(node: Node): void {
    this.#token(`(${node.type}`)
    for (const key of Object.keys(node).toSorted()) {
      if (WITHOUT_EFFECT.has(key)) continue
      const isPlainName = isNameOnly(node, key)
      const value = node[key]
      // Absent and empty are the same, however the parser says it.
      if (value === null || value === undefined || value === false) continue
      if (Array.isArray(value) && value.length === 0 && key === 'decorators') continue
      this.#token(key)
      if (isPlainName) this.#token(JSON.stringify(nameOf(value as Node)))
      else this.#writeValue(value, node)
    }
    this.#token(')')
  }

  #writeValue(value: unknown, parent: Node): void {
    if (Array.isArray(value)) {
      this.#token('[')
      for (const one of value) this.#writeValue(one, parent)
      this.#token(']')
    } else if (isNode(value)) this.write(value, parent)
    else this.#token(JSON.stringify(value) ?? 'undefined')
  }

  /** `{ a }`, `{ a: a }` and `{ 'a': a }` are the same. */
  #writeProperty(node: Node): void {
    const name = keyName(node)
    this.#token(`(${node.type} ${node['kind'] ?? ''} ${node['static'] === true} ${node['method'] === true}`)
    if (name === null) this.write(nodeIn(node, 'key')!, node)
    else this.#token(JSON.stringify(name))
    const value = nodeIn(node, 'value')
    if (value) this.write(value, node)
    this.#token(')')
  }

  #writeName(identifier: Node): void {
    const binding = this.#module.bindingOf(identifier)
    const name = nameOf(identifier)
    if (binding === null) this.#token(`global ${name}`)
    else if (binding.type === 'module') {
      if (name === this.#self) this.#token('self')
      else this.parts.push(this.#referenceTo(name))
    } else {
      const isOutside = binding.start < this.#root.start || binding.start >= this.#root.end
      if (isOutside) this.problems.push(closureProblem(identifier, this.#module))
      const number = this.#locals.get(binding.key) ?? this.#locals.size
      this.#locals.set(binding.key, number)
      this.#token(`local ${number}`)
    }
  }

  #referenceTo(name: string): Reference {
    const module = this.#module
    const imported = module.imports.get(name)
    return imported ? { type: 'imported', module, ...imported } : { type: 'declared', module, name }
  }

  /** `import * as a` and then `a.b`: what else the module exports makes no difference. */
  #writeExportOfNamespace(node: Node): boolean {
    const object = nodeIn(node, 'object')!
    if (object.type !== 'Identifier' || node['computed'] === true) return false
    const binding = this.#module.bindingOf(object)
    const imported = binding?.type === 'module' ? this.#module.imports.get(binding.name) : undefined
    if (imported?.name !== '*') return false
    const { specifier } = imported
    this.parts.push({
      type: 'imported',
      module: this.#module,
      specifier,
      name: nameOf(nodeIn(node, 'property')!),
    })
    return true
  }

  #writeRequire(node: Node): boolean {
    const callee = nodeIn(node, 'callee')!
    const [argument] = node['arguments'] as readonly Node[]
    const isRequire = callee.type === 'Identifier' && nameOf(callee) === 'require'
    if (!isRequire || this.#module.bindingOf(callee) || typeof argument?.['value'] !== 'string') return false
    this.parts.push({ type: 'imported', module: this.#module, specifier: argument['value'], name: '*' })
    return true
  }

  #token(text: string): void {
    const last = this.parts.length - 1
    const before = this.parts[last]
    if (typeof before === 'string') this.parts[last] = `${before}\n${text}`
    else this.parts.push(text)
  }
}

/** Names that refer to nothing: of a member, a label, a private field. */
function isNameOnly(node: Node, key: string): boolean {
  if (!isNode(node[key])) return false
  if (node.type === 'MemberExpression') {
    return key === 'property' && node['computed'] !== true && (node[key] as Node).type === 'Identifier'
  }
  if (node.type === 'TSEnumMember') return key === 'id'
  return key === 'label' || (node.type === 'JSXAttribute' && key === 'name')
}

function literalText(node: Node): string {
  const { value, bigint, regex } = node as Readonly<Record<string, unknown>>
  if (regex) return `regex ${JSON.stringify(regex)}`
  if (typeof bigint === 'string') return `bigint ${bigint}`
  return `${typeof value} ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`
}

/** `this` or `super` of a function itself, not of one within it. */
function receiverIn(node: Node): Node | null {
  if (node.type === 'ThisExpression' || node.type === 'Super') return node
  for (const value of Object.values(node)) {
    for (const inner of Array.isArray(value) ? value : [value]) {
      if (!isNode(inner) || /^(Function|Class)(Expression|Declaration)$/.test(inner.type)) continue
      const found = receiverIn(inner)
      if (found) return found
    }
  }
  return null
}

const receiverProblem = ({ start }: Node, module: SourceModule): Problem => ({
  kind: 'unknown',
  module,
  start,
  message: 'What `this` is cannot be told from the code',
  wayOut: 'Call a function that is declared at the top of a module.',
})

const namespaceProblem = ({ start }: Node, module: SourceModule): Problem => ({
  kind: 'unknown',
  module,
  start,
  message: 'A namespace is put together while the code runs',
  wayOut: 'Export what is in it from a module.',
})

function closureProblem({ start, ...rest }: Node, module: SourceModule): Problem {
  return {
    kind: 'closure',
    module,
    start,
    message: `\`${String(rest['name'])}\` is of the function around the handlers: what it is cannot be told from the code`,
    wayOut: 'Take it from the event or the state, or declare it at the top of a module.',
  }
}
