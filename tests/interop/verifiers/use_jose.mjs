// npm's jose, 6 or 5 (JOSE names the package): ten minutes' cache, and another
// fetch for an unknown kid, twice a minute at most.
import { alg, counted, issuer, load, serve, url } from './lines.mjs'

const { createRemoteJWKSet, customFetch, jwtVerify } =
  await load(process.env.JOSE ?? 'jose')
const keys = createRemoteJWKSet(new URL(url), { [customFetch]: counted })

await serve(
  async (token) => (await jwtVerify(token, keys, {
    algorithms: [alg],
    ...(issuer ? { issuer } : {}),
  })).payload,
  async () => {
    await keys.reload()
    return 'reload()'
  },
)
