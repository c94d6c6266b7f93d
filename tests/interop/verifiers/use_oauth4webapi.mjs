// oauth4webapi, as a resource server by RFC 9068 (at+jwt): five minutes' cache,
// kept with the authorization server's metadata, and another fetch for an
// unknown kid, once a minute at most.
import { alg, counted, issuer, load, serve, url } from './lines.mjs'

const oauth = await load('oauth4webapi')
const discover = () => ({ issuer, jwks_uri: url })
let server = discover()

await serve(
  async (token) => {
    const request = new Request('http://api.example/', {
      headers: { authorization: `Bearer ${token}` },
    })
    return { ...await oauth.validateJwtAccessToken(server, request, 'api', {
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: counted,
      signingAlgorithms: [alg],
    }) }
  },
  async () => {
    server = discover()
    return 'the server, discovered again'
  },
)
