// A tab or a server: something that can die at any call, and what its disk will do to it.

/** At the next call that it fits, after `skip` others that it fits. Reads cannot be full. */
export type DiskFault = {
  readonly kind: 'full' | 'timeout' | 'unreadable' | 'crash-before' | 'crash-after'
  skip: number
}

export class Process {
  readonly name: string
  isAlive = true
  readonly death: Promise<void>
  readonly #diskFaults: DiskFault[] = []
  readonly #onDeath: () => void
  #die!: () => void

  constructor(name: string, onDeath: () => void = () => {}) {
    this.name = name
    this.#onDeath = onDeath
    this.death = new Promise(resolve => {
      this.#die = resolve
    })
  }

  /** From now on nothing that it waits for happens, and nothing that it does has an effect. */
  crash(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.#die()
    this.#onDeath()
  }

  willMeet(fault: DiskFault): void {
    this.#diskFaults.push(fault)
  }

  spare(): void {
    this.#diskFaults.length = 0
  }

  takeDiskFault(isWrite: boolean): DiskFault['kind'] | null {
    const fault = this.#diskFaults[0]
    if (!fault || !fits(fault, isWrite)) return null
    if (fault.skip-- > 0) return null
    this.#diskFaults.shift()
    return fault.kind
  }
}

function fits({ kind }: DiskFault, isWrite: boolean): boolean {
  if (kind === 'unreadable') return !isWrite
  return isWrite || kind === 'crash-before'
}
