import { expect, test } from 'vitest'
import { ByteReader, ByteWriter, bytesOfHex, equalBytes, hexOf, MalformedBytes } from '../../src/log/bytes.ts'

test('reads back what was written, across every growth of the buffer', () => {
  const writer = new ByteWriter(1)
  for (let i = 0; i < 300; i++) {
    writer.u8(i & 255)
    writer.u16(i * 7)
    writer.u32(i * 70_001)
    writer.u64(i * 7_000_000_000_001)
    writer.lp16(`né ${'x'.repeat(i)}`)
    writer.raw(Uint8Array.of(i & 255, 1))
  }
  const reader = new ByteReader(writer.bytes())
  for (let i = 0; i < 300; i++) {
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([
      i & 255,
      i * 7,
      i * 70_001,
      i * 7_000_000_000_001,
    ])
    expect(reader.lp16()).toBe(`né ${'x'.repeat(i)}`)
    expect(hexOf(reader.raw(2))).toBe(hexOf(Uint8Array.of(i & 255, 1)))
  }
  reader.end()
})

test('carries whole numbers up to 2^53 - 1 and refuses larger ones', () => {
  const writer = new ByteWriter()
  writer.u64(Number.MAX_SAFE_INTEGER)
  expect(new ByteReader(writer.bytes()).u64()).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => new ByteReader(bytesOfHex('0020000000000000')).u64()).toThrow(MalformedBytes)
})

test('never reads past the end, takes no invalid UTF-8, and says when bytes are left', () => {
  expect(() => new ByteReader(Uint8Array.of(1)).u16()).toThrow(MalformedBytes)
  expect(() => new ByteReader(Uint8Array.of(0, 9, 65)).lp16()).toThrow(MalformedBytes)
  expect(() => new ByteReader(Uint8Array.of(0, 1, 0xff)).lp16()).toThrow(MalformedBytes)
  expect(() => new ByteReader(Uint8Array.of(1)).end()).toThrow(MalformedBytes)
})

test('compares by content and length', () => {
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
})

test('writes bytes of any length in hexadecimal', () => {
  for (const length of [0, 1, 32, 4_096, 4_097, 1_048_576]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7)
    expect(hexOf(bytes)).toBe(Buffer.from(bytes).toString('hex'))
    expect(bytesOfHex(hexOf(bytes))).toEqual(bytes)
  }
})
