// jwks-rsa finds the key, jsonwebtoken verifies: each kid's key is kept for a
// while, and nothing else makes it forget one.
import { alg, counted, issuer, load, serve, url } from './lines.mjs'

const { default: jwksClient } = await load('jwks-rsa')
const { default: jwt } = await load('jsonwebtoken')
const LIFE = 2500
const client = jwksClient({
  jwksUri: url,
  cache: true,
  cacheMaxAge: LIFE,
  fetcher: async (uri) => (await counted(uri)).json(),
})

const getKey = (header, callback) => {
  client.getSigningKey(header.kid, (error, key) =>
    error ? callback(error) : callback(null, key.getPublicKey()))
}

await serve(
  (token) => new Promise((resolve, reject) => {
    jwt.verify(token, getKey, { algorithms: [alg], issuer },
      (error, claims) => (error ? reject(error) : resolve(claims)))
  }),
  async () => {
    await new Promise((resolve) => setTimeout(resolve, LIFE + 100))
    return `cacheMaxAge, ${LIFE} ms`
  },
)
