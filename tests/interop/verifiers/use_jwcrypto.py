#!/usr/bin/python3
"""jwcrypto: it is handed a key set; ours reads it again for an unknown kid."""
import json

import lines
from jwcrypto import jwk, jwt
from jwcrypto.common import JWException

keys = None


def refresh():
    global keys
    keys = jwk.JWKSet.from_json(lines.fetch())
    return "JWKSet.from_json() of another fetch"


def decode(token):
    checked = jwt.JWT(jwt=token, key=keys, algs=[lines.ALG],
                      check_claims={"iss": lines.ISSUER, "exp": None})
    return json.loads(checked.claims)


def verify(token):
    if keys is None:
        refresh()
    try:
        return decode(token)
    except jwt.JWTMissingKey:
        refresh()
        return decode(token)


lines.serve(verify, refresh, (JWException, ValueError, TypeError))
