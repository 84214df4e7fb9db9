// A server's signing key in a file: made on first use, read from then on.

import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generatePrivateKey, importKeyPair, type KeyPair } from '../integrity/ed25519.ts'

const [BEGIN, END] = ['-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----']

/**
 * The Ed25519 key in a PEM file (PKCS #8), which only its owner may read. Made if it is not there: of two servers that
 * start at once, both get the same. Whoever has the file can sign in the server's name.
 *
 * @throws the file system's error; what WebCrypto throws for a file that holds no such key
 */
export async function openSigningKey(path: string): Promise<KeyPair> {
  const pem = (await readIfThere(path)) ?? (await make(path))
  const base64 = pem.replace(BEGIN, '').replace(END, '').replaceAll(/\s/g, '')
  return importKeyPair(new Uint8Array(Buffer.from(base64, 'base64')))
}

async function make(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  const made = `${path}.${crypto.randomUUID()}`
  const base64 = Buffer.from(await generatePrivateKey()).toString('base64')
  await writeFile(made, `${BEGIN}\n${base64}\n${END}\n`, { mode: 0o600, flag: 'wx' })
  try {
    // Unlike a rename, it fails where another process was first.
    await link(made, path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await unlink(made)
  }
  return readFile(path, 'utf8')
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code
