// A verifier as people write them with npm's jose:
// node verify_jose.mjs NODE_MODULES URL ALG.
//
// Each line of standard input is a token; each line of output says what
// became of it, and how often the key set has been fetched so far.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [modules, url, alg] = process.argv.slice(2)
const entry = createRequire(`${modules}/x.js`).resolve('jose')
const { createRemoteJWKSet, customFetch, jwtVerify } =
  await import(pathToFileURL(entry))

let fetches = 0
const keys = createRemoteJWKSet(new URL(url), {
  [customFetch]: (...args) => { fetches++; return fetch(...args) },
})

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const { payload } = await jwtVerify(line.trim(), keys, {
      algorithms: [alg],
    })
    answer = { claims: payload }
  } catch (error) {
    answer = { error: `${error.code}: ${error.message}` }
  }
  console.log(JSON.stringify({ ...answer, fetches }))
}
