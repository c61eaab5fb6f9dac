"""The wire format in plain Python: signs the cases and says what this library must answer.

Nothing here imports Django, on purpose. The cases are signed and answered from this page, then
judged by real Djangos; where the two disagree, `make.py` stops unless the difference is a listed one.
"""

import base64
import hashlib
import hmac
import json
import re
import zlib

SESSION = "django.contrib.sessions.backends.signed_cookies"
DB_SESSION = "django.contrib.sessions.SessionStore"
DUMPS = "django.core.signing"
SIGNER = "django.core.signing.Signer"
TIMESTAMP_SIGNER = "django.core.signing.TimestampSigner"
MESSAGES = "django.contrib.messages"

MAX_SESSION_TOKEN = 4096
MAX_PAYLOAD = 65536
LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


# Encoding


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base62(number):
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return digits or "0"


def as_bytes(secret):
    return secret.encode() if isinstance(secret, str) else secret


def signature(value, secret, salt, algorithm="sha256"):
    key = hashlib.new(algorithm, salt.encode() + b"signer" + as_bytes(secret)).digest()
    return b64(hmac.new(key, value.encode(), algorithm).digest())


def sign(value, secret, salt, sep=":", algorithm="sha256"):
    return value + sep + signature(value, secret, salt, algorithm)


def dumps(value):
    return json.dumps(value, separators=(",", ":"))


def plain(data):
    return b64(data if isinstance(data, bytes) else data.encode("ascii"))


def deflated(data, tail=b"", **options):
    """A compressed payload, whether or not it pays; `tail` goes behind the zlib stream."""
    compressor = zlib.compressobj(**options)
    data = data if isinstance(data, bytes) else data.encode("ascii")
    return "." + b64(compressor.compress(data) + compressor.flush() + tail)


def payload(value):
    """The payload as Django writes it: compressed if that saves more than the dot costs."""
    data = dumps(value)
    return deflated(data) if len(zlib.compress(data.encode())) < len(data) - 1 else plain(data)


# Decoding


class Refused(Exception):
    """Carries the status of a token that is not accepted."""


def decode(case):
    """This library's verdict under its Django rule, as the vectors spell it."""
    try:
        return {"status": "ok", **accept(case)}
    except Refused as refusal:
        return {"status": str(refusal)}


def accept(case):
    call, token, sep = case["call"], case["token"], case["sep"]
    if call == "session" and len(token.encode()) > MAX_SESSION_TOKEN:
        raise Refused("too_long")
    if sep not in token:
        raise Refused("malformed")
    value, given = token.rsplit(sep, 1)
    for key_index, secret in enumerate([case["secret"], *case["fallbacks"]]):
        if given == signature(value, secret, case["salt"], case["algorithm"]):
            break
    else:
        raise Refused("bad_signature")

    signed_at = None
    if call in ("session", "loads", "timestamp_unsign"):
        value, signed_at = stamp(value, sep)
        if case["max_age"] is not None and case["now"] - signed_at > case["max_age"]:
            raise Refused("expired")
    if call in ("unsign", "timestamp_unsign"):
        return {"text": value, "signed_at": signed_at, "key_index": key_index}
    text = compact(inflate(value))
    if call == "session" and not text.startswith("{"):
        raise Refused("not_an_object")
    return {"json": text, "signed_at": signed_at, "key_index": key_index}


def stamp(value, sep):
    value, found, digits = value.rpartition(sep)
    if not found or not re.fullmatch("[0-9A-Za-z]+", digits):
        raise Refused("bad_timestamp")
    number = 0
    for digit in digits:
        number = number * 62 + DIGITS.index(digit)
    if number > LAST_SECOND:
        raise Refused("bad_timestamp")
    return value, number


def inflate(text):
    compressed = text.startswith(".")
    text = text[compressed:]
    if not re.fullmatch("[0-9A-Za-z_-]*", text) or len(text) % 4 == 1:
        raise Refused("base64")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise Refused("base64")
    if compressed:
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(data, MAX_PAYLOAD + 1)
        except zlib.error:
            raise Refused("zlib") from None
        if len(data) <= MAX_PAYLOAD and (not stream.eof or stream.unused_data):
            raise Refused("zlib")
    if len(data) > MAX_PAYLOAD:
        raise Refused("too_large")
    return data


STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"'
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
TOKEN = re.compile(rf"[ \t\n\r]*({STRING}|{NUMBER}|true|false|null|[\[\]{{}}:,])[ \t\n\r]*")
CONTAINER = re.compile(r"\[(?:[sv](?:,[sv])*)?\]|\{(?:s:[sv](?:,s:[sv])*)?\}")


def compact(data):
    """The JSON text without the whitespace between its tokens, each token spelled as it came.

    Checked without a parser, because Python's is no judge here: it takes NaN, and gives up on long
    integers and deep nesting. Strings become `s`, other scalars `v`; then the innermost containers
    are folded into `v` until one value is left.
    """
    if not data.isascii():
        raise Refused("json")
    text, at, tokens = data.decode("ascii"), 0, []
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Refused("json")
        tokens.append(match[1])
        at = match.end()
    shape = "".join(t if t in "[]{}:," else "s" if t[0] == '"' else "v" for t in tokens)
    folds = 1
    while folds:
        shape, folds = CONTAINER.subn("v", shape)
    if shape not in ("s", "v"):
        raise Refused("json")
    return merged("".join(tokens))


def merged(text):
    """Writes an object with doubled keys as Python's dict keeps it: first place, last value."""
    doubled = False

    def watch(pairs):
        nonlocal doubled
        kept = dict(pairs)
        doubled = doubled or len(kept) < len(pairs)
        return kept

    try:
        value = json.loads(text, object_pairs_hook=watch)
    except (RecursionError, ValueError):
        return text  # too deep or too long for Python; no case doubles a key there
    return dumps(value) if doubled else text
