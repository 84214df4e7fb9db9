// What a handler must not use: it would make another state of the same events at another time, or on another device.

import type { Problem } from './problem.ts'
import type { SourceModule } from './source-module.ts'
import { type Node, nameOf, nodeIn } from './syntax.ts'

const CLOCK = 'Take the time from the event: `event.metadata.recordedAt`, or put it in its data.'
const CHANCE = 'Draw it before you append, and put it in the event.'
const WORLD = 'Look it up before you append, and put it in the event.'
const TEXT = 'Write the code down: what is made of a text cannot be known.'
const LOCALE = 'Name the time zone and the locale in the code that shows the state, not in the state.'

const GLOBALS: Readonly<Record<string, string>> = {
  crypto: CHANCE,
  performance: CLOCK,
  Intl: LOCALE,
  eval: TEXT,
  Function: TEXT,
  ...Object.fromEntries(
    [
      'fetch',
      'XMLHttpRequest',
      'WebSocket',
      'EventSource',
      'navigator',
      'location',
      'document',
      'window',
      'self',
      'globalThis',
      'global',
      'process',
      'localStorage',
      'sessionStorage',
      'indexedDB',
      'caches',
      'setTimeout',
      'setInterval',
      'queueMicrotask',
      'requestAnimationFrame',
      'postMessage',
      'BroadcastChannel',
      'WeakRef',
      'FinalizationRegistry',
    ].map(name => [name, WORLD]),
  ),
}

/** Methods of dates and texts that depend on where the device is. */
const LOCAL_METHODS =
  /^(toLocale\w*|localeCompare|toDateString|toTimeString|getTimezoneOffset|[gs]et(FullYear|Year|Month|Date|Day|Hours|Minutes|Seconds|Milliseconds))$/

/** What one node does that it must not; null for all else. */
export function determinismProblem(node: Node, parent: Node | null, module: SourceModule): Problem | null {
  const found = faultOf(node, parent, module)
  return found && { kind: 'not-deterministic', module, start: node.start, ...found }
}

type Fault = Pick<Problem, 'subject' | 'message' | 'wayOut'>

function faultOf(node: Node, parent: Node | null, module: SourceModule): Fault | null {
  switch (node.type) {
    case 'Identifier':
      return module.bindingOf(node) ? null : faultOfGlobal(nameOf(node), node, parent)
    case 'MemberExpression':
      return faultOfMember(node, module)
    case 'AwaitExpression':
    case 'ImportExpression':
      return { message: 'A handler must not wait for anything', wayOut: WORLD }
    case 'MetaProperty':
      return nameOf(nodeIn(node, 'meta')!) === 'import'
        ? { message: '`import.meta` is another one in each build', wayOut: WORLD }
        : null
    default:
      return node['async'] === true ? { message: 'A handler must not be asynchronous', wayOut: WORLD } : null
  }
}

function faultOfGlobal(name: string, node: Node, parent: Node | null): Fault | null {
  if (name === 'Date') return isOfGivenTime(node, parent) ? null : fault(name, 'reads the clock', CLOCK)
  const wayOut = Object.hasOwn(GLOBALS, name) ? GLOBALS[name]! : null
  return wayOut === null ? null : fault(name, 'is not the same everywhere', wayOut)
}

/** `new Date(time)`, `Date.UTC(…)` and `Date.parse(…)`. Of several numbers, the time zone makes a time. */
function isOfGivenTime(node: Node, parent: Node | null): boolean {
  if (parent?.type === 'NewExpression' && nodeIn(parent, 'callee') === node) {
    return (parent['arguments'] as readonly unknown[]).length === 1
  }
  if (parent?.type === 'BinaryExpression') return parent['operator'] === 'instanceof'
  if (parent?.type !== 'MemberExpression') return false
  return ['UTC', 'parse', 'prototype'].includes(nameOf(nodeIn(parent, 'property')!))
}

function faultOfMember(node: Node, module: SourceModule): Fault | null {
  if (node['computed'] === true) return null
  const property = nameOf(nodeIn(node, 'property')!)
  const object = nodeIn(node, 'object')!
  const isMath = object.type === 'Identifier' && nameOf(object) === 'Math' && !module.bindingOf(object)
  if (isMath && property === 'random') return fault('Math.random', 'is another one each time', CHANCE)
  return LOCAL_METHODS.test(property) ? fault(property, 'depends on where the device is', LOCALE) : null
}

const fault = (subject: string, problem: string, wayOut: string): Fault => ({
  subject,
  message: `\`${subject}\` ${problem}`,
  wayOut,
})
