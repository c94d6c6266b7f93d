#!/usr/bin/python3
"""A verifier as people write them with PyJWT: verify_pyjwt.py URL ALG.

Each line of standard input is a token; each line of output says what became
of it, and how often the key set has been fetched so far.
"""
import json
import sys

import jwt


class Client(jwt.PyJWKClient):
    fetches = 0

    def fetch_data(self):
        self.fetches += 1
        return super().fetch_data()


def main():
    url, alg = sys.argv[1:]
    client = Client(url)
    for line in sys.stdin:
        token = line.strip()
        try:
            key = client.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key.key, algorithms=[alg])
            answer = {"claims": claims}
        except (jwt.PyJWTError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({**answer, "fetches": client.fetches}), flush=True)


main()
