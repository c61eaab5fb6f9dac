"""The cases of `encode.json`: what is to be signed; the real Djangos supply the tokens."""

import json
import random
import struct
import zlib

import wire
from cases_decode import DEFAULT_SALT, NOW, OTHER, SECRET

DEFAULT_SALT = DEFAULT_SALT | {
    "sign": wire.SIGNER,
    "sign_object": wire.SIGNER,
    "timestamp_sign": wire.TIMESTAMP_SIGNER,
}


def case(name, call, content, compress=None, **settings):
    """`content` is JSON text for the calls that sign objects, plain text for the others."""
    made = {
        "id": name,
        "call": call,
        "secret": SECRET,
        "salt": DEFAULT_SALT[call],
        "sep": ":",
        "algorithm": "sha256",
        "now": NOW,
    }
    if call in ("sign", "timestamp_sign"):
        made["text"] = content
    else:
        assert wire.dumps(json.loads(content)) == content, content
        made["json"] = content
        made["compress"] = call == "session" if compress is None else compress
    return made | settings


def every_case():
    for family in (
        documented,
        floats,
        integers,
        strings,
        shapes,
        compression,
        logins,
        signers,
        signed_cookies,
        messages,
    ):
        yield from family()


def documented():
    for name, value in [
        ("an-empty-session", {}),
        ("a-session-with-a-user", {"user_id": 42}),
        ("a-session-with-escapes", {"k": '\u00e9\u20ac\U0001f600\x7f"\\/\n'}),
        ("a-session-with-floats", {"f": [1.0, 1e16, 1e-5, -0.0]}),
        ("a-compressed-session", {"a": "x" * 200}),
        ("a-session-with-its-own-expiry", {"a": 1, "_session_expiry": 300}),
    ]:
        yield case(name, "session", wire.dumps(value))
    yield case("the-output-of-dumps", "loads", '{"a":1}')
    yield case("database-session-data", "loads", '{"a":1}', compress=True, salt=wire.DB_SESSION)
    yield case("a-plain-signature", "sign", "hello")
    yield case("a-stamped-signature", "timestamp_sign", "hello")


def floats():
    for name, number in [
        ("zero", 0.0),
        ("minus-zero", -0.0),
        ("one", 1.0),
        ("a-tenth", 0.1),
        ("a-third", 1 / 3),
        ("a-sum-that-is-off", 0.1 + 0.2),
        ("nine-digits-and-three", 123456789.123),
        ("1e15", 1e15),
        ("just-below-1e16", 9999999999999998.0),
        ("1e16", 1e16),
        ("just-above-1e16", 1.0000000000000002e16),
        ("minus-1e16", -1e16),
        ("1e17", 1e17),
        ("1e21", 1e21),
        ("1e22", 1e22),
        ("1e23", 1e23),
        ("1e100", 1e100),
        ("1e-4", 1e-4),
        ("just-below-1e-4", 9.999999999999999e-05),
        ("just-above-1e-4", 1.0000000000000002e-4),
        ("1e-5", 1e-5),
        ("1e-7", 1e-7),
        ("1e-10", 1e-10),
        ("1e-100", 1e-100),
        ("two-to-the-53", 2.0**53),
        ("two-to-the-53-and-two", 2.0**53 + 2),
        ("two-to-the-63", 2.0**63),
        ("two-to-the-64", 2.0**64),
        ("the-smallest", 5e-324),
        ("the-smallest-normal", 2.2250738585072014e-308),
        ("the-largest-subnormal", 2.225073858507201e-308),
        ("the-largest", 1.7976931348623157e308),
        ("minus-the-largest", -1.7976931348623157e308),
        ("one-and-an-epsilon", 1.0000000000000002),
        ("an-exponent-of-300", 1.5e300),
        ("a-shortest-that-is-hard", 9007199254740993.0),
        ("another-that-is-hard", 2.98023223876953125e-8),
        ("pi", 3.141592653589793),
    ]:
        yield case(f"the-float-{name}", "session", wire.dumps({"f": number}))
    # A fixed seed over all bit patterns: every exponent is as likely as another.
    dice = random.Random(20231114)
    for row in range(1, 7):
        drawn = []
        while len(drawn) < 12:
            number = struct.unpack("<d", dice.getrandbits(64).to_bytes(8, "little"))[0]
            if abs(number) < float("inf"):  # neither infinite nor NaN
                drawn.append(number)
        yield case(f"random-floats-{row}", "session", wire.dumps({"f": drawn}))
    for row in range(1, 3):
        yield case(
            f"random-everyday-floats-{row}",
            "session",
            wire.dumps(
                {"f": [dice.randrange(-(10**9), 10**9) / 10 ** dice.randrange(0, 14) for _ in range(12)]}
            ),
        )


def integers():
    for digits in (1, 2, 9, 10, 15, 16, 17, 19, 20, 21, 30, 40):
        yield case(
            f"an-integer-of-{digits}-digits",
            "session",
            wire.dumps({"i": int("1234567890123456789012345678901234567890"[:digits])}),
        )
    edges = [
        0,
        -1,
        2**31 - 1,
        -(2**31),
        2**32,
        2**53,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        2**63,
        2**64 - 1,
        2**64,
        -(2**64),
        10**40 - 1,
    ]
    yield case("integers-at-the-edges-of-their-types", "session", wire.dumps({"i": edges}))


def strings():
    for name, text in [
        ("the-empty-string", ""),
        ("all-control-characters", "".join(map(chr, range(0x20)))),
        ("the-delete-character", "\x7f"),
        ("the-c1-controls", "".join(map(chr, range(0x80, 0xA0)))),
        ("every-printable-ascii-character", "".join(map(chr, range(0x20, 0x7F)))),
        ("quotes-backslashes-and-slashes", '"\\/'),
        ("latin-1-letters", "\u00e9\u00ff\u00c0"),
        ("the-euro-sign", "\u20ac"),
        ("an-emoji", "\U0001f600"),
        ("a-family-of-joined-emoji", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("the-first-and-the-last-astral-character", "\U00010000\U0010ffff"),
        ("the-last-of-the-bmp", "\uffff\ufffd\ufeff"),
        ("line-and-paragraph-separators", "\u2028\u2029"),
        ("a-lone-high-surrogate", "\ud800"),
        ("a-lone-low-surrogate", "\udfff"),
        ("surrogates-in-the-wrong-order", "\udc00\ud800"),
        ("markup", "</script><!-- &amp; -->"),
        ("what-looks-like-an-escape", "\\u0041\\n"),
    ]:
        yield case(f"a-string-of-{name}", "session", wire.dumps({"s": text}))
    yield case("a-key-outside-ascii", "session", wire.dumps({"cl\u00e9 \U0001f511": 1}))
    yield case("a-key-of-control-characters", "session", wire.dumps({'\0\n\x7f"': 1}))
    yield case("an-empty-key", "session", wire.dumps({"": {"": ""}}))


def shapes():
    for name, value in [
        ("literals", {"t": True, "f": False, "n": None}),
        ("empty-containers", {"o": {}, "l": [], "s": ""}),
        ("keys-out-of-order", {"z": 1, "a": 2, "m": 3, "B": 4}),
        ("keys-that-look-like-numbers", {"10": 1, "9": 2, "01": 3}),
        ("a-mixed-list", {"l": [1, 1.0, "1", None, True, [], {}]}),
        ("objects-in-lists-in-objects", {"a": [{"b": [{"c": [{"d": None}]}]}]}),
    ]:
        yield case(name, "session", wire.dumps(value))
    for depth in (50, 127, 128, 129, 300):
        yield case(f"lists-{depth}-deep", "session", '{"d":' + "[" * depth + "]" * depth + "}")
    for name, value in [("a-list", [1, "two", 3.0]), ("a-string", "text"), ("a-number", 7), ("null", None)]:
        yield case(f"an-object-call-with-{name}", "loads", wire.dumps(value))


def compression():
    # Compressed if len(z) < len(json) - 1. Random letters and a growing run of one letter cross that
    # line in steps; one case is kept for each distance from it.
    def gain(text):
        return len(text) - len(zlib.compress(text.encode()))

    names = {
        0: "saves-nothing",
        1: "saves-one-byte-which-the-dot-eats",
        2: "saves-two-bytes-the-least-that-pays",
        3: "saves-three-bytes",
        -1: "costs-a-byte",
    }
    dice, found = random.Random(1), {}
    while len(found) < len(names):
        letters = "".join(dice.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(24))
        text = wire.dumps({"a": letters + letters[0] * dice.randrange(30)})
        if gain(text) in names:
            found.setdefault(gain(text), text)
    for saved, name in sorted(names.items()):
        yield case(f"compression-that-{name}", "session", found[saved])
        yield case(f"compression-that-{name}-switched-off", "loads", found[saved], compress=False)
    hexadecimal = random.Random(2).getrandbits(4000).to_bytes(500, "big").hex()
    for name, value in [
        ("a-long-run", {"a": "x" * 5000}),
        ("a-long-list", {"l": list(range(300))}),
        ("many-like-rows", {"rows": [{"id": n, "name": f"row {n}", "done": n % 3 == 0} for n in range(40)]}),
        ("hexadecimal-noise", {"h": hexadecimal}),
        (
            "noise-that-deflate-cannot-shrink",
            {"n": "".join(random.Random(3).choice("".join(map(chr, range(0x23, 0x5B)))) for _ in range(12))},
        ),
        ("a-text", {"t": "the quick brown fox jumps over the lazy dog and the lazy dog does not mind " * 6}),
    ]:
        yield case(f"compression-of-{name}", "session", wire.dumps(value))
        yield case(f"compression-of-{name}-switched-off", "loads", wire.dumps(value), compress=False)


def logins():
    login = {
        "_auth_user_id": "42",
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": "c4b1f0a2f6c4b70a3e0d3f2a8a3e6b9a7f1c2d4e5b60718293a4b5c6d7e8f901",
    }
    for name, value in [
        ("a-login", login),
        ("a-login-with-a-language", login | {"_language": "fr"}),
        ("a-login-until-the-browser-closes", login | {"_session_expiry": 0}),
        ("a-login-until-a-date", login | {"_session_expiry": "2030-01-01T00:00:00+00:00"}),
        ("a-csrf-token", {"_csrftoken": "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"}),
        ("a-test-cookie", {"testcookie": "worked"}),
        (
            "a-cart",
            login
            | {
                "cart": {
                    "items": [
                        {"sku": "AB-1", "qty": 2, "price": 19.99},
                        {"sku": "CD-2", "qty": 1, "price": 5.0},
                    ],
                    "coupon": None,
                }
            },
        ),
    ]:
        yield case(name, "session", wire.dumps(value))
    for name, now in [
        ("at-the-epoch", 0),
        ("a-second-past-the-epoch", 1),
        ("in-2038", 2**31),
        ("with-half-a-second", NOW + 0.5),
        ("just-before-the-next-second", NOW + 0.999),
        ("in-3769", 62**6),
        ("in-the-last-second-of-9999", wire.LAST_SECOND),
    ]:
        yield case(f"a-session-signed-{name}", "session", '{"a":1}', now=now)


def signers():
    for algorithm in ("sha384", "sha512"):
        yield case(f"a-plain-signature-with-{algorithm}", "sign", "hello", algorithm=algorithm)
        yield case(f"a-stamped-signature-with-{algorithm}", "timestamp_sign", "hello", algorithm=algorithm)
        yield case(f"a-signed-object-with-{algorithm}", "sign_object", '{"a":1}', algorithm=algorithm)
    for name, sep in [
        ("a-dot", "."),
        ("two-colons", "::"),
        ("a-letter-outside-ascii", "\u00e9"),
        ("a-space", " "),
    ]:
        yield case(f"{name}-for-a-separator", "timestamp_sign", "hello", sep=sep)
    for name, text in [
        ("nothing", ""),
        ("separators", "a:b::c"),
        ("letters-outside-ascii", "\u00e9\u20ac\U0001f600"),
        ("a-line-feed", "one\ntwo"),
    ]:
        yield case(f"a-plain-signature-of-{name}", "sign", text)
        yield case(f"a-stamped-signature-of-{name}", "timestamp_sign", text)
    for name, secret in [
        ("bytes", b"\xff\xfe\x00\x80 and then some more bytes"),
        ("letters-outside-ascii", "caf\u00e9 au lait, long enough"),
        ("line-feeds", "first line\nsecond line\n"),
        ("more-than-a-hash-block", "a secret longer than one block " * 8),
        ("another-kind", OTHER),
    ]:
        yield case(f"a-session-under-a-secret-of-{name}", "session", '{"a":1}', secret=secret)
    yield case("a-salt-outside-ascii", "timestamp_sign", "hello", salt="s\u00e4lt \U0001f600")
    yield case("a-signed-object", "sign_object", '{"a":1}')
    yield case("a-signed-object-compressed", "sign_object", wire.dumps({"a": "x" * 100}), compress=True)


def signed_cookies():
    # Pairs whose name + salt read the same: the old salt cannot tell them apart, the new one does.
    for name, salt, text in [
        ("c", "", "v"),
        ("c", "s", "v"),
        ("cs", "", "v"),
        ("ab", "c", "collides"),
        ("a", "bc", "collides"),
        ("abc", "", "collides"),
        ("user", "12", "42"),
        ("user1", "2", "42"),
        ("sessionid", "django", "a:b c"),
        ("theme", "", ""),
        ("lang", "\u00e9\u20ac", "fran\u00e7ais"),
        ("v", ":1:", "odd salts"),
    ]:
        spelled = (
            "".join(c if c.isalnum() and c.isascii() else f"-{ord(c):x}-" for c in salt).strip("-") or "none"
        )
        yield {
            "id": f"a-signed-cookie-{name}-with-salt-{spelled.lower()}".replace("--", "-"),
            "call": "signed_cookie",
            "secret": SECRET,
            "name": name,
            "cookie_salt": salt,
            "now": NOW,
            "text": text,
        }


def messages():
    for name, rows in [
        ("one-message", [["__json_message", 0, 20, "Saved."]]),
        (
            "messages-of-every-level-and-tags",
            [["__json_message", 0, level, f"level {level}", "extra"] for level in (10, 20, 25, 30, 40)],
        ),
        (
            "a-safe-message-outside-ascii",
            [["__json_message", 1, 25, "<b>d\u00e9j\u00e0 vu</b> \U0001f600", ""]],
        ),
        ("messages-cut-off", [["__json_message", 0, 30, "x" * 120], "__messagesnotfinished__"]),
    ]:
        yield {
            "id": name,
            "call": "messages",
            "secret": SECRET,
            "salt": wire.MESSAGES,
            "now": NOW,
            "json": wire.dumps(rows),
        }
