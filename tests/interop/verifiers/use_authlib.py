#!/usr/bin/python3
"""Authlib: it is handed a key set; ours reads it again for an unknown kid."""
import json

import lines
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.jose.errors import JoseError

jwt = JsonWebToken([lines.ALG])
keys = None


def refresh():
    global keys
    keys = JsonWebKey.import_key_set(json.loads(lines.fetch()))
    return "import_key_set() of another fetch"


def decode(token):
    return jwt.decode(token, keys, claims_options={
        "iss": {"essential": True, "value": lines.ISSUER}})


def verify(token):
    if keys is None:
        refresh()
    try:
        claims = decode(token)
    except ValueError:      # what it says of an unknown kid
        refresh()
        claims = decode(token)
    claims.validate()
    return dict(claims)


lines.serve(verify, refresh, (JoseError, ValueError))
