// A session backend: it has tokens signed by jwksd, and verifies them by the
// published keys.  See ../README.md for how to run it.
import { createHash, timingSafeEqual } from 'node:crypto'
import http from 'node:http'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { Signer } from './signer.mjs'

const env = process.env
const [host, port] = (env.LISTEN ?? '127.0.0.1:8000').split(/:(?=\d+$)/)
const issuer = env.ISSUER ?? 'https://sessions.example'
const audience = 'api'
const algorithms = ['ES256', 'EdDSA', 'RS256']
const life = 600
const users = new Map([['alice', 'wonderland']]) // yours come from elsewhere

const signer = new Signer(env.JWKSD_SIGN ?? '/run/jwksd/sign.sock')
const keys = createRemoteJWKSet(new URL(
  env.JWKS_URL ?? 'http://127.0.0.1:7517/.well-known/jwks.json'))

const hash = (text) => createHash('sha256').update(text).digest()

async function logIn({ user, password }) {
  const right = users.get(user)
  if (right === undefined || typeof password !== 'string' ||
      !timingSafeEqual(hash(right), hash(password))) {
    return [401, { error: 'no such user, or another password' }]
  }
  const token = await signer.sign({
    iss: issuer,
    aud: audience,
    sub: user,
    exp: Math.floor(Date.now() / 1000) + life,
  })
  return [200, { token, expires_in: life }]
}

async function me(request) {
  const [kind, token] = (request.headers.authorization ?? '').split(' ')
  if (kind !== 'Bearer' || !token) {
    return [401, { error: 'send Authorization: Bearer TOKEN' }]
  }
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms, issuer, audience, requiredClaims: ['exp', 'iat', 'sub'],
    })
    return [200, { sub: payload.sub }]
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    return [401, { error: error.message }]
  }
}

async function body(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > 65536) break
  }
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

async function route(request) {
  if (request.method === 'POST' && request.url === '/login') {
    return logIn(await body(request))
  }
  if (request.method === 'GET' && request.url === '/me') return me(request)
  return [404, { error: 'there is POST /login and GET /me' }]
}

const server = http.createServer(async (request, response) => {
  const [status, value] = await route(request).catch(
    (error) => [503, { error: error.message }])
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  })
  response.end(JSON.stringify(value))
})

server.listen(Number(port), host, () => {
  const { address, port: bound } = server.address()
  console.log(`serving on ${address}:${bound}`)
})
