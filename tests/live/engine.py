"""Judges tokens with the session engine of `examples/beside_django`, under the test's own clock."""

import json
import sys
import time
import zlib
from pathlib import Path

import django
from django.conf import settings

settings.configure(USE_TZ=True, TIME_ZONE="UTC")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples/beside_django/site"))

import cookie_sessions  # noqa: E402


class Clock:
    now = 0.0


def about(case):
    return {
        "django": django.__version__,
        "python": sys.version.split()[0],
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }


def judge(case):
    Clock.now = case["now"] / 1000
    primary, *fallbacks = map(secret, case["secrets"])
    settings.SECRET_KEY = primary
    settings.SECRET_KEY_FALLBACKS = fallbacks
    settings.SESSION_COOKIE_AGE = case["cookie_age"] / 1000
    settings.SESSION_ABSOLUTE_AGE = case["absolute"] and case["absolute"] / 1000
    store = cookie_sessions.SessionStore(case["token"])
    try:
        cookie_sessions.verified(case["token"], Clock.now)
        refusal = None
    except Exception as error:
        refusal = type(error).__name__
    data = store.load()
    if refusal:
        # It stands in for the cookie, and leaves it alone.
        assert data == {} and not store.modified
    return {"data": None if refusal else json.dumps(data), "is_written": store.modified}


def secret(spelled):
    return bytes.fromhex(spelled["hex"]) if "hex" in spelled else spelled["text"]


time.time = lambda: Clock.now
REQUESTS = {"about": about, "judge": judge}
for line in sys.stdin.buffer:
    request = json.loads(line)
    answers = json.dumps([REQUESTS[request["do"]](case) for case in request["cases"]])
    sys.stdout.buffer.write(answers.encode("ascii") + b"\n")
    sys.stdout.buffer.flush()
