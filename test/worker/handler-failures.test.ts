import { expect, test } from 'vitest'
import { StoreError } from '../../src/log/errors.ts'
import type { App } from '../../src/model/app.ts'
import { HandlerFailures } from '../../worker/handler-failures.ts'

const parts = { canHandle: [], initialState: () => null, evolve: {} }
const app: App = { projections: { each: parts, all: { ...parts, getDocumentId: () => 'x' } } }

function failed(projection: string, streamName: string) {
  return { projection, error: new StoreError('handler-failed', 'boom', { streamName }) }
}

test('in a projection of single streams one failure holds back the document of its stream only', () => {
  const failures = new HandlerFailures(app)
  failures.add(failed('each', 'a'))
  expect(failures.holdingBack('each', 'a')).toMatchObject({ code: 'handler-failed' })
  expect(failures.holdingBack('each', 'b')).toBeNull()
  expect(failures.holdingBack('all', 'a')).toBeNull()
})

test('in a projection over all streams it holds back every document', () => {
  const failures = new HandlerFailures(app)
  failures.add(failed('all', 'a'))
  expect(failures.holdingBack('all', 'x')).toMatchObject({ code: 'handler-failed' })
  expect(failures.holdingBack('each', 'a')).toBeNull()
})
