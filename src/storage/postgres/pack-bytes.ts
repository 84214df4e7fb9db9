// Many values in one: an array of bytea would cross as hexadecimal text, twice as long.

export type PackedBytes = Readonly<{
  bytes: Uint8Array
  /** Where each value starts, counted from 1 as SQL does. */
  starts: number[]
  lengths: number[]
}>

export function packBytes(values: readonly Uint8Array[]): PackedBytes {
  const lengths = values.map(value => value.length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let end = 0
  const starts = values.map(value => {
    bytes.set(value, end)
    end += value.length
    return end - value.length + 1
  })
  return { bytes, starts, lengths }
}
