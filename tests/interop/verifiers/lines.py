"""The lines that every verifier in Python speaks; see README.md."""
import json
import sys
import urllib.request

URL, ALG, ISSUER = (sys.argv[1:] + [""] * 3)[:3]
fetches = 0


def fetch():
    """The key set's text, by way of no library."""
    global fetches
    fetches += 1
    with urllib.request.urlopen(URL, timeout=10) as response:
        return response.read().decode()


def serve(verify, refresh, errors):
    """verify(token) -> claims, or one of errors; refresh() -> how."""
    for line in sys.stdin:
        word = line.strip()
        try:
            if word == "refresh":
                answer = {"refreshed": refresh()}
            else:
                answer = {"claims": verify(word)}
        except errors as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({**answer, "fetches": fetches}), flush=True)
