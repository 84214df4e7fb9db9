// The real input, end to end: 259,778 edits of a paper whose final text is known.

import { expect, test } from 'vitest'
import { readPaper, runPaper } from '../bench/paper.ts'

const paper = await readPaper()

test.skipIf(!paper)(
  'the paper, edit by edit (left out where DATA_DIR does not hold automerge-paper.json.gz)',
  async () => {
    const { edits, endContent } = paper!
    const run = await runPaper(paper!, ({ name, ms }) => console.log(`${name}: ${(ms / 1000).toFixed(2)} s`))
    expect(run.first.text).toBe(endContent)
    expect(run.reopenedText).toBe(endContent)
    expect(run.verified).toMatchObject({ ok: true, events: edits.length })
    expect(run.first).toMatchObject({ confirmedPosition: edits.length, pending: 0 })
    expect(run.second).toEqual(run.first)
    // A text of 100 kB is not cloned to the page at each event.
    const deliveries = Number.parseInt(
      run.phases.find(({ detail }) => detail.includes('deliveries'))!.detail,
      10,
    )
    expect(deliveries).toBeLessThan(edits.length / 100)
  },
  600_000,
)
