#!/usr/bin/python3
"""PyJWT: its client keeps the key set for five minutes, and reads it again
for a kid that is not there."""
import jwt
import lines


class Client(jwt.PyJWKClient):
    def fetch_data(self):
        lines.fetches += 1
        return super().fetch_data()


client = Client(lines.URL)


def verify(token):
    key = client.get_signing_key_from_jwt(token)
    return jwt.decode(token, key.key, algorithms=[lines.ALG],
                      options={"verify_aud": False},
                      issuer=lines.ISSUER or None)


def refresh():
    client.get_jwk_set(refresh=True)
    return "get_jwk_set(refresh=True)"


lines.serve(verify, refresh, (jwt.PyJWTError, ValueError))
