// The lines that every verifier in JavaScript speaks; see README.md.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [modules, ...rest] = process.argv.slice(2)
export const [url, alg, issuer] = rest
const require = createRequire(`${modules}/x.js`)

// A package of that directory, wherever this file lies.
export const load = (name) => import(pathToFileURL(require.resolve(name)))

export const count = { fetches: 0 }
export const counted = (...args) => {
  count.fetches++
  return fetch(...args)
}

// verify(token) -> claims; refresh() -> how.
export async function serve(verify, refresh) {
  for await (const line of createInterface({ input: process.stdin })) {
    const word = line.trim()
    let answer
    try {
      answer = word === 'refresh'
        ? { refreshed: await refresh() }
        : { claims: await verify(word) }
    } catch (error) {
      answer = { error: `${error.code ?? error.name}: ${error.message}` }
    }
    console.log(JSON.stringify({ ...answer, ...count }))
  }
}
