// Whose pages may call: origins by name. No cookie is ever asked for, and a token is sent only by who has one.

import { cors } from 'hono/cors'

/** A scheme and a host, perhaps a port: `https://app.example.org`, `capacitor://localhost`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/\s*@]+$/

/** @throws `TypeError` for what is no origin: it would allow nothing, or, as `*`, everybody */
export function corsFor(origins: readonly string[]) {
  const wrong = origins.find(origin => !ORIGIN.test(origin))
  if (wrong !== undefined) throw new TypeError(`"${wrong}" is no origin, such as https://app.example.org`)
  return cors({
    origin: [...origins],
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['authorization', 'content-type'],
    exposeHeaders: ['retry-after', 'x-request-id'],
    maxAge: 600,
  })
}
