"""Times Django's own signing; peers.rs asks, a line a question, and reads a line of answer."""

import json
import sys
import timeit

from django.conf import settings
from django.core import signing

SALT = "django.contrib.sessions.backends.signed_cookies"
MAX_AGE = 14 * 24 * 60 * 60


def dumps(session, compress):
    # As SessionStore._get_session_key of the signed_cookies backend.
    return signing.dumps(session, salt=SALT, compress=compress)


def loads(token):
    # As its load.
    return signing.loads(token, max_age=MAX_AGE, salt=SALT)


def answer(question):
    match question:
        case ["configure", secret]:
            settings.configure(SECRET_KEY=secret)
            return sys.version.split()[0]
        case ["tokens", name, compress, sessions]:
            SESSIONS[name] = [json.loads(text) for text in sessions]
            TOKENS[name] = [dumps(session, compress) for session in SESSIONS[name]]
            COMPRESS[name] = compress
            return TOKENS[name]
        case ["loads", name, start, end]:
            tokens = TOKENS[name][start:end]
            return timeit.timeit(lambda: [loads(token) for token in tokens], number=1)
        case ["dumps", name, start, end]:
            sessions, compress = SESSIONS[name][start:end], COMPRESS[name]
            return timeit.timeit(lambda: [dumps(session, compress) for session in sessions], number=1)


SESSIONS, TOKENS, COMPRESS = {}, {}, {}
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
