// A small session backend: tokens signed by jwksd, verified by its JWKS URL.
//
//   POST /login   {"user": "alice", "password": "wonderland"} -> access_token
//   GET  /me      Authorization: Bearer TOKEN                 -> sub
//
// npm install; node backend.mjs, as a user in the group jwksd-sign.  The
// environment has LISTEN, SIGN_SOCKET, KEY_SET, JWKS_URL, ALGORITHMS, ISSUER
// and AUDIENCE.
import { randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const {
  LISTEN = '127.0.0.1:8080',
  SIGN_SOCKET = '/run/jwksd/sign.sock',
  KEY_SET = 'default',
  JWKS_URL = 'http://127.0.0.1:7517/.well-known/jwks.json',
  // Never what a token says about itself.  Name both while a key set changes
  // from one algorithm to another.
  ALGORITHMS = 'ES256',
  ISSUER = 'https://session.example.com',
  AUDIENCE = 'api',
} = process.env
const LIFETIME = 300 // seconds; at most the key set's token_max_ttl
const BODY_MAX = 16384

// ---- signing ----

/** Nothing was signed: name is the error's last word. */
class SignError extends Error {
  constructor(name, parameters) {
    super(`${name} ${JSON.stringify(parameters)}`)
    this.name = name
    this.parameters = parameters
  }
}

/** Not now: say 503, and let the client try again. */
class Unavailable extends Error {}

const TRANSIENT = new Set(['Overloaded', 'NoActiveKey', 'OutcomeUnknown'])

/**
 * Asks on sign.sock, over one connection that is made when it is needed.
 *
 * A message is a JSON object and a NUL octet, in both directions.  Calls are
 * pipelined: replies come in the order of the calls.
 */
class Signer {
  #path
  #patience
  #socket = null
  #waiting = []

  constructor(path, patience = 5000) {
    this.#path = path
    this.#patience = patience
  }

  /** The token; asks again until patience runs out. */
  async sign(keySet, claims, type = 'JWT') {
    const deadline = Date.now() + this.#patience
    for (let pause = 10; ; pause = Math.min(pause * 2, 500)) {
      try {
        const reply = await this.#call('org.jwksd.sign.Sign', {
          keySet, claims, type,
        })
        return reply.token
      } catch (error) {
        if (error instanceof SignError && !TRANSIENT.has(error.name))
          throw error
        if (error.code === 'EACCES')
          throw new Unavailable(
            `${this.#path}: ${error.message}; is this user in jwksd-sign?`)
        if (Date.now() + pause > deadline)
          throw new Unavailable(`${this.#path}: ${error.message}`)
      }
      // With jitter, so that all who were refused do not come at once.
      await sleep(pause * (0.5 + Math.random() / 2))
    }
  }

  #call(method, parameters) {
    return new Promise((resolve, reject) => {
      this.#socket ??= this.#connect()
      this.#waiting.push({ resolve, reject })
      this.#socket.write(JSON.stringify({ method, parameters }) + '\0')
    })
  }

  #connect() {
    const socket = connect(this.#path)
    let parts = []
    // An error is always followed by close, where all that wait are told.
    let why = new Error('jwksd closed the connection')
    socket.on('error', (error) => { why = error })
    socket.on('close', () => this.#lost(socket, why))
    socket.setTimeout(this.#patience, () => {
      // Idle, or a daemon that does not answer.
      socket.destroy(this.#waiting.length ? new Error('no answer') : undefined)
    })
    socket.on('data', (data) => {
      let end
      while ((end = data.indexOf(0)) >= 0) {
        parts.push(data.subarray(0, end))
        data = data.subarray(end + 1)
        this.#answered(Buffer.concat(parts))
        parts = []
      }
      parts.push(data)
    })
    return socket
  }

  #answered(message) {
    const { resolve, reject } = this.#waiting.shift()
    const reply = JSON.parse(message)
    if (reply.error)
      reject(new SignError(reply.error.split('.').pop(), reply.parameters))
    else
      resolve(reply.parameters)
  }

  #lost(socket, why) {
    if (this.#socket !== socket)
      return
    this.#socket = null
    for (const { reject } of this.#waiting.splice(0))
      reject(why)
  }
}

// ---- verifying ----

const keys = createRemoteJWKSet(new URL(JWKS_URL))

/** The claims of a good token; null for any other. */
async function verify(token) {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS.split(' '),
      audience: AUDIENCE,
      issuer: ISSUER,
      requiredClaims: ['exp', 'iat', 'sub'],
    })
    return payload
  } catch (error) {
    // What fetching says is not the token's fault: JOSEError itself, a
    // time-out, or whatever fetch() throws.
    if (!(error instanceof errors.JOSEError) ||
        error instanceof errors.JWKSTimeout ||
        error.code === 'ERR_JOSE_GENERIC')
      throw new Unavailable(`${JWKS_URL}: ${error.message}`)
    console.error(`token refused: ${error.message}`)
    return null
  }
}

// ---- the backend ----

const signer = new Signer(SIGN_SOCKET)

/** Yours looks into a database and compares a slow hash. */
function checkPassword(user, password) {
  const [given, right] = [Buffer.from(password), Buffer.from('wonderland')]
  return user === 'alice' && given.length === right.length &&
    timingSafeEqual(given, right)
}

function claimsFor(user) {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: ISSUER, sub: user, aud: AUDIENCE, iat: now, exp: now + LIFETIME,
    jti: randomUUID(),
  }
}

async function readBody(request) {
  const parts = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > BODY_MAX)
      return null
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts))
  } catch {
    return null
  }
}

async function login(request) {
  const { user, password } = await readBody(request) ?? {}
  if (typeof user !== 'string' || typeof password !== 'string')
    return [400, { error: 'invalid_request' }]
  if (!checkPassword(user, password))
    return [401, { error: 'invalid_grant' }]
  const token = await signer.sign(KEY_SET, claimsFor(user))
  return [200, {
    access_token: token, token_type: 'Bearer', expires_in: LIFETIME,
  }]
}

async function me(request) {
  const [, token] =
    /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (!token)
    return [401, { error: 'missing_token' }, { 'WWW-Authenticate': 'Bearer' }]
  const claims = await verify(token)
  if (!claims)
    return [401, { error: 'invalid_token' },
      { 'WWW-Authenticate': 'Bearer error="invalid_token"' }]
  return [200, { sub: claims.sub }]
}

const routes = { 'POST /login': login, 'GET /me': me }

async function respond(request) {
  const route = routes[`${request.method} ${request.url}`]
  if (!route)
    return [404, { error: 'not_found' }]
  try {
    return await route(request)
  } catch (error) {
    console.error(error.message) // BadClaims says which claim, and why
    if (error instanceof Unavailable)
      return [503, { error: 'temporarily_unavailable' }, { 'Retry-After': 1 }]
    return [500, { error: 'server_error' }]
  }
}

const server = createServer(async (request, response) => {
  const [status, value, headers] = await respond(request)
  const body = JSON.stringify(value)
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(request.complete ? {} : { Connection: 'close' }),
    ...headers,
  })
  response.end(body)
})

const colon = LISTEN.lastIndexOf(':')
server.listen(Number(LISTEN.slice(colon + 1)), LISTEN.slice(0, colon), () =>
  console.log(`listening on ${LISTEN}`))
for (const signal of ['SIGTERM', 'SIGINT'])
  process.on(signal, () => process.exit(0))
