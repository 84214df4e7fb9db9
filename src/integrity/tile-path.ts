// Paths of the tiles of a served log, below its prefix (c2sp.org/tlog-tiles).

import { TILE_LEAVES } from './merkle-tree.ts'

export type TilePath = Readonly<{
  /** 0 holds leaf hashes, each level above the roots of 256 of the one below; `entries` the entries themselves. */
  level: number | 'entries'
  /** Counts tiles of the level from 0. */
  index: number
  /** How many hashes or entries: 256 in a whole tile. */
  width: number
}>

/** Such as `tile/0/x001/234` or `tile/entries/000.p/7`. */
export function formatTilePath({ level, index, width }: TilePath): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g)!
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${path}${width < TILE_LEAVES ? `.p/${width}` : ''}`
}

/** Null for what is no such path, or not the only spelling of it. */
export function parseTilePath(path: string): TilePath | null {
  const [, level, groups, width] =
    /^tile\/(\d{1,2}|entries)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path) ?? []
  if (level === undefined || groups === undefined) return null
  const tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(groups.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_LEAVES : Number(width),
  } as const
  const isSound = Number.isSafeInteger(tile.index) && tile.width > 0 && formatTilePath(tile) === path
  return isSound ? tile : null
}

/** How much of a tile a log of `size` entries has: nothing, a part, or all of it. */
export function widthOfTile({ level, index }: Pick<TilePath, 'level' | 'index'>, size: number): number {
  const span = TILE_LEAVES ** (level === 'entries' ? 0 : level)
  return Math.max(0, Math.min(TILE_LEAVES, Math.floor(size / span) - index * TILE_LEAVES))
}
