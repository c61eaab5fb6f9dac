#!/usr/bin/env python3
"""Makes the first inputs of the targets from the test vectors: python3 fuzz/seeds.py DIRECTORY

`input.rs`, `made.rs` and `tree.rs` say how an input is taken apart.
"""

import base64
import hashlib
import json
import pathlib
import random
import struct
import sys

VECTORS = pathlib.Path(__file__).parent.parent / "tests/vectors"
LARGEST = 2048


def vectors(name):
    return json.loads((VECTORS / name).read_text())["vectors"]


def text(value):
    data = value.encode("utf-8", "replace")[:255]
    return bytes([len(data)]) + data


def number(value):
    return b"\3" + struct.pack("<q", value)


def tree(value):
    match value:
        case None:
            return b"\0"
        case bool():
            return bytes([1, value])
        case int():
            return b"\2" + number(max(-(1 << 63), min(value, (1 << 63) - 1)))
        case float():
            return b"\4\3" + struct.pack("<d", value)
        case str():
            return b"\5" + text(value)
        case list():
            return bytes([6, len(value[:7])]) + b"".join(map(tree, value[:7]))
        case dict():
            entries = list(value.items())[:7]
            return bytes([7, len(entries)]) + b"".join(text(k) + tree(v) for k, v in entries)


def payload(spelling):
    """A payload as it stands and, where that can be, by what is encoded in it."""
    zipped = spelling.startswith(".")
    yield bytes([4 if zipped else 3]) + spelling.removeprefix(".").encode()
    try:
        data = base64.urlsafe_b64decode(spelling.removeprefix(".") + "==")
        yield bytes([2 if zipped else 0]) + data
    except ValueError:
        pass


def seeds():
    for vector in vectors("decode.json"):
        token = vector["token"]
        yield "raw", token.encode("utf-8", "replace")
        yield "naive", b"\0\1" + token.encode("utf-8", "replace")
        if token.count(":") < 2:
            continue
        body, stamp, _ = token.rsplit(":", 2)
        stamp = b"\3" + text(stamp)
        for data in payload(body):
            yield "signed", b"\0\0\1" + stamp + data
            yield "naive", b"\2\0\0" + stamp + data
            yield "tamper", b"\0" + b"\3\0\1\0" + b"\0" + text("A") + b"\0\1" + stamp + data
    for vector in vectors("encode.json"):
        if "json" not in vector:
            continue
        try:
            value = json.loads(vector["json"])
        except ValueError:
            continue
        yield "json", number(0x3FC00000) + tree(value)
        yield "naive", b"\1" + text("secret") + text("salt") + number(1700000000) + text("v") + tree(value)
        if isinstance(value, dict):
            entries = [b"\0\0" + text(key) + tree(item) for key, item in value.items()]
            yield "round_trip", b"".join(entries)
    for vector in vectors("expiry.json"):
        stored = vector["stored"]
        if stored is None:
            continue
        claim = b'{"_session_expiry":' + stored.encode() + b"}"
        yield "signed", b"\0\0\1" + b"\0" + b"\0" + claim
        if stored.startswith('"'):
            yield "numbers_and_dates", b"\3" + json.loads(stored).encode("utf-8", "replace")
        else:
            yield "numbers_and_dates", b"\5" + number(300) + stored.encode()
    for seconds in (0, 1, 61, 62, -1, 1700000000, 253402300799, 1 << 31):
        yield "numbers_and_dates", b"\0" + number(seconds) + number(60)
        yield "numbers_and_dates", b"\2\x80" + number(seconds) + number(1000000000)
        yield "numbers_and_dates", b"\4" + number(seconds) + number(500000000)
    for stamp in ("1r31eq", "0", "00", "-1", "", "4cCh5j", "zzzzzzz", "1:r"):
        yield "numbers_and_dates", b"\1" + stamp.encode()
    for spelling in (b"1e-10", b"-1e-10", b"0.0", b"-0", b"1.5", b"1e300", b"99999999999999999999"):
        yield "numbers_and_dates", b"\5" + number(300) + spelling
    for secret in (b"", b" \t", b"\xc2\xa0", b"\xff", b"django-insecure-" + b"x" * 32, b"example-only-k"):
        yield "naive", b"\1" + bytes([len(secret)]) + secret + text("~:") + number(0) + text("v") + tree({"a": "b"})
    for count in range(2, 40):
        yield "naive", b"\1" + text("secret") + text("salt") + number(0) + text("v") + tree({"a": "x" * count})
    for header in (b"\1; s=1234567", b"s=12345678", b"s=1234567", b"\1", b"\2", b"a=b; \1; c=d", b"\1\n\2", b"\1; \1", b"sessionid=; \1", b"\t\1\t;s=", b"\1;" * 17):
        yield "cookie", b"\1\0" + header
    for flags in (b"\0\0\0", b"\0\0\1", b"\1\1\0"):
        for value in (b"v", b"a;b", b'"', b"a,b", b"\xc3\xa9", b"a b"):
            yield "cookie", b"\0\0" + text("id") + b"\0\0" + flags + b"\1\0" + number(0) + value
            yield "cookie", b"\0\2" + text("id") + b"\0\0" + flags + b"\0\1" + number(-5) + number(9) + value
    options = text("id") + b"\1" + text("/a") + b"\1" + text(".a.example") + b"\1\1\0\1" + b"\1"
    yield "cookie", b"\0\0" + options + number(3600) + number(1700000000) + b"e30:1r31eq:sig"
    settings = [b"\0\0\0\0\0\0", b"\1\0\1\1\1\0", b"\0\1\0\1\0\1", b"\1\1\1\1\1\2"]
    login = b"\0\0\0\0" + b"\1\2\0" + tree(42) + b"\0"
    visit = b"\5\1\0\0" + b"\1\0\3" + b"\0"
    logout = b"\3\1\1\0" + b"\1\0\5" + b"\0"
    forged = b"\2\1\0\3" + b"\7\0" + b"\1\0\3" + b"\0"
    days = b"\24\1\0\0"  # twelve of them
    for setting in settings:
        clear = days + b"\1\0\4" + b"\0"
        yield "story", setting + login + clear + (days + b"\1\0\3" + b"\0") * 3
        oversized = b"\0\0\0\2" + b"\1\0\13\377" + b"\0"
        yield "story", setting + login + oversized + visit
        yield "story", setting + login + visit + forged + visit + logout + visit
    yield from command_lines()
    yield from beside()
    yield from ended()


def beside():
    """What a Django left, or is left: `beside.rs` says in which order it is taken."""
    engine = {"SECRET_KEY": "k", "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}
    for value in (None, True, False, 0, 300, -1, "", "Lax", "none", "x;y", "/", [], ["k2"], [""], {}, {"hex": "6b"}, {"20": "notice"}):
        for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "SESSION_COOKIE_AGE", "SESSION_COOKIE_NAME",
                     "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY",
                     "SESSION_COOKIE_SAMESITE", "SESSION_SAVE_EVERY_REQUEST", "SESSION_EXPIRE_AT_BROWSER_CLOSE",
                     "SESSION_ENGINE", "SESSION_SERIALIZER", "MESSAGE_STORAGE", "MESSAGE_LEVEL", "MESSAGE_TAGS"):
            yield "beside", b"\0" + json.dumps(engine | {name: value}).encode()
    storages = "django.contrib.messages.storage."
    for storage in ("cookie.CookieStorage", "session.SessionStorage", "fallback.FallbackStorage"):
        yield "beside", b"\0" + json.dumps(engine | {"MESSAGE_STORAGE": storages + storage}).encode()
    for value in ("v", "a b", 'a"b', "a\\b", "\u00e9", "\u20ac", "a;b,c", "\n", '"', '"\\073"', '"\\', "v:1r31eq:x"):
        yield "beside", b"\1" + text("") + b"\0" + value.encode()
        yield "beside", b"\1" + text("s") + b"\1" + value.encode()
    for storage in range(3):
        for times in (0, 1, 7):
            row = b"\1" + number(25) + text("Saved. " * 30) + b"\1" + text("cart") + bytes([times])
            yield "beside", bytes([2, storage]) + row * (1 + times)
        for rows in ("[]", '[["__json_message",0,20,"a"]]', '[["__json_message",1,20,"a","b"],"__messagesnotfinished__"]',
                     '[["__json_message",0,20,"a",null],{"a":[1]},3]', '[["__json_message",2,20,"a"]]', "{}", "[", '"a"'):
            for left in (b"\0", b"\1" + text(rows), b"\1" + text("")):
                for shown in (b"\0", b"\1"):
                    yield "beside", bytes([3, storage]) + shown + left + b"\0" + rows.encode()
                    yield "beside", bytes([3, storage]) + shown + left + b"\1" + rows.encode()
        # More than a cookie has room for.
        noise = random.Random(storage)
        texts = ["".join(noise.choices("".join(map(chr, range(0x80, 0x800))), k=120)) for _ in range(7)]
        rows = [b"\0" + number(level) + text(words) + b"\0\1" for level, words in zip((10, 20, 25, 30, 40, 50, 0), texts)]
        yield "beside", bytes([2, storage]) + b"".join(rows)
        texts = ["".join(noise.choices("".join(map(chr, range(0x23, 0x5C))), k=150)) for _ in range(12)]
        for rows in (texts, [["__json_message", 0, 20, words] for words in texts[:11]]):
            yield "beside", bytes([3, storage]) + b"\0\0\0" + json.dumps(rows, separators=(",", ":")).encode()
    who = b"\4" + text("42") + text("django.contrib.auth.backends.ModelBackend") + text("pbkdf2_sha256$1$s$h")
    yield "beside", who
    for stored in ("1", '"1"', "42", '"42"', "-1", "1.5", "null", "true", '""', "[]", '"\\ud800"'):
        yield "beside", who + (b"\1" + text(stored)) * 4
        yield "beside", who + b"\1" + text("42") + b"\1" + text(stored) + b"\0\1" + text(stored)


def ended():
    """What processes tell each other: `ended.rs` says how each act is taken."""
    noise = random.Random(16)

    def act(*bytes_of):
        return bytes(bytes_of)

    def thing(kind=None, subject=None, anchor=None):
        anchor = noise.randrange(8) if anchor is None else anchor
        place = struct.pack("<H", noise.randrange(64)) if anchor > 5 else b""
        kind = noise.randrange(4) if kind is None else kind
        subject = noise.randrange(5) if subject is None else subject
        return act(kind, subject << 4, anchor) + place + act(noise.choice((0, 32, 224)), noise.randrange(4))

    def any_act():
        what, place = noise.choice((0, 1, 2, 3, 3, 4, 6, 7)), noise.randrange(3)
        match what:
            case 4:
                return act(4, place, noise.randrange(3)) + struct.pack("<H", noise.randrange(9))
            case 6:
                return act(6, place, noise.randrange(7))
            case _:
                return act(what, place) + thing()

    for lifetime in range(4):
        for length in (1, 2, 3, 5, 8, 13, 21, 34):
            yield "ended", act(0, lifetime, length) + b"".join(any_act() for _ in range(length))
        for anchor in range(6):
            for kind in range(3):
                told = act(0, 0) + thing(kind, 0, anchor) + act(0, 1) + thing(kind, 0, anchor)
                shown = act(7, 0) + thing(0, 0, anchor) + act(7, 1) + thing(0, 0, 6)
                yield "ended", act(0, lifetime, 0) + told + shown + told + act(6, 0, noise.randrange(7)) + shown
        # A thousand logouts of one subject, in either order, before and after an end of all.
        for step in range(4):
            burst = act(5, 0) + thing(0, 0, 4) + act(31, step)
            end = act(3, 1) + thing(1, 0, 0)
            shown = act(7, 0) + thing(0, 0, 4)
            # So many that they are a cut-off, on clocks that are ahead: an end of all is later still.
            ahead = act(5, 0) + thing(0, 0, noise.choice((1, 5))) + act(31, step)
            yield "ended", act(0, lifetime, 0) + ahead + act(3, 0) + thing(2, 0, 0) + shown
            for order in ((burst, shown, burst, shown), (end, burst, shown), (burst, end, shown), (burst, act(4, 1, 0, 0, 0), burst)):
                yield "ended", act(0, lifetime, 0) + b"".join(order)
    # A login, what ends it, and another; with clocks in either order, in one process and in two.
    for clocks in ((0, 0, 0), (255, 0, 128), (0, 255, 128)):
        for what in (2, 3, 4, 5, 6, 7, 8):
            for there in range(2):
                for aloof in (0, 0x80):
                    second = act(what | aloof, there, 0, 0, 0) + act(0) * (what == 7)
                    then = act(9, 0, 0, 0, 0) + act(9, 1, 0, 0, 0) + act(0, there, 0, 0, 0)
                    wait = act(10, 0, 0, 0, 0, noise.randrange(7))
                    yield "ended", act(2, *clocks) + act(0, 0, 0) + second + wait + then + second + then
        for length in (5, 10, 20, 40):
            acts = (noise.randrange(11) | noise.choice((0, 0, 0x80)) for _ in range(length))
            acts = (act(what, noise.randrange(3), noise.randrange(2)) + struct.pack("<H", noise.randrange(32))
                    + act(noise.randrange(7)) * (what & 0x7F in (7, 10)) for what in acts)
            yield "ended", act(2, *clocks) + act(0, 0, 0) + b"".join(acts)
    session = "AAYKH1N00AAAAAAAAAAAAA"
    for line in ('{"v":1,"subject":"42","session":"%s"}' % session, '{"v":1,"subject":"42","by":1764158824123456}',
                 '{"v":1,"by":1764158824123456}', '{"v":1,"v":1,"by":1}', '{"v":2,"by":1}', '{"v":1,"by":-1}', '{"v":1}',
                 '{"v":1,"by":0}', '{"v":1,"by":1.0}', '{"v":1,"by":9223372036854775807}', '{"v":1,"by":1,"session":"%s"}' % session,
                 '{"v":1,"session":"%s"}' % session, '{"v":1,"subject":"","by":1}', '{"v":1,"subject":42,"by":1}',
                 '{"v":1,"by":1,"ttl":60}', '{"v":1,"subject":"\\ud800","by":1}', ' { "by" : 1 , "\\u0076" : 1 } ', "[1,1]", "", "{}"):
        yield "ended", act(3, 1) + line.encode()
    field = lambda name, what, subject="", more=b"": act(name, what) + text(subject) + more
    for what in range(16):
        for tail in (act(0, 0, 0), act(0, 1, 2), act(0, 2, 3), act(4, 0, 0), act(7, 0, 0, 0), act(3, 0, 0)):
            one = act(3, 0, 3) + field(0, 0) + field(1, 0, "42") + field(2, what, "", act(noise.randrange(8)) * (what == 15))
            many = act(3, 0, 3) + field(0, 0) + field(1, what, "x" * noise.choice((1, 254, 255))) + field(3, 0, "", number(1 << 50))
            all_ = act(3, 0, 2) + field(3, what, "", number(1 << 50)) + field(0, noise.choice((0, 0, 14)))
            yield from (("ended", line + tail) for line in (one, many, all_))


def command_lines():
    """What the program is told: `command_line.rs` has the lists in which these numbers are places."""

    def call(command, fed, options=b"", count=0, by_argument=True):
        return "command_line", bytes([command, count]) + options + bytes([by_argument]) + fed

    header, quote, percent = b"\4\2" + b"\4\1", b"\4\5", b"\3"
    for command in range(7):
        for token in range(10):
            whole = bytes([0, token])
            yield call(command, whole)
            yield call(command, whole, by_argument=False)
            yield call(command, bytes([2, token, 9, 0, 65]))
            yield call(command, header + whole + b"\4\4" + b"\4\1" + b"\0\6")
            yield call(command, quote + percent + bytes([token]) + quote)
        for name, values in enumerate((3, 4, 6, 5, 5, 3, 3, 4, 4, 3, 2, 0, 0, 0, 0)):
            for value in range(max(values, 1)):
                picked = bytes([name] + [1] * (values > 0 and name != 2) + [value] * (values > 0))
                for token in (0, 3, 4):
                    yield call(command, bytes([0, token]), picked, 1)
            yield call(command, b"\0\0", bytes([name, 0]) + text("\33[2J"), 1)
    lines = b"".join(bytes([0, token]) + b"\4\0" for token in range(10))
    for options, count in ((b"", 0), (b"\1\1\1", 1), (b"\1\1\1" + b"\11\1\1" + b"\16", 3)):
        yield call(0, lines, options, count, by_argument=False)
        yield call(2, lines, options, count, by_argument=False)
    for written in (b"{}", b'{"user":"\xc3\xa9\x7f"}', b'{ "a" : [1.50, 1e400] }', b"[1]", b"1", b"no", b'"\\ud800"'):
        fed = b"\5" + bytes([len(written)]) + written
        for options, count in ((b"", 0), (b"\2\1", 1), (b"\2\5" + b"\13", 2), (b"\15", 1)):
            yield call(5, fed, options, count)
        yield call(6, fed)
        yield call(6, fed, b"\14", 1)
    for words in ("", "--help", "--version", "decode\n--help", "man", "man\ndecode", "man\n\33", "completions\nzsh",
                  "keygen", "nothing", "decode\n--at\nx", "explain\n--\n-x", "encode\n{}", "\33[2J"):
        yield "command_line", b"\7" + words.encode()


def main(directory):
    for target, data in seeds():
        if len(data) <= LARGEST:
            path = pathlib.Path(directory) / target
            path.mkdir(parents=True, exist_ok=True)
            (path / hashlib.sha1(data).hexdigest()).write_bytes(data)


main(*sys.argv[1:])
