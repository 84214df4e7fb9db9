import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { stateHashOf } from '../../src/integrity/state-hash.ts'
import { hexOf } from '../../src/log/bytes.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'

const VECTORS_DIR = process.env['VECTORS_DIR']
const hash = await createSha256()

describe.skipIf(!VECTORS_DIR)('published vectors (left out where VECTORS_DIR is unset)', () => {
  const folder = `${VECTORS_DIR}/jcs/testdata`
  const names = VECTORS_DIR ? readdirSync(`${folder}/input`) : []

  test.each(names)('canonical JSON (RFC 8785): %s', name => {
    const input = JSON.parse(readFileSync(`${folder}/input/${name}`, 'utf8'))
    const output = readFileSync(`${folder}/output/${name}`)
    expect(stateHashOf(input, hash)).toBe(hexOf(hash.digest(output)))
  })
})

test('states that are equal have one hash, in whatever order their properties were set', () => {
  expect(stateHashOf({ a: 1, b: [1, 2] }, hash)).toBe(stateHashOf({ b: [1, 2], a: 1 }, hash))
  expect(stateHashOf({ b: [2, 1], a: 1 }, hash)).not.toBe(stateHashOf({ b: [1, 2], a: 1 }, hash))
  expect(() => stateHashOf({ when: new Map() }, hash)).toThrow('when')
})
