import { afterEach, expect, test, vi } from 'vitest'
import { generateKeyPair, PUBLIC_KEY_BYTES } from '../../src/integrity/ed25519.ts'

afterEach(() => vi.restoreAllMocks())

const failing = (name: string) => () => Promise.reject(new DOMException('failed', name))

test('a platform that fails to make a key now and then is asked again', async () => {
  const generate = vi.spyOn(crypto.subtle, 'generateKey')
  generate.mockImplementationOnce(failing('OperationError'))
  const { publicKey } = await generateKeyPair()
  expect(publicKey).toHaveLength(PUBLIC_KEY_BYTES)
  expect(generate).toHaveBeenCalledTimes(2)
})

test('one that has no Ed25519, or always fails, is believed', async () => {
  const generate = vi.spyOn(crypto.subtle, 'generateKey')
  generate.mockImplementation(failing('NotSupportedError'))
  await expect(generateKeyPair()).rejects.toMatchObject({ name: 'NotSupportedError' })
  expect(generate).toHaveBeenCalledTimes(1)
  generate.mockImplementation(failing('OperationError'))
  await expect(generateKeyPair()).rejects.toMatchObject({ name: 'OperationError' })
  expect(generate).toHaveBeenCalledTimes(6)
})
