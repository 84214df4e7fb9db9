// Source files, parsed once for as long as they stay as they are.

import { readFile, stat } from 'node:fs/promises'
import { parseModule, type SourceModule } from './source-module.ts'

type Parsed = Readonly<{ stamp: string; module: SourceModule }>

export class ModuleFiles {
  readonly #parsed = new Map<string, Parsed>()

  /** @throws `SyntaxError` */
  async module(file: string): Promise<SourceModule> {
    const { mtimeMs, size } = await stat(file)
    const stamp = `${mtimeMs} ${size}`
    const known = this.#parsed.get(file)
    if (known?.stamp === stamp) return known.module
    const module = parseModule(file, await readFile(file, 'utf8'))
    this.#parsed.set(file, { stamp, module })
    return module
  }

  /** What is in a file as text, whatever it is. */
  read(file: string): Promise<string> {
    return readFile(file, 'latin1')
  }
}
