// aws-jwt-verify: a cache without end that reads again for an unknown kid.  It
// insists on https of its own; its documented fetcher brings plain http.
import { counted, issuer, load, serve, url } from './lines.mjs'

const { JwtVerifier } = await load('aws-jwt-verify')
const { SimpleJwksCache } = await load('aws-jwt-verify/jwk')
const cache = new SimpleJwksCache({
  fetcher: { fetch: async (uri) => (await counted(uri)).arrayBuffer() },
})
const verifier = JwtVerifier.create(
  { issuer, audience: 'api', jwksUri: url }, { jwksCache: cache })

await serve(
  (token) => verifier.verify(token),
  async () => {
    await cache.getJwks(url)
    return 'getJwks()'
  },
)
