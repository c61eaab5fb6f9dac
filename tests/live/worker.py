"""Does with the real Django what the test asks for.

A request is a line of JSON, {"do": "judge", "cases": [...]}, and so is its answer, a list with one
item a case. What is not foreseen here ends the program with a traceback, which the test shows.
"""

import json
import logging
import random
import struct
import sys
import time
import zlib
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from io import BytesIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import django
from django.conf import settings

settings.configure(
    USE_TZ=True,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)

from django.contrib.messages.storage.base import Message  # noqa: E402
from django.contrib.messages.storage.cookie import CookieStorage  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.contrib.sessions.middleware import SessionMiddleware  # noqa: E402
from django.core import signing  # noqa: E402
from django.core.handlers.wsgi import WSGIRequest  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.utils import timezone as django_timezone  # noqa: E402
from django.utils.safestring import SafeData, mark_safe  # noqa: E402

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


def main():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        do = REQUESTS[request["do"]]
        answers = json.dumps([do(case) for case in request["cases"]])
        sys.stdout.buffer.write(answers.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def about(case):
    return {
        "django": django.__version__,
        "python": sys.version.split()[0],
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "v2_cookies": hasattr(signing, "_cookie_signer_salt"),
        "reads_legacy_cookies": getattr(settings, "SIGNED_COOKIE_LEGACY_SALT_FALLBACK", True)
        or not hasattr(signing, "_cookie_signer_salt"),
    }


# The site and the clock of a case


class Clock:
    now = 0.0


def set_site(case):
    Clock.now = case["now"] / 1000
    primary, *fallbacks = map(secret, case["secrets"])
    settings.SECRET_KEY = primary
    settings.SECRET_KEY_FALLBACKS = fallbacks
    settings.SESSION_COOKIE_AGE = seconds(case["max_age"])


def secret(spelled):
    return bytes.fromhex(spelled["hex"]) if "hex" in spelled else spelled["text"]


def seconds(milliseconds):
    """Whole where it can be: Django's settings are integers."""
    if milliseconds is None:
        return None
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


def max_age(case):
    """The age as a number or a timedelta: Django takes both."""
    age = seconds(case["max_age"])
    return timedelta(seconds=age) if age is not None and case["now"] % 2 else age


def signer(case, kind):
    """A signer with keys of its own, or with those of the settings."""
    keys = {}
    if case["now"] % 2:
        keys = {"key": settings.SECRET_KEY, "fallback_keys": settings.SECRET_KEY_FALLBACKS}
    return kind(salt=case["salt"], sep=case["separator"], algorithm=case["algorithm"], **keys)


def dumps(data):
    return json.dumps(data, separators=(",", ":"))


# Tokens that Django makes


def encode(case):
    """Signs data that the test describes; says the JSON and the token without and with compression."""
    set_site(case)
    data = built(case["data"])
    return {
        "json": dumps(data),
        "plain": signed(case, data, compress=False),
        "squeezed": signed(case, data, compress=True),
    }


def built(part):
    """The data of a description, which spells what JSON on its way here could alter."""
    if isinstance(part, list):
        return [built(item) for item in part]
    if not isinstance(part, dict):
        return part
    ((kind, spelled),) = part.items()
    if kind == "int":
        return int(spelled)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(spelled))[0]
    return {built(key): built(value) for key, value in spelled}


def signed(case, data, compress):
    """Signs with the call of the case; the session backends always compress."""
    call = case["call"]
    if call == "session" and compress:
        store = SessionStore()
        store.update(data)
        store.save()
        return store.session_key
    if call == "session":
        salt = "django.contrib.sessions.backends.signed_cookies"
        return signing.dumps(data, salt=salt)
    if call == "database":
        store = DatabaseStore()
        return store.encode(data) if compress else signing.dumps(data, salt=store.key_salt)
    if call == "loads":
        return signing.dumps(data, salt=case["salt"], compress=compress)
    if call == "object":
        return signer(case, signing.Signer).sign_object(data, compress=compress)
    raise ValueError(call)


def make(case):
    """Signs data of its own; says them as JSON, as signed and as Django would read them again."""
    set_site(case)
    data = RandomData(case["seed"]).session()
    token = signed(case, data, compress=case["compress"])
    text = dumps(data)
    return {"token": token, "json": text, "read": dumps(json.loads(text)), "entries": entries(text)}


def entries(text):
    """The keys and values of an object, each as its JSON."""
    return [[dumps(key), dumps(value)] for key, value in json.loads(text).items()]


class RandomData:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def session(self):
        made = {self.key(): self.value(3) for _ in range(self.random.choice([0, 1, 2, 3, 5, 9]))}
        if self.random.random() < 0.03:
            made[self.key()] = self.tower()
        if self.random.random() < 0.2:
            made[self.text()] = "ab" * self.random.randrange(400)
        if self.random.random() < 0.1:
            # Two keys here and one in JSON, where it is written twice.
            key, spelled = self.random.choice([(1, "1"), (None, "null"), (True, "true"), (0.5, "0.5")])
            made = {spelled: self.value(1), **made, key: self.value(1)}
        return made

    def key(self):
        if self.random.random() < 0.85:
            return self.text()
        return self.random.choice([self.integer(), self.float(), None, True, False])

    def value(self, depth):
        kind = self.random.randrange(10 if depth else 8)
        if kind == 0:
            return None
        if kind == 1:
            return self.random.random() < 0.5
        if kind in (2, 3):
            return self.integer()
        if kind == 4:
            return self.float()
        if kind < 8:
            return self.text()
        items = range(self.random.choice([0, 1, 2, 4]))
        if kind == 8:
            return [self.value(depth - 1) for _ in items]
        return {self.key(): self.value(depth - 1) for _ in items}

    def integer(self):
        bits = self.random.choice([1, 7, 31, 32, 53, 63, 64, 65, 127, 128, 133])
        return self.random.choice([-1, 1]) * self.random.getrandbits(bits)

    def float(self):
        if self.random.random() < 0.3:
            return self.random.choice([0.0, -0.0, 1e16, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, 0.1])
        value = struct.unpack(">d", self.random.getrandbits(64).to_bytes(8, "big"))[0]
        return value if value - value == 0 else 1.5

    def text(self):
        return "".join(chr(self.code_point()) for _ in range(self.random.choice([0, 1, 3, 8, 20])))

    def code_point(self):
        low, high = self.random.choice(
            [(0x20, 0x7E), (0x61, 0x7A), (0, 0x1F), (0x7F, 0xFF), (0x100, 0xD7FF), (0xD800, 0xDFFF)]
            + [(0xE000, 0xFFFF), (0x10000, 0x10FFFF), (0x22, 0x22), (0x5C, 0x5C)]
        )
        return self.random.randint(low, high)

    def tower(self):
        made = self.value(0)
        for _ in range(self.random.randrange(100, 160)):
            made = [made] if self.random.random() < 0.5 else {self.text(): made}
        return made


# Tokens that Django reads


def judge(case):
    """What Django reads in a token, or the name of the error with which it refuses."""
    set_site(case)
    return verdict(case, case["token"])


def forge(case):
    """Signs a text as if it were what a token holds, and says what Django reads in that."""
    set_site(case)
    token = signing.Signer(salt=case["salt"]).sign(case["token"])
    return {"token": token, **verdict(case, token)}


def verdict(case, token):
    call = case["call"]
    try:
        if call == "session":
            return session_verdict(token)
        if call == "database":
            return {"ok": database_verdict(token)}
        if call == "loads":
            return {"ok": dumps(signing.loads(token, salt=case["salt"], max_age=max_age(case)))}
        if call == "object":
            return {"ok": dumps(signer(case, signing.Signer).unsign_object(token))}
        if call == "text":
            return {"ok": signer(case, signing.Signer).unsign(token)}
        if call == "stamped_text":
            return {"ok": signer(case, signing.TimestampSigner).unsign(token, max_age=max_age(case))}
        if call == "cookie":
            request = HttpRequest()
            request.COOKIES[case["cookie_name"]] = token
            read = request.get_signed_cookie(case["cookie_name"], salt=case["salt"], max_age=max_age(case))
            return {"ok": read}
    except REFUSALS as refusal:
        return {"error": type(refusal).__name__}
    raise ValueError(call)


REFUSALS = (
    signing.BadSignature,
    ValueError,  # also those of base64, JSON and Unicode
    IndexError,
    OverflowError,
    zlib.error,
)


def session_verdict(token):
    # The backend replaces whatever it cannot read by an empty session, and marks that as a change.
    store = SessionStore(token)
    data = store.load()
    return {"error": "replaced"} if store.modified else {"ok": dumps(data)}


def database_verdict(token):
    store = DatabaseStore()
    read = dumps(store.decode(token))
    # For it too a refusal is an empty session: only the call inside tells which it was.
    inside = dumps(signing.loads(token, salt=store.key_salt, serializer=store.serializer))
    assert read == inside
    return read


def same(case):
    """Whether two JSON texts say the same to Python."""
    return dumps(json.loads(case["one"])) == dumps(json.loads(case["other"]))


# Text that is signed as it is


def sign(case):
    set_site(case)
    call, value = case["call"], case["value"]
    if call == "text":
        return {"token": signer(case, signing.Signer).sign(value)}
    if call == "stamped_text":
        return {"token": signer(case, signing.TimestampSigner).sign(value)}
    if call == "cookie":
        response = HttpResponse()
        response.set_signed_cookie(case["cookie_name"], value, salt=case["salt"])
        return {"token": response.cookies[case["cookie_name"]].value}
    raise ValueError(call)


def separator(case):
    """Whether Django takes a separator."""
    try:
        signing.Signer(key="any", sep=case)
    except ValueError:
        return False
    return True


def messages(case):
    """Writes the messages of a case as a cookie, and reads them in the test's own."""
    set_site(case)
    storage = CookieStorage(HttpRequest())
    made = [
        Message(level, mark_safe(text) if safe else text, extra_tags=tags)
        for safe, level, text, tags in case["messages"]
    ]
    read = storage._decode(case["token"])
    return {
        "token": storage._encode(made),
        "read": read
        and [[isinstance(m.message, SafeData), m.level, str(m.message), m.extra_tags or None] for m in read],
    }


# Expiry


def expiry_set(case):
    """A session whose expiry Django sets, and what its getters say of it later."""
    set_site(case)
    settings.TIME_ZONE = case["time_zone"]
    django_timezone.get_default_timezone.cache_clear()
    store = SessionStore()
    store["name"] = "value"
    store.set_expiry(wish(case["wish"]))
    store.save()
    return {"token": store.session_key, **getters(case, store.session_key)}


def expiry_read(case):
    """What the getters say of a token that the test made."""
    set_site(case)
    return getters(case, case["token"])


def wish(described):
    kind, value = described
    if kind == "duration":
        return value * MICROSECOND
    if kind == "offset":
        microseconds, offset = value
        return (EPOCH + microseconds * MICROSECOND).astimezone(timezone(timedelta(seconds=offset)))
    if kind == "zone":
        microseconds, name = value
        return (EPOCH + microseconds * MICROSECOND).astimezone(zone(name))
    return value  # a number or nothing


def zone(name):
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:  # the machine has no time zones
        return timezone.utc


def getters(case, token):
    Clock.now = case["later"] / 1000
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = case["browser_close"]
    store = SessionStore(token)
    given = {}
    if case["modification"] is not None:
        given = {"modification": EPOCH + case["modification"] * timedelta(milliseconds=1)}
    age = store.get_expiry_age(**given)
    try:
        date = (store.get_expiry_date(**given) - EPOCH) // MICROSECOND
    except OverflowError:  # past the calendar
        date = None
    assert not store.modified, "the session must be readable"
    return {
        "age": microseconds(age),
        "date": date,
        "at_browser_close": store.get_expire_at_browser_close(),
    }


def microseconds(age):
    return round(Fraction(age) * 1_000_000)


# Bookkeeping


def story(case):
    """Does one thing after the other with a session, and says each time what came of it."""
    set_site(case)
    store = SessionStore(case["token"])
    steps = []
    for what, *arguments in case["story"]:
        answer = STEPS[what](store, *arguments)
        steps.append([dumps(answer), store.accessed, store.modified])
    return {"steps": steps, "data": dumps(dict(store.items()))}


def delete(store, key):
    try:
        del store[key]
        return True
    except KeyError:
        return False


def delete_test_cookie(store):
    try:
        store.delete_test_cookie()
        return True
    except KeyError:
        return False


STEPS = {
    "get": lambda store, key: store.get(key),
    "contains_key": lambda store, key: key in store,
    "keys": lambda store: list(store.keys()),
    "len": lambda store: len(store.keys()),
    "insert": lambda store, key, value: store.__setitem__(key, value),
    "remove": delete,
    "remove_all": lambda store: [delete(store, key) for key in list(store.keys())].count(True),
    "pop": lambda store, key: store.pop(key, None),
    "get_or_insert": lambda store, key, value: store.setdefault(key, value),
    "extend": lambda store, entries: store.update(entries),
    "clear": lambda store: store.clear(),
    "flush": lambda store: store.flush(),
    "cycle_key": lambda store: store.cycle_key(),
    "set_expiry": lambda store, wished: store.set_expiry(wish(wished)),
    "expiry_age": lambda store: microseconds(store.get_expiry_age()),
    "expiry_date": lambda store: (store.get_expiry_date() - EPOCH) // MICROSECOND,
    "at_browser_close": lambda store: store.get_expire_at_browser_close(),
    "set_test_cookie": lambda store: store.set_test_cookie(),
    "test_cookie_worked": lambda store: store.test_cookie_worked(),
    "delete_test_cookie": delete_test_cookie,
}


# The middleware


def respond(case):
    """What the real middleware adds to the response to a request.

    With "left_alone" it is Django without what nobody asked for: only what the view does to the
    session counts as a change, and without one the middleware neither saves nor deletes anything.
    """
    set_site(case)
    for name, value in case["settings"].items():
        setattr(settings, name, value)
    environ = {"REQUEST_METHOD": "GET", "wsgi.input": BytesIO()}
    if case["cookies"] is not None:
        environ["HTTP_COOKIE"] = case["cookies"]
    answers, noted = [], {"accessed": False, "modified": False}

    def view(request):
        session = request.session
        if case["left_alone"]:
            # A cookie that is refused is replaced as soon as it is loaded: that is not a change.
            session.keys()
            session.accessed = session.modified = False
        for what, *arguments in case["steps"]:
            answers.append(dumps(STEPS[what](session, *arguments)))
        # Here, because the middleware's own saving is a change, too.
        noted.update(accessed=session.accessed, modified=session.modified)
        if case["left_alone"] and not session.modified:
            settings.SESSION_SAVE_EVERY_REQUEST = False
            # It deletes only a cookie that came.
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return HttpResponse(status=case["status"], headers=case["headers"])

    try:
        response = SessionMiddleware(view)(WSGIRequest(environ))
    except (AttributeError, TypeError, ValueError) as error:
        return {"raised": f"{type(error).__name__}: {error}", "modified": noted["modified"]}
    return {
        "answers": answers,
        **noted,
        # As WSGIHandler sends them.
        "set_cookie": [cookie.OutputString() for cookie in response.cookies.values()],
        "vary": response.headers.get("Vary"),
        "cache_control": response.headers.get("Cache-Control"),
    }


REQUESTS = {
    "about": about,
    "encode": encode,
    "make": make,
    "entries": entries,
    "judge": judge,
    "forge": forge,
    "same": same,
    "sign": sign,
    "separator": separator,
    "messages": messages,
    "expiry_set": expiry_set,
    "expiry_read": expiry_read,
    "story": story,
    "respond": respond,
}

if __name__ == "__main__":
    # The clock of signing, and that of the sessions.
    time.time = lambda: Clock.now
    logging.disable()  # every forged database row would be a warning
    django_timezone.now = lambda: EPOCH + round(Clock.now * 1000) * timedelta(milliseconds=1)
    main()
