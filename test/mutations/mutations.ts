// Rules of verification and of sync, each switched off by one change of the source, and the tests that must notice.

import { SIMULATED_RULES } from './simulated-rules.ts'

export type Mutation = Readonly<{
  /** What does not hold any more. */
  rule: string
  file: string
  /** Stands in the file once. */
  find: string
  replace: string
  tests: readonly string[]
}>

const merkle = 'test/integrity/merkle-proof.test.ts'
const notes = 'test/integrity/signed-note.test.ts'
const exported = 'test/integrity/exported-proof.test.ts'
const verification = 'test/engine/verification.test.ts'
const verify = 'test/engine/verify.test.ts'
const watch = 'test/worker/integrity-watch.test.ts'
const pin = 'test/sync/server-pin.test.ts'
const erasures = 'test/engine/erasure/erasures.test.ts'
const healing = 'test/sync/healing.test.ts'
const witness = 'test/server/witness.test.ts'
const plan = 'test/engine/replay/replay-plan.test.ts'
const store = 'test/engine/event-store.test.ts'
const places = 'test/engine/amendments/stream-order.test.ts'
const order = 'test/engine/amendments/effective-order.test.ts'
const amendments = 'test/engine/amendments/amend-job.test.ts'
const deciding = 'test/engine/amendments/deciding.test.ts'
const amended = 'test/engine/replay/amended.test.ts'

const merges = 'test/sync/merges.test.ts'
const progress = 'test/sync/event-progress.test.ts'
const devices = 'test/sync/amendments.property.test.ts'
const hints = 'test/worker/hints.test.ts'
const tabs = 'test/worker/tabs.test.ts'
const silence = 'test/worker/silence-watch.test.ts'
const pages = 'test/worker/pages.test.ts'
const brief = 'test/worker/web-lock.test.ts'
const partial = 'test/sync/partial-sync.test.ts'
const readable = 'test/server/reading-by-stream.test.ts'
const encryption = 'test/engine/encryption.test.ts'

const of = (
  file: string,
  rule: string,
  [find, replace]: readonly [string, string],
  ...tests: readonly string[]
): Mutation => ({ file, rule, find, replace, tests })

export const MUTATIONS: readonly Mutation[] = [
  ...SIMULATED_RULES,
  of(
    'src/integrity/merkle-proof.ts',
    'a path leads to the root',
    ['return walk.isAtRoot && equalBytes(node, root)', 'return walk.isAtRoot'],
    merkle,
  ),
  of(
    'src/integrity/merkle-proof.ts',
    'a consistency proof leads to the old root',
    ['equalBytes(old, root1) && equalBytes(now, root2)', 'equalBytes(now, root2)'],
    merkle,
  ),
  of(
    'src/integrity/merkle-proof.ts',
    'a consistency proof leads to the new root',
    ['equalBytes(old, root1) && equalBytes(now, root2)', 'equalBytes(old, root1)'],
    merkle,
  ),
  of(
    'src/integrity/note-key.ts',
    'a signature holds under its key',
    ['if (!(await holds(signature.bytes, note.text, key)))', 'if (false)'],
    notes,
    exported,
  ),
  of(
    'src/integrity/note-key.ts',
    'the id of a verifier key is that of its key',
    ['if (key.id !== Number.parseInt(id!, 16))', 'if (false)'],
    notes,
  ),
  of('src/integrity/base64.ts', 'a signature has one spelling', ['btoa(binary) === text', 'true'], notes),
  of(
    'src/integrity/verify-text.ts',
    'a log’s key signs for that log alone',
    ["kind !== 'ed25519' || name === checkpoint.origin", 'true'],
    exported,
  ),
  of(
    'src/integrity/opened-entry.ts',
    'the content is the one that the entry was made of',
    ['if (!equalBytes(body, entry.subarray(-HASH_BYTES)))', 'if (false)'],
    exported,
  ),
  of(
    'src/engine/chain-follower.ts',
    'an entry has the hash of its content',
    ['if (equalBytes(computed, entry.hash)) return null', 'return null'],
    verification,
    verify,
  ),
  of(
    'src/engine/chain-follower.ts',
    'an entry links to the one before it',
    [
      'if (streamVersion !== head.version + 1 || !equalBytes(previous, head.hash)) {\n      const',
      'if (false) {\n      const',
    ],
    verify,
  ),
  of(
    'src/engine/chain-follower.ts',
    'a block has its digest',
    ['if (equalBytes(await hash.digestLarge(content), digest)) return null', 'return null'],
    verify,
    verification,
  ),
  of(
    'src/engine/sealed-value.ts',
    'what is kept beside the log has its digest',
    ['equalBytes(await hash.digestLarge(content), digest) ? content : null', 'content'],
    'test/engine/index-checkpoint.test.ts',
    'test/engine/checkpoint-book.test.ts',
  ),
  of(
    'src/engine/verification.ts',
    'the log begins with what its last checkpoint says',
    ['if (root !== rootHash) {', 'if (false) {'],
    verification,
  ),
  of(
    'src/engine/verification.ts',
    'a block follows on the one before it',
    ['if (firstPosition === next) return null', 'return null'],
    verify,
  ),
  of(
    'src/engine/verification.ts',
    'the log reaches as far as it did',
    ["if (this.level === 'open' || this.#verified >= known) return null", 'return null'],
    verify,
  ),
  of(
    'src/engine/checkpoint-book.ts',
    'the last checkpoint is signed by this device',
    ['if (checkpoint.signing.verifierKey !== formatVerifierKey(key))', 'if (false)'],
    verification,
  ),
  of(
    'src/engine/checkpoint-book.ts',
    'a checkpoint is made of a log that goes on from the one before',
    ['if (root === rootHash) return', 'return'],
    'test/engine/checkpoint-book.test.ts',
  ),
  of(
    'src/engine/log-tree.ts',
    'kept roots are those of the log',
    ['if (at < 0) return null', 'return null'],
    verification,
  ),
  of(
    'src/engine/replay/replay-plan.ts',
    'a snapshot with an event of a changed handler does not hold',
    ['filter(([type, , handler]) => handler !== code.hashOf(type))', 'filter(() => false)'],
    plan,
  ),
  of(
    'src/engine/replay/replay-plan.ts',
    'a fold does not end while a changed type lies ahead',
    ['last <= position || handler === code.hashOf(type)', 'true'],
    plan,
  ),
  of(
    'src/engine/replay/replay-plan.ts',
    'old snapshots are right only on the way of the same code',
    ['handlers.get(type) === handler', 'true'],
    plan,
  ),
  of(
    'src/protocol/state-patch.ts',
    'a patch leaves the keys of a state in order',
    ['hasOrderOf(names, patch, wanted) ? patch : { to: after }', 'patch'],
    'test/protocol/state-patch.test.ts',
  ),
  of(
    'src/engine/replay/snapshot-record.ts',
    'a snapshot bears this device’s seal',
    ['seal && (await seal.holds(bytes.subarray(0, HASH_BYTES), found))', 'seal'],
    'test/engine/replay/snapshot-store.test.ts',
  ),
  of(
    'src/engine/replay/audit.ts',
    'a second fold comes to the same state',
    ['if (secondStateHash === stateHash) return null', 'if (owner) return null'],
    'test/engine/replay/audit.test.ts',
  ),
  of(
    'src/engine/recovery/compare.ts',
    'the log does not end before its anchor',
    ['if (log.head() < size) return shortened({ size, pending, bytes: anchored }, log)', ''],
    watch,
  ),
  of(
    'src/engine/recovery/compare.ts',
    'the log ends, or went on, as its anchor says',
    ['if (hash === null || hash === anchor.hash) return null', 'return null'],
    watch,
  ),
  of(
    'src/sync/server-pin.ts',
    'what the server signs is what it gave out',
    ['if (!equalBytes(checkpoint.root, root))', 'if (false)'],
    pin,
  ),
  of(
    'src/sync/server-pin.ts',
    'the server signs by the key that it has shown',
    ['if (known && !equalBytes(known.publicKey, key.publicKey))', 'if (false)'],
    pin,
  ),
  of(
    'src/server/witness.ts',
    'a device goes on from what was signed',
    ['if (oldSize !== known.pin.size)', 'if (false)'],
    witness,
  ),
  of('src/server/witness.ts', 'a device does not go two ways', ['if (!isSound)', 'if (false)'], witness),
  of('src/server/witness.ts', 'a device signs its own log', ['if (!verdict.ok)', 'if (false)'], witness),
  of(
    'src/cli/served-log.ts',
    'an entry that is served has its hash',
    ['if (!equalBytes(leaf, hash)) return', 'if (false) return'],
    'test/cli/verify.test.ts',
  ),
  of(
    'src/cli/served-log.ts',
    'a served log goes on from an old checkpoint',
    ['return equalBytes(rootBefore, old.root)', 'return true'],
    'test/cli/verify.test.ts',
  ),
  of(
    'src/log/erased-entry.ts',
    'an erased entry has nothing but the hash of what it said',
    ['digits === undefined || !isBare ? null', 'digits === undefined ? null'],
    erasures,
  ),
  of(
    'src/engine/erasure/erasure-check.ts',
    'an entry without content is named as erased',
    ['if (this.#isNamed(eventId)) continue', 'if (eventId) continue'],
    erasures,
  ),
  of(
    'src/engine/erasure/erasure-check.ts',
    'what was erased has no content',
    ['} else if (this.#erasures.has(eventId)) {', '} else if (false) {'],
    erasures,
  ),
  of(
    'src/storage/replacement.ts',
    'blocks are replaced where they are what was read',
    ['equalBytes(bytes, read.bytes)', 'bytes.length > 0'],
    'test/storage/memory.test.ts',
    erasures,
  ),
  of(
    'src/engine/recovery/healing.ts',
    'what the server sends again has its hash, and is of that place',
    [
      'if (!isOfPlace || !equalBytes(chain.hashOf(entry), hash)) return other',
      'if (!isOfPlace) return other',
    ],
    healing,
  ),
  of(
    'src/engine/recovery/healing.ts',
    'where the hash itself was lost, the next event of the stream tells it',
    ['return behind && !equalBytes(behind.previous, hash) ? other : null', 'return behind ? null : null'],
    healing,
  ),
  of(
    'src/engine/recovery/healing.ts',
    'a place in the server’s log is of one log',
    ['const { epoch } = index.cursor', "const epoch = index.cursor.epoch + '?'"],
    healing,
  ),
  of(
    'src/engine/recovery/inspect-block.ts',
    'what is taken over, or left as it is, has its hash',
    ['if (!holds) lost.push', 'if (false) lost.push'],
    'test/engine/recovery/restore.test.ts',
    healing,
  ),
  of(
    'src/engine/rebase.ts',
    'what was confirmed once is not decided again',
    ['commit.lastPosition <= index.confirmedOnce', 'false'],
    'test/sync/epochs.test.ts',
  ),
  of(
    'src/sync/server-pin.ts',
    'a key that is known beforehand is the only one',
    ['if (!equalBytes(key.publicKey, wanted.publicKey))', 'if (false)'],
    pin,
  ),
  of(
    'src/log/amendment.ts',
    'an amendment names what there is before it',
    ['Number(one) >= from && Number(one) < next', 'Number(one) >= from'],
    'test/log/amendment.test.ts',
  ),
  of(
    'src/engine/admit-job.ts',
    'the events that an amendment puts in come with it',
    ['return end >= added && commit.slice(end - added, end).every(isNewEvent)', 'return true'],
    amendments,
  ),
  of(
    'src/engine/amendments/stream-order.ts',
    'a change of an event that does not count has no effect',
    ['if (!isKnown || (after', 'if ((after'],
    places,
  ),
  of(
    'src/engine/amendments/drafted-order.ts',
    'an event is not amended before it is put in',
    ['if (version !== null) order.leaveOut(version)', 'if (version === -1) order.leaveOut(version)'],
    store,
  ),
  of(
    'src/engine/amendments/drafted-order.ts',
    'what a rebase takes back is not in the order that it makes',
    ['.filter(({ version }) => version < draft.firstVersionOf(streamName))', ''],
    deciding,
  ),
  of(
    'src/engine/amendments/amend-job.ts',
    'an event is put in once',
    ['if (draft.positionOfId(id) === undefined) return\n', 'if (draft) return\n'],
    store,
  ),
  of(
    'src/engine/amendments/amendment-records.ts',
    'what a rebase superseded does not count any more',
    ['boolean => supersededAt === null', 'boolean => true || supersededAt === null'],
    order,
  ),
  of(
    'src/engine/amendments/amendment-records.ts',
    'what a rebase superseded changes the order again',
    ['position <= at && (supersededAt === null || supersededAt > at)', 'position <= at'],
    order,
  ),
  of(
    'src/engine/amendments/effective-order.ts',
    'what a pending amendment changes is not settled',
    [
      'Math.min(confirmedThrough, this.#of(streamName).firstTouched(confirmedThrough) - 1)',
      'Math.min(confirmedThrough, this.#of(streamName).firstTouched(confirmedThrough))',
    ],
    order,
  ),
  of(
    'src/engine/command-plan.ts',
    'a command is decided on the order that its draft makes',
    ['if (isOrderDrafted(streamName, draft, parts)) return', 'if (decider === "") return'],
    deciding,
  ),
  of(
    'src/engine/erasure/find-entries.ts',
    'what an amendment says is not erased',
    ['positions.delete(position)', ''],
    store,
  ),
  of(
    'src/engine/replay/fold.ts',
    'an erased event may have counted before it was recorded',
    ['return Math.min(first, order.firstChanged(streamName))', 'return first'],
    amended,
  ),
  of(
    'src/engine/replay/fold.ts',
    'what was folded in another order does not stand',
    [
      'return log.order.isEmpty ? erased : Math.min(erased, amendedSince(known.amendedAt, streamName, log))',
      'return erased',
    ],
    amended,
  ),
  of(
    'src/engine/replay/snapshot-reader.ts',
    'an order is not taken over before it is known',
    ['Math.max(header.position, header.amendedAt)', 'header.position'],
    amended,
  ),
  of(
    'src/engine/replay/replay-plan.ts',
    'a fold does not end while a place that was touched lies ahead',
    ['changedBetween(later.amendedAt, amendedAt).last <= position', 'true'],
    plan,
  ),
  of(
    'src/engine/replay/replay-plan.ts',
    'old snapshots are right only on the way of the same order',
    ['if (changedBetween(earlier.amendedAt, later.amendedAt).first <= earlier.position) return false', ''],
    plan,
  ),
  of(
    'src/engine/admit-job.ts',
    'what is here already is accepted once more',
    ['if (!recorded || !equalBytes(recorded.hash, entry.hash)) {', 'if (recorded) {'],
    'test/server/sync-server.test.ts',
  ),
  of(
    'src/engine/remote-job.ts',
    'a rejection is kept',
    ['for (const rejection of rejected) addRejection(draft, rejection)', ''],
    progress,
  ),
  of(
    'src/engine/rebase.ts',
    'commits of one author keep their order',
    ['for (const commit of tail) {', 'for (const commit of tail.toReversed()) {'],
    devices,
  ),
  of(
    'src/engine/rebase.ts',
    'what an append with `reject` meets is heeded',
    ["if (onConflict === 'reject') throw", 'if (false) throw'],
    progress,
  ),
  of(
    'src/engine/rebase.ts',
    'a merge that is not known rejects nothing',
    ["new Set(['unknown-merge', 'key-missing'])", "new Set(['key-missing'])"],
    merges,
  ),
  of(
    'src/engine/rebase.ts',
    'a command that is decided again waits since it was wished',
    [
      'planCommand(note.command, eventIdOf(eventId), draft, { ...parts, now: () => recordedAt })',
      'planCommand(note.command, eventIdOf(eventId), draft, parts)',
    ],
    progress,
  ),
  of(
    'src/engine/merge-again.ts',
    'what a merge is not shown stays',
    ['[...unseen.map(runOf), ...(await runsOf', '[...(await runsOf'],
    merges,
  ),
  of(
    'src/engine/merge-again.ts',
    'ids of merged events are the same when they are made again',
    ['let id = derivedEventId(cause, ++n)', 'let id: string = crypto.randomUUID()'],
    merges,
  ),
  of(
    'src/engine/merge-again.ts',
    'a merge gives each event once',
    ['if (used.has(id))', 'if (false)'],
    merges,
  ),
  of(
    'src/engine/append-job.ts',
    'no policy is noted that cannot be read again',
    ['if (onConflict !== undefined && !isOnConflict(onConflict)) throw', 'if (false) throw'],
    merges,
  ),
  of(
    'src/engine/event-progress.ts',
    'a push to another log claims nothing',
    ['pushed?.epoch === epoch && position', 'pushed && position'],
    progress,
  ),
  of(
    'src/engine/event-progress.ts',
    'a push claims nothing of what was appended behind it',
    ['position <= pushed.through', 'true'],
    progress,
  ),
  of(
    'src/sync/sync-state.ts',
    'what another tab went back to is pulled before anything is pushed to it',
    ['isPullDue: before.isPullDue || isMovedBack', 'isPullDue: before.isPullDue'],
    'test/sync/sync-state.test.ts',
  ),
  of(
    'worker/silence-watch.ts',
    'who took the lead meanwhile is not stolen from',
    ['if (this.#leader === before) this', 'this'],
    silence,
  ),
  of(
    'worker/sync-role.ts',
    'a tab that missed a hint reads on when the leader gives a sign of life',
    ['head !== undefined && head > this.#options.log.head()', 'false'],
    hints,
  ),
  of(
    'worker/growth-hints.ts',
    'a growth that was made up keeps no tab from telling of its own',
    ['told = Math.min(told, log.head())', ''],
    tabs,
  ),
  of(
    'worker/pages.ts',
    'what is asked of a page that leaves is asked of another',
    ["left.addEventListener('abort', () => resolve(null), { signal: answered.signal })", ''],
    pages,
  ),
  of('worker/page-watch.ts', 'a page that answers is not let go', ['missed = 0\n  }', '}'], pages),
  of(
    'worker/web-lock.ts',
    'a tab that is frozen in brief work holds up no other',
    ['setTimeout(() => patience.abort(), PATIENCE_MS)', 'undefined'],
    brief,
  ),
  of(
    'src/log/encrypted-event.ts',
    'a ciphertext is bound to its store',
    ['  writer.lp16(storeId)\n', ''],
    encryption,
  ),
  of(
    'src/log/encrypted-event.ts',
    'a ciphertext is bound to its stream',
    ['  writer.lp16(streamName)\n', ''],
    encryption,
  ),
  of(
    'src/log/encrypted-event.ts',
    'a ciphertext is bound to its event',
    ['  writer.raw(eventId)\n', ''],
    encryption,
  ),
  of(
    'src/log/encrypted-event.ts',
    'a ciphertext is bound to its type',
    ['  writer.lp16(type)\n', ''],
    encryption,
  ),
  of(
    'src/log/encrypted-event.ts',
    'a ciphertext is bound to its shape',
    ['  writer.u16(schemaVersion)\n', ''],
    encryption,
  ),
  of(
    'src/log/encrypted-event.ts',
    'what is encrypted in an unknown way is not decrypted',
    ['suite === SUITE && isKeyId(keyId)', 'isKeyId(keyId)'],
    encryption,
  ),
  of(
    'src/engine/encryption/key-ring.ts',
    'a destroyed key is not added again',
    ["if ('destroyedAt' in kept) refusal = destroyedKey(keyId)", 'if (false) refusal = destroyedKey(keyId)'],
    encryption,
  ),
  of(
    'src/engine/encryption/event-contents.ts',
    'a retry of other content is noticed',
    ['|| hasPayload(opened.plaintext, payload)', '|| true'],
    encryption,
  ),
  of(
    'src/engine/open-log.ts',
    'nothing is decided upon a part of a history',
    ["readStream(streamName, options, 'refuse')", 'readStream(streamName, options)'],
    encryption,
  ),
  of(
    'src/engine/rebase.ts',
    'a commit waits for its key',
    ["new Set(['unknown-merge', 'key-missing'])", "new Set(['unknown-merge'])"],
    encryption,
  ),
  of(
    'src/engine/erasure/erasures.ts',
    'what was folded with other keys is folded again',
    [
      'if (found.length > 0) await draftErasure(record, draft, this.#list)',
      'if (false) await draftErasure(record, draft, this.#list)',
    ],
    encryption,
  ),
  of(
    'src/engine/command-plan.ts',
    'a command is kept encrypted',
    ['cipher.encrypts ? await', 'false ? await'],
    encryption,
  ),
  of(
    'src/sync/sync-state.ts',
    'streams are not left while something of them is pending',
    ['isOtherPart === true && pending === 0 &&', 'isOtherPart === true &&'],
    'test/sync/sync-state.test.ts',
  ),
  of(
    'src/sync/sync-loop.ts',
    'a part of a commit is not sent as if it were whole',
    ['tail.findIndex(({ note }) => isInPart(note))', '-1'],
    partial,
  ),
  of(
    'src/engine/remote-job.ts',
    'a page holds, or tells by hashes, all that lies between its ends',
    ['if (tree.size !== page.next) throw notWhole(page)', ''],
    partial,
  ),
  of(
    'src/server/log-exchange.ts',
    'who may read some streams gets no others',
    ['streams.length === 0 || !isWithin(streams, readable)', 'streams.length === 0'],
    readable,
  ),
  of(
    'src/server/served-log.ts',
    'a proof tells nothing of a stream that is closed',
    ['if (!isOpen(await log.proofs.streamNameOf(eventId))) throw', 'if (false) throw'],
    readable,
  ),
  of(
    'src/server/live-access.ts',
    'a right to read that was narrowed ends a stream of hints',
    ['read: readsAsMuch(access, before)', 'read: true'],
    readable,
  ),
  of(
    'src/sync/sync-state.ts',
    'a push is no larger than the server says that it takes',
    ['return maxPushBytes === null ? pushBytes :', 'return maxPushBytes !== 0 ? pushBytes :'],
    'test/sync/negotiation.test.ts',
  ),
  of(
    'src/server/server-state.ts',
    'nothing is taken that was meant for another log',
    ["if ('epoch' in question && question.epoch !== epoch) return answer(store, otherEpoch(epoch))", ''],
    'test/server/epoch.test.ts',
  ),
]
