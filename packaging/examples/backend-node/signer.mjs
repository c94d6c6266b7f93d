// One connection to jwksd's sign.sock.  Requests may be sent without waiting:
// the replies come in their order.
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export class Refused extends Error {
  constructor(error, parameters = {}) {
    super(`${error}: ${parameters.message ?? JSON.stringify(parameters)}`)
    this.error = error
  }
}

export class Signer {
  #path
  #socket = null
  #waiting = []

  constructor(path) {
    this.#path = path
  }

  #connect() {
    const socket = net.connect(this.#path)
    const waiting = []
    let pending = ''
    socket.setEncoding('utf8')
    socket.on('data', (data) => {
      pending += data
      const messages = pending.split('\0')
      pending = messages.pop()
      for (const message of messages) waiting.shift()?.resolve(JSON.parse(message))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null
      for (const one of waiting.splice(0)) {
        one.reject(new Error('the connection to jwksd broke'))
      }
    })
    // An idle connection does not keep the program alive.
    socket.unref()
    this.#socket = socket
    this.#waiting = waiting
  }

  #exchange(message) {
    if (this.#socket === null) this.#connect()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.write(`${message}\0`)
    })
  }

  async call(method, parameters, tries = 4) {
    const message = JSON.stringify({ method, parameters })
    for (let n = 1; ; n++) {
      try {
        const reply = await this.#exchange(message)
        if (reply.error === undefined) return reply.parameters
        throw new Refused(reply.error, reply.parameters)
      } catch (error) {
        const final = error instanceof Refused &&
          !error.error.endsWith('.Overloaded')
        if (final || n === tries) throw error
        await pause(50 * n)
      }
    }
  }

  async sign(claims) {
    return (await this.call('org.jwksd.sign.Sign', { claims })).token
  }
}
