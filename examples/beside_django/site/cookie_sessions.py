"""Django's signed-cookie sessions, with the rules of Rust. The cookies are the same.

SESSION_ENGINE = "cookie_sessions"; SESSION_ABSOLUTE_AGE, in seconds, is optional.
"""

import json
import re
import time
import zlib
from datetime import datetime

from django.conf import settings
from django.contrib.sessions.backends import signed_cookies
from django.core import signing
from django.utils.timezone import is_naive, make_aware

SALT, STARTED = signed_cookies.__name__, "_session_started"
MAX_TOKEN, MAX_JSON, MAX_SKEW = 4096, 65536, 300
TIME = r"([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d(:\d\d)?)?"
DATE = re.compile(rf"\d{{4}}-\d\d-\d\d([Tt ]{TIME})?")


class SessionStore(signed_cookies.SessionStore):
    def load(self):
        try:
            signed, stamp, data = verified(self.session_key, time.time())
        except Exception:
            return {}  # the cookie stays as it is until something is written
        if absolute_age() and STARTED not in data:
            data[STARTED], self.modified = stamp * 1_000_000, True
        if signing.Signer(salt=SALT, fallback_keys=[]).sign(signed) != self.session_key:
            self.modified = True  # signed with a fallback key: re-sign with the first
        return data

    def _get_session_key(self):
        if absolute_age():
            self._session.setdefault(STARTED, int(time.time() * 1_000_000))
        return super()._get_session_key()


def absolute_age():
    return getattr(settings, "SESSION_ABSOLUTE_AGE", None)


def check(is_good):
    if not is_good:
        raise ValueError("the cookie is refused")


def verified(token, now):
    check(len(token) <= MAX_TOKEN)
    signed = signing.Signer(salt=SALT).unsign(token)
    payload, _, stamp = signed.rpartition(":")
    check(re.fullmatch("[0-9A-Za-z]+", stamp))
    stamp = signing.b62_decode(stamp)
    check(stamp <= now + MAX_SKEW)
    data = json.loads(inflated(payload), parse_constant=int)  # int("NaN") raises an error
    check(not is_over(data.get("_session_expiry"), max(now - stamp, 0), now))
    if absolute_age():
        started = data.get(STARTED, stamp * 1_000_000)
        check(type(started) is int and 0 <= started <= 253402300799999999)
        check(now * 1_000_000 - started <= absolute_age() * 1_000_000)
    return signed, stamp, data


def inflated(payload):
    base64 = payload.removeprefix(".")
    text = signing.b64_decode(base64.encode())
    check(signing.b64_encode(text).decode() == base64)
    if base64 != payload:
        stream = zlib.decompressobj()
        text = stream.decompress(text, MAX_JSON + 1)
        check(stream.eof and not stream.unused_data)
    check(text.isascii() and len(text) <= MAX_JSON)
    return text.decode()


def is_over(expiry, age, now):
    if isinstance(expiry, str):
        check(DATE.fullmatch(expiry))
        date = datetime.fromisoformat(expiry)
        return now > (make_aware(date) if is_naive(date) else date).timestamp()
    if expiry in (None, False, 0):
        return age > settings.SESSION_COOKIE_AGE
    check(type(expiry) in (int, float))
    return age > expiry
