"""The cases of `decode.json`: each a call, a token, and the verdict its author expects.

`want` is written down by hand for every family; `make.py` checks it against the plain reading of
the rules in `wire.py` and against the real Djangos.
"""

import base64
import gzip
import zlib

import wire

NOW = 1700000000
SECRET = "test-secret-key-0123456789"
OTHER = "another-secret-key-9876543210"
TWO_WEEKS = 1209600

DEFAULT_SALT = {
    "session": wire.SESSION,
    "loads": wire.DUMPS,
    "unsign": wire.SIGNER,
    "unsign_object": wire.SIGNER,
    "timestamp_unsign": wire.TIMESTAMP_SIGNER,
}


def case(name, call, token, want, difference=None, **settings):
    made = {
        "id": name,
        "call": call,
        "secret": SECRET,
        "fallbacks": [],
        "salt": DEFAULT_SALT[call],
        "sep": ":",
        "algorithm": "sha256",
        "now": NOW,
        "max_age": TWO_WEEKS if call == "session" else None,
        "token": token,
        "want": want,
        "difference": difference,
    }
    assert settings.keys() <= made.keys(), settings
    return made | settings


def signed(call, value, stamp=None, **settings):
    """Signs `value` for `call`; a stamp of None is today's, and False leaves it out."""
    secret = settings.get("secret", SECRET)
    salt = settings.get("salt", DEFAULT_SALT[call])
    sep = settings.get("sep", ":")
    if call in ("session", "loads", "timestamp_unsign") and stamp is not False:
        value += sep + (wire.base62(NOW) if stamp is None else stamp)
    return wire.sign(value, secret, salt, sep, settings.get("algorithm", "sha256"))


def session(value, **settings):
    return signed("session", wire.payload(value), **settings)


def every_case():
    for family in (
        documented,
        truncated,
        tampered,
        tampered_elsewhere,
        respelled_signature,
        respelled_token,
        separators_moved,
        parts_swapped,
        salts,
        keys,
        algorithms,
        rotation,
        secrets_of_every_kind,
        other_separators,
        values,
        stamps,
        ages,
        base64_oddities,
        zlib_oddities,
        json_accepted,
        json_refused,
        json_that_is_not_an_object,
        sizes,
        foreign,
    ):
        yield from family()


# Tokens that were published or written down


def documented():
    for name, token in [
        ("an-empty-session", "e30:1r31eq:ufsjZ_M_t9TvAww8rNZsRoJJf4FfU_u8-04_Nq3JZgo"),
        ("a-session-with-a-user", "eyJ1c2VyX2lkIjo0Mn0:1r31eq:LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw"),
        (
            "a-session-with-escapes",
            "eyJrIjoiXHUwMGU5XHUyMGFjXHVkODNkXHVkZTAwXHUwMDdmXCJcXC9cbiJ9:1r31eq:ki8RzTwC2ikXOayv5vIArz2m29vk7B5J1gSBocOvViA",
        ),
        (
            "a-session-with-floats",
            "eyJmIjpbMS4wLDFlKzE2LDFlLTA1LC0wLjBdfQ:1r31eq:S48Ei9MnMYJvpRkPejyJjEaBldTTM34DyvcnltgSQpo",
        ),
        (
            "a-compressed-session",
            ".eJyrVkpUslKqGCZAqRYAvw9f3A:1r31eq:UPk1FwLObkfI8NwvJ-TVYO9qfX0nf1iupZoqSOgRq8k",
        ),
        (
            "a-session-with-its-own-expiry",
            "eyJhIjoxLCJfc2Vzc2lvbl9leHBpcnkiOjMwMH0:1r31eq:kRIXEbCODdTME5G7gA6Rw6CAFcyuRk2gY9dXP9hvM84",
        ),
    ]:
        yield case(f"{name}-is-read", "session", token, "ok")
    hello, legacy_hello = (
        "hello:Fa9H2WtKYsp70zFqQDtTLLzlizNtsIO7AFtQFwWk4H8",
        "hello:EG3kecJUadq7pggcvd2Rq_jLNhU",
    )
    yield case("a-plain-signature-is-read", "unsign", hello, "ok")
    yield case("a-sha1-signature-of-old-is-refused", "unsign", legacy_hello, "bad_signature")
    yield case(
        "a-stamped-signature-is-read",
        "timestamp_unsign",
        "hello:1r31eq:_am2SjYNP2VC8b8JirFt--0kxsr2LEXOhrvsZFBtPQ8",
        "ok",
    )
    yield case(
        "the-output-of-dumps-is-read",
        "loads",
        "eyJhIjoxfQ:1r31eq:lAXsj4cmI50s_GvTV_8kqO4UXq4x7k0Daq66vpqZ2MI",
        "ok",
    )
    yield case(
        "database-session-data-is-read",
        "loads",
        "eyJhIjoxfQ:1r31eq:-erKf6X8XuUqGwrV8KEYexjqNCph05oz8-C135MZMYM",
        "ok",
        salt=wire.DB_SESSION,
    )
    cookie = {"secret": "django.http.cookies" + SECRET}
    for name, salt, token in [
        ("under-the-old-salt", "c", "v:1r31eq:Cm7o9sz86BeDfCfM3EcInzTXnx04u-KBCEpuGzf1tmA"),
        (
            "under-the-new-salt",
            "django.http.cookies.v2:0:c",
            "v:1r31eq:kS8mze1FjAniMxUYCqGauXqbHk6RqPqu47Z8lyh4lsY",
        ),
        ("with-its-own-salt-the-old-way", "cs", "v:1r31eq:pf6uJHL_CoGkOwkrpNumVIrT9QwNmuzWoymC2nIuRK0"),
        (
            "with-its-own-salt-the-new-way",
            "django.http.cookies.v2:1:sc",
            "v:1r31eq:79Jt-ZAhksj3Bg8naKyuPya3sTeSO1JRE9aHTRO_0DM",
        ),
    ]:
        yield case(f"a-signed-cookie-{name}-is-read", "timestamp_unsign", token, "ok", salt=salt, **cookie)
        yield case(
            f"a-signed-cookie-{name}-needs-its-key-prefix",
            "timestamp_unsign",
            token,
            "bad_signature",
            salt=salt,
        )
    yield case(
        "a-signed-cookie-is-not-read-under-a-colliding-salt",
        "timestamp_unsign",
        "v:1r31eq:kS8mze1FjAniMxUYCqGauXqbHk6RqPqu47Z8lyh4lsY",
        "bad_signature",
        salt="django.http.cookies.v2:1:c",
        **cookie,
    )
    yield case(
        "an-old-signed-cookie-is-not-read-under-the-new-salt",
        "timestamp_unsign",
        "v:1r31eq:Cm7o9sz86BeDfCfM3EcInzTXnx04u-KBCEpuGzf1tmA",
        "bad_signature",
        salt="django.http.cookies.v2:0:c",
        **cookie,
    )


# What happens on the way: cut, altered, re-spelled

PLAIN = session({"user_id": 42})  # eyJ1c2VyX2lkIjo0Mn0:1r31eq:LiU8YAv1...
DEFLATED = session({"a": "x" * 200})  # .eJyrVkpUslKqGCZAqRYAvw9f3A:1r31eq:UPk1FwLO...


def where(token, at):
    """Names a position by the part it falls in, for the ids."""
    stamp_at, signature_at = token.index(":"), token.rindex(":")
    if at in (stamp_at, signature_at):
        return "separator-before-the-" + ("stamp" if at == stamp_at else "signature")
    part, start = ("payload", 0) if at < stamp_at else ("stamp", stamp_at + 1)
    if at > signature_at:
        part, start = "signature", signature_at + 1
    return f"{part}-at-{at - start}"


def truncated():
    for length in (1, 2, 4, 12, 18, 19, 20, 21, 25, 26, 27, 28, 48, 66, 68, 69):
        want = "bad_signature" if ":" in PLAIN[:length] else "malformed"
        yield case(f"cut-off-after-{length}-characters", "session", PLAIN[:length], want)
    for length in (1, 2, 4, 18, 19, 20, 26, 27, 28, 69):
        want = "bad_signature" if ":" in PLAIN[length:] else "malformed"
        yield case(f"without-its-first-{length}-characters", "session", PLAIN[length:], want)
    for length in (1, 10, 27, 28, 34, 35, 60, 77):
        want = "bad_signature" if ":" in DEFLATED[:length] else "malformed"
        yield case(f"compressed-and-cut-off-after-{length}-characters", "session", DEFLATED[:length], want)


def tampered():
    spots = (0, 9, 18, 19, 20, 25, 26, 27, 48, 69)
    for at in spots:
        was, place = PLAIN[at], where(PLAIN, at)
        left, right = PLAIN[:at], PLAIN[at + 1 :]
        yield case(
            f"altered-in-the-{place}", "session", left + ("A" if was != "A" else "B") + right, "bad_signature"
        )
        yield case(
            f"one-bit-flipped-in-the-{place}", "session", left + chr(ord(was) ^ 4) + right, "bad_signature"
        )
        yield case(f"one-deleted-in-the-{place}", "session", left + right, "bad_signature")
        yield case(f"one-inserted-in-the-{place}", "session", left + "A" + was + right, "bad_signature")
        yield case(f"one-doubled-in-the-{place}", "session", left + was + was + right, "bad_signature")
        if right and right[0] != was:
            yield case(
                f"two-swapped-in-the-{place}", "session", left + right[0] + was + right[1:], "bad_signature"
            )
        if was.isalpha():
            yield case(
                f"case-changed-in-the-{place}", "session", left + was.swapcase() + right, "bad_signature"
            )
    for at in (0, 1, 8, 26, 28, 33, 35, 56, 77):
        altered = DEFLATED[:at] + ("A" if DEFLATED[at] != "A" else "B") + DEFLATED[at + 1 :]
        yield case(
            f"compressed-and-altered-in-the-{where(DEFLATED, at)}", "session", altered, "bad_signature"
        )
    payload, stamp, signature = PLAIN.split(":")
    yield case("marked-as-compressed-after-signing", "session", "." + PLAIN, "bad_signature")
    yield case("compression-mark-removed-after-signing", "session", DEFLATED[1:], "bad_signature")
    yield case("everything-in-upper-case", "session", PLAIN.upper(), "bad_signature")
    yield case("everything-in-lower-case", "session", PLAIN.lower(), "bad_signature")
    yield case("everything-reversed", "session", PLAIN[::-1], "bad_signature")
    yield case("said-twice", "session", PLAIN + PLAIN, "bad_signature")
    yield case("said-twice-with-a-separator-between", "session", PLAIN + ":" + PLAIN, "bad_signature")
    yield case(
        "the-user-promoted", "session", f"{wire.payload({'user_id': 1})}:{stamp}:{signature}", "bad_signature"
    )
    yield case(
        "the-stamp-moved-on-a-day",
        "session",
        f"{payload}:{wire.base62(NOW + 86400)}:{signature}",
        "bad_signature",
    )
    yield case(
        "the-stamp-written-with-a-leading-zero", "session", f"{payload}:0{stamp}:{signature}", "bad_signature"
    )
    yield case("the-stamp-removed-after-signing", "session", f"{payload}:{signature}", "bad_signature")
    yield case(
        "the-stamp-doubled-after-signing",
        "session",
        f"{payload}:{stamp}:{stamp}:{signature}",
        "bad_signature",
    )
    yield case("the-payload-emptied-after-signing", "session", f":{stamp}:{signature}", "bad_signature")


def tampered_elsewhere():
    tokens = {
        "loads": signed("loads", wire.payload({"a": 1})),
        "unsign": signed("unsign", "hello"),
        "timestamp_unsign": signed("timestamp_unsign", "hello"),
        "unsign_object": signed("unsign_object", wire.payload({"a": 1})),
    }
    for call, token in tokens.items():
        name, signature = call.replace("_", "-"), token.rindex(":") + 1
        yield case(f"{name}-refuses-an-altered-value", call, "A" + token[1:], "bad_signature")
        yield case(
            f"{name}-refuses-an-altered-start-of-the-signature",
            call,
            token[:signature] + "+" + token[signature + 1 :],
            "bad_signature",
        )
        yield case(f"{name}-refuses-an-altered-end-of-the-signature", call, token[:-1] + "!", "bad_signature")
        yield case(f"{name}-refuses-a-signature-cut-short", call, token[:-1], "bad_signature")
        yield case(f"{name}-refuses-an-empty-signature", call, token[:signature], "bad_signature")
        yield case(
            f"{name}-refuses-no-signature",
            call,
            token[: signature - 1],
            "bad_signature" if ":" in token[: signature - 1] else "malformed",
        )
        yield case(f"{name}-refuses-a-longer-signature", call, token + "A", "bad_signature")
        yield case(
            f"{name}-refuses-a-space-behind-the-value", call, token.replace(":", " :", 1), "bad_signature"
        )
        yield case(f"{name}-refuses-the-empty-string", call, "", "malformed")
        yield case(f"{name}-refuses-a-lone-separator", call, ":", "bad_signature")


def respelled_signature():
    body, signature = PLAIN.rsplit(":", 1)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 43 characters carry 258 bits for 256: four spellings of the last one decode to the same bytes.
    at = last.index(signature[-1])
    spellings = [s for s in (last[at | 1], last[at | 2], last[at | 3]) if s != signature[-1]]
    for number, spelling in enumerate(spellings, 1):
        yield case(
            f"the-signature-with-other-trailing-bits-{number}",
            "session",
            f"{body}:{signature[:-1]}{spelling}",
            "bad_signature",
        )
    # A token whose signature has both characters that the two base64 alphabets spell differently.
    both = "e30:1r31eq:ufsjZ_M_t9TvAww8rNZsRoJJf4FfU_u8-04_Nq3JZgo"
    for name, token in [
        ("in-the-standard-alphabet", both.replace("-", "+").replace("_", "/")),
        ("with-plus-for-minus", both.replace("-", "+")),
        ("with-slash-for-underscore", both.replace("_", "/")),
        ("in-standard-base64-with-padding", both.replace("-", "+").replace("_", "/") + "="),
        ("in-hexadecimal", f"{body}:{base64.urlsafe_b64decode(signature + '=').hex()}"),
        ("in-base32", f"{body}:{base64.b32encode(base64.urlsafe_b64decode(signature + '=')).decode()}"),
        ("encoded-twice", f"{body}:{wire.b64(signature.encode())}"),
        ("in-upper-case", f"{body}:{signature.upper()}"),
        ("in-lower-case", f"{body}:{signature.lower()}"),
        ("reversed", f"{body}:{signature[::-1]}"),
        ("cut-to-half", f"{body}:{signature[:21]}"),
        ("cut-to-sixteen-bytes", f"{body}:{signature[:22]}"),
        ("doubled", f"{body}:{signature}{signature}"),
        ("replaced-by-a", f"{body}:{'A' * 43}"),
        ("replaced-by-zeros", f"{body}:{'0' * 43}"),
        ("replaced-by-equals-signs", f"{body}:{'=' * 43}"),
        ("replaced-by-none", f"{body}:none"),
        ("replaced-by-its-length", f"{body}:43"),
    ]:
        yield case(f"the-signature-{name}", "session", token, "bad_signature")
    for name, before, after in [
        ("one-padding-character", "", "="),
        ("two-padding-characters", "", "=="),
        ("a-percent-encoded-padding", "", "%3D"),
        ("a-trailing-space", "", " "),
        ("a-leading-space", " ", ""),
        ("a-trailing-tab", "", "\t"),
        ("a-trailing-line-feed", "", "\n"),
        ("a-trailing-carriage-return-and-line-feed", "", "\r\n"),
        ("a-leading-line-feed", "\n", ""),
        ("a-trailing-nul", "", "\0"),
        ("a-leading-nul", "\0", ""),
        ("quotes", '"', '"'),
        ("single-quotes", "'", "'"),
        ("a-trailing-semicolon", "", ";"),
        ("a-trailing-comma", "", ","),
        ("a-trailing-dot", "", "."),
        ("a-trailing-separator", "", ":"),
        ("a-no-break-space", "", "\u00a0"),
        ("a-zero-width-space", "", "\u200b"),
        ("a-combining-accent", "", "\u0301"),
        ("a-byte-order-mark", "\ufeff", ""),
        ("a-trailing-emoji", "", "\U0001f600"),
        ("a-leading-zero", "0", ""),
        ("an-attribute", "", "; Path=/"),
    ]:
        yield case(
            f"the-signature-with-{name}", "session", f"{body}:{before}{signature}{after}", "bad_signature"
        )
    wide = signature[:-1] + chr(ord(signature[-1]) + 0xFEE0)
    yield case("the-signature-with-a-full-width-letter", "session", f"{body}:{wide}", "bad_signature")
    yield case(
        "the-signature-with-a-cyrillic-look-alike",
        "session",
        f"{body}:{signature.replace('a', chr(0x430), 1)}",
        "bad_signature",
    )
    yield case(
        "the-signature-with-a-nul-in-the-middle",
        "session",
        f"{body}:{signature[:20]}\0{signature[20:]}",
        "bad_signature",
    )
    yield case(
        "the-signature-percent-encoded",
        "session",
        f"{body}:{signature[:1]}%{ord(signature[1]):02X}{signature[2:]}",
        "bad_signature",
    )


def respelled_token():
    body, signature = PLAIN.rsplit(":", 1)
    for name, token, want in [
        ("in-double-quotes", f'"{PLAIN}"', "bad_signature"),
        ("in-single-quotes", f"'{PLAIN}'", "bad_signature"),
        ("with-a-leading-space", " " + PLAIN, "bad_signature"),
        ("with-a-leading-line-feed", "\n" + PLAIN, "bad_signature"),
        ("with-a-leading-byte-order-mark", "\ufeff" + PLAIN, "bad_signature"),
        ("with-a-leading-nul", "\0" + PLAIN, "bad_signature"),
        ("with-percent-encoded-separators", PLAIN.replace(":", "%3A"), "malformed"),
        ("with-lower-case-percent-encoded-separators", PLAIN.replace(":", "%3a"), "malformed"),
        ("with-octal-escaped-separators", PLAIN.replace(":", "\\072"), "malformed"),
        ("with-html-escaped-separators", PLAIN.replace(":", "&#58;"), "malformed"),
        ("with-full-width-separators", PLAIN.replace(":", "\uff1a"), "malformed"),
        ("with-ratio-signs-for-separators", PLAIN.replace(":", "\u2236"), "malformed"),
        ("with-its-cookie-name", "sessionid=" + PLAIN, "bad_signature"),
        ("with-the-next-cookie", PLAIN + "; csrftoken=abc", "bad_signature"),
        ("with-a-line-break-inside", PLAIN[:40] + "\r\n" + PLAIN[40:], "bad_signature"),
        ("with-a-padded-payload", PLAIN.replace(":", "=:", 1), "bad_signature"),
        ("with-a-space-behind-the-stamp", f"{body} :{signature}", "bad_signature"),
        ("with-a-plus-before-the-stamp", PLAIN.replace(":", ":+", 1), "bad_signature"),
        ("in-base64-once-more", wire.b64(PLAIN.encode()), "malformed"),
        ("in-hexadecimal", PLAIN.encode().hex(), "malformed"),
    ]:
        yield case(f"the-token-{name}", "session", token, want)


def separators_moved():
    payload, stamp, signature = PLAIN.split(":")
    parts = payload + stamp + signature
    for first, second in [
        (18, 25),
        (20, 25),
        (19, 24),
        (19, 26),
        (0, 25),
        (0, 0),
        (0, 68),
        (25, 26),
        (68, 68),
    ]:
        token = f"{parts[:first]}:{parts[first:second]}:{parts[second:]}"
        yield case(f"separators-moved-to-{first}-and-{second}", "session", token, "bad_signature")
    for name, token, want in [
        ("both-separators-removed", parts, "malformed"),
        ("the-first-separator-removed", f"{payload}{stamp}:{signature}", "bad_signature"),
        ("the-last-separator-removed", f"{payload}:{stamp}{signature}", "bad_signature"),
        ("the-first-separator-doubled", f"{payload}::{stamp}:{signature}", "bad_signature"),
        ("the-last-separator-doubled", f"{payload}:{stamp}::{signature}", "bad_signature"),
        ("a-leading-separator", ":" + PLAIN, "bad_signature"),
        ("nothing-but-a-separator", ":", "bad_signature"),
        ("nothing-but-two-separators", "::", "bad_signature"),
        ("nothing-but-three-separators", ":::", "bad_signature"),
        ("a-thousand-separators", ":" * 1000, "bad_signature"),
        ("a-thousand-separators-before-the-token", ":" * 1000 + PLAIN, "bad_signature"),
        ("nothing-but-a-signature", ":" + signature, "bad_signature"),
        ("nothing-but-a-payload", payload, "malformed"),
        ("nothing-at-all", "", "malformed"),
        ("nothing-but-a-space", " ", "malformed"),
        ("nothing-but-a-dot", ".", "malformed"),
        ("the-parts-in-another-order", f"{stamp}:{payload}:{signature}", "bad_signature"),
        ("the-signature-first", f"{signature}:{payload}:{stamp}", "bad_signature"),
    ]:
        yield case(name, "session", token, want)
    for name, sep in [
        ("dots", "."),
        ("semicolons", ";"),
        ("slashes", "/"),
        ("pipes", "|"),
        ("commas", ","),
        ("spaces", " "),
        ("tildes", "~"),
        ("dollars", "$"),
    ]:
        yield case(f"{name}-where-colons-are-expected", "session", PLAIN.replace(":", sep), "malformed")
        token = wire.sign(f"{payload}{sep}{stamp}", SECRET, wire.SESSION, sep)
        yield case(f"signed-with-{name}-but-read-with-colons", "session", token, "malformed")


def parts_swapped():
    first, second = {"user_id": 42}, {"user_id": 1, "is_staff": True}
    later = wire.base62(NOW + 60)
    ours, theirs = session(first).split(":"), session(second, stamp=later).split(":")
    for pick in ("001", "010", "011", "100", "101", "110"):
        parts = [(ours, theirs)[int(which)][part] for part, which in enumerate(pick)]
        names = "-".join(
            "our-their".split("-")[int(which)] + "-" + part
            for which, part in zip(pick, ("payload", "stamp", "signature"))
        )
        yield case(f"mixed-{names}", "session", ":".join(parts), "bad_signature")
    same_time = session(second).split(":")
    yield case(
        "another-payload-of-the-same-second",
        "session",
        f"{same_time[0]}:{ours[1]}:{ours[2]}",
        "bad_signature",
    )
    yield case(
        "another-signature-of-the-same-second",
        "session",
        f"{ours[0]}:{ours[1]}:{same_time[2]}",
        "bad_signature",
    )
    yield case(
        "another-stamp-on-the-same-payload", "session", ":".join([ours[0], later, ours[2]]), "bad_signature"
    )
    value, signature = signed("unsign", "hello").split(":")
    yield case("the-signature-of-another-value", "unsign", f"goodbye:{signature}", "bad_signature")
    yield case("a-value-with-a-longer-tail", "unsign", f"hello!:{signature}", "bad_signature")
    yield case("a-value-with-its-start-cut", "unsign", f"ello:{signature}", "bad_signature")
    # One salt for both signers: the plain one sees the stamp as part of the value it vouches for.
    stamped = signed("timestamp_unsign", "hello")
    yield case(
        "a-stamp-is-part-of-the-value-for-a-plain-signer-of-the-same-salt",
        "unsign",
        stamped,
        "ok",
        salt=wire.TIMESTAMP_SIGNER,
    )
    plain = wire.sign("hello", SECRET, wire.TIMESTAMP_SIGNER)
    yield case(
        "a-plain-signature-has-no-stamp-for-a-timestamp-signer-of-the-same-salt",
        "timestamp_unsign",
        plain,
        "bad_timestamp",
    )
    yield case(
        "a-session-signed-without-a-stamp", "session", signed("session", "e30", stamp=False), "bad_timestamp"
    )
    yield case(
        "an-object-with-a-stamp-is-not-base64-for-a-plain-signer",
        "unsign_object",
        signed("loads", "e30", salt=wire.SIGNER),
        "base64",
    )


# Keys, salts, algorithms


def salts():
    named = {
        "session": wire.SESSION,
        "database-session": wire.DB_SESSION,
        "dumps": wire.DUMPS,
        "signer": wire.SIGNER,
        "timestamp-signer": wire.TIMESTAMP_SIGNER,
        "messages": wire.MESSAGES,
    }
    for signer, signed_for in named.items():
        token = signed("loads", "eyJhIjoxfQ", salt=signed_for)
        for reader, salt in named.items():
            if signer == reader:
                yield case(f"the-{signer}-salt-reads-its-own", "loads", token, "ok", salt=salt)
            else:
                yield case(
                    f"the-{reader}-salt-refuses-the-{signer}-salt", "loads", token, "bad_signature", salt=salt
                )
    token = signed("session", "e30")
    for name, salt in [
        ("with-a-trailing-space", wire.SESSION + " "),
        ("with-a-leading-space", " " + wire.SESSION),
        ("in-upper-case", wire.SESSION.upper()),
        ("cut-short", wire.SESSION[:-1]),
        ("with-the-word-signer-added", wire.SESSION + "signer"),
        ("with-a-trailing-nul", wire.SESSION + "\0"),
        ("of-another-engine", "django.contrib.sessions.backends.cached_db"),
    ]:
        yield case(f"the-session-salt-{name}-refuses", "loads", token, "bad_signature", salt=salt)
    # K = SHA256(salt + "signer" + secret): salt and secret are joined with a fixed word between.
    yield case(
        "a-salt-that-took-a-letter-from-the-secret-refuses",
        "loads",
        signed("loads", "e30", salt="s", secret="xsecret-key-0123456789"),
        "bad_signature",
        salt="sx",
        secret="secret-key-0123456789",
    )
    slid = {"salt": "s", "secret": "xsigner" + SECRET}
    yield case(
        "a-salt-and-secret-that-spell-the-same-key-are-one-key",
        "loads",
        signed("loads", "e30", **slid),
        "ok",
        salt="ssignerx",
        secret=SECRET,
    )
    yield case(
        "a-salt-outside-ascii-is-read",
        "loads",
        signed("loads", "e30", salt="s\u00e4lt \U0001f600"),
        "ok",
        salt="s\u00e4lt \U0001f600",
    )
    yield case(
        "a-salt-in-another-normal-form-refuses",
        "loads",
        signed("loads", "e30", salt="s\u00e4lt"),
        "bad_signature",
        salt="sa\u0308lt",
    )
    yield case(
        "a-salt-with-a-colon-is-read", "loads", signed("loads", "e30", salt="tenant:7"), "ok", salt="tenant:7"
    )
    yield case(
        "the-salt-of-another-tenant-refuses",
        "loads",
        signed("loads", "e30", salt="tenant:7"),
        "bad_signature",
        salt="tenant:70",
    )


def keys():
    for name, secret in [
        ("another-key", OTHER),
        ("a-key-with-a-trailing-line-feed", SECRET + "\n"),
        ("a-key-with-a-trailing-carriage-return", SECRET + "\r"),
        ("a-key-with-a-trailing-space", SECRET + " "),
        ("a-key-with-a-leading-space", " " + SECRET),
        ("a-key-with-a-trailing-nul", SECRET + "\0"),
        ("a-key-in-quotes", f'"{SECRET}"'),
        ("a-key-in-single-quotes", f"'{SECRET}'"),
        ("a-key-in-upper-case", SECRET.upper()),
        ("a-key-cut-short", SECRET[:-1]),
        ("a-key-without-its-first-letter", SECRET[1:]),
        ("a-key-said-twice", SECRET * 2),
        ("a-key-with-one-letter-changed", SECRET[:-1] + "8"),
        ("a-key-in-base64", wire.b64(SECRET.encode())),
        ("a-key-in-hexadecimal", SECRET.encode().hex()),
        ("a-key-in-utf-16", SECRET.encode("utf-16-le")),
        ("a-key-with-a-byte-order-mark", "\ufeff" + SECRET),
        ("a-key-with-the-cookie-prefix", "django.http.cookies" + SECRET),
        ("a-key-with-the-word-signer", "signer" + SECRET),
        ("a-key-that-names-its-variable", f"SECRET_KEY={SECRET}"),
        ("a-key-that-is-the-salt", wire.SESSION),
        ("a-key-of-one-nul", b"\0"),
        ("a-key-of-thirty-two-nuls", b"\0" * 32),
        ("a-key-that-says-none", "None"),
    ]:
        yield case(f"{name}-refuses", "session", PLAIN, "bad_signature", secret=secret)
    yield case(
        "another-key-refuses-a-plain-signature",
        "unsign",
        signed("unsign", "hello", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-a-stamped-signature",
        "timestamp_unsign",
        signed("timestamp_unsign", "hello", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-an-object",
        "unsign_object",
        signed("unsign_object", "e30", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-before-it-reads-the-stamp",
        "session",
        signed("session", "e30", stamp="-", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-before-it-reads-the-age",
        "session",
        signed("session", "e30", stamp="1", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-before-it-decodes-base64",
        "session",
        signed("session", "!", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-before-it-inflates",
        "session",
        signed("session", ".AAAA", secret=OTHER),
        "bad_signature",
    )
    yield case(
        "another-key-refuses-before-it-reads-json",
        "session",
        signed("session", "AAAA", secret=OTHER),
        "bad_signature",
    )


def algorithms():
    for signer in ("sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256"):
        for reader in ("sha256", "sha384", "sha512"):
            token = signed("unsign", "hello", algorithm=signer)
            names = signer.replace("_", "-"), reader
            if signer == reader:
                yield case(f"{reader}-reads-its-own", "unsign", token, "ok", algorithm=reader)
            else:
                yield case(
                    "{1}-refuses-{0}".format(*names), "unsign", token, "bad_signature", algorithm=reader
                )
    for algorithm in ("sha384", "sha512"):
        token = signed("loads", "e30", algorithm=algorithm)
        yield case(f"{algorithm}-reads-an-object-with-a-stamp", "loads", token, "ok", algorithm=algorithm)
        yield case(
            f"{algorithm}-refuses-to-be-cut-to-the-length-of-sha256",
            "loads",
            token[: 11 + 43],
            "bad_signature",
            algorithm=algorithm,
        )
        yield case(
            f"a-session-signed-with-{algorithm}-is-refused",
            "session",
            signed("session", "e30", algorithm=algorithm),
            "bad_signature",
        )
    yield case(
        "a-session-signed-with-sha1-is-refused",
        "session",
        signed("session", "e30", algorithm="sha1"),
        "bad_signature",
    )


def rotation():
    ring = [
        "the-newest-secret-of-the-ring",
        "the-second-secret-of-the-ring",
        "the-third-secret-of-the-ring",
        "the-oldest-secret-of-the-ring",
    ]
    ordinals = ("primary", "first-fallback", "second-fallback", "third-fallback")
    held = {"secret": ring[0], "fallbacks": ring[1:]}
    for secret, name in zip(ring, ordinals):
        yield case(f"the-{name}-key-is-accepted", "session", session({}, secret=secret), "ok", **held)
    for call, value in [
        ("loads", "e30"),
        ("unsign", "hello"),
        ("timestamp_unsign", "hello"),
        ("unsign_object", "e30"),
    ]:
        name = call.replace("_", "-")
        yield case(
            f"{name}-accepts-the-second-fallback-key", call, signed(call, value, secret=ring[2]), "ok", **held
        )
        yield case(
            f"{name}-refuses-a-key-outside-the-ring",
            call,
            signed(call, value, secret=OTHER),
            "bad_signature",
            **held,
        )
    for gone in range(1, 4):
        kept = [secret for secret in ring[1:] if secret != ring[gone]]
        yield case(
            f"the-{ordinals[gone]}-key-is-refused-once-removed",
            "session",
            session({}, secret=ring[gone]),
            "bad_signature",
            secret=ring[0],
            fallbacks=kept,
        )
    yield case(
        "a-retired-primary-key-is-refused",
        "session",
        session({}, secret=ring[0]),
        "bad_signature",
        secret=ring[1],
        fallbacks=ring[2:],
    )
    yield case(
        "a-demoted-primary-key-is-accepted-as-a-fallback",
        "session",
        session({}, secret=ring[1]),
        "ok",
        secret=ring[0],
        fallbacks=[ring[1]],
    )
    yield case(
        "a-key-listed-twice-answers-with-its-first-place",
        "session",
        session({}, secret=ring[1]),
        "ok",
        secret=ring[0],
        fallbacks=[ring[1], ring[1]],
    )
    yield case(
        "a-primary-key-listed-as-fallback-answers-as-primary",
        "session",
        session({}, secret=ring[0]),
        "ok",
        secret=ring[0],
        fallbacks=[ring[1], ring[0]],
    )
    yield case(
        "keys-joined-by-a-comma-are-not-the-ring",
        "session",
        session({}, secret=",".join(ring[:2])),
        "bad_signature",
        **held,
    )
    yield case(
        "keys-joined-by-nothing-are-not-the-ring",
        "session",
        session({}, secret="".join(ring[:2])),
        "bad_signature",
        **held,
    )
    yield case(
        "a-fallback-key-holding-a-comma-is-not-split",
        "session",
        session({}, secret=ring[2]),
        "bad_signature",
        secret=ring[0],
        fallbacks=[f"{ring[1]},{ring[2]}"],
    )
    yield case(
        "a-fallback-key-with-a-line-feed-refuses",
        "session",
        session({}, secret=ring[1]),
        "bad_signature",
        secret=ring[0],
        fallbacks=[ring[1] + "\n"],
    )
    yield case(
        "a-fallback-key-of-bytes-is-accepted",
        "session",
        session({}, secret=b"\xff\x00 bytes that are no text"),
        "ok",
        secret=ring[0],
        fallbacks=[b"\xff\x00 bytes that are no text"],
    )
    yield case(
        "a-fallback-key-does-not-excuse-age",
        "session",
        session({}, secret=ring[1], stamp="1"),
        "expired",
        **held,
    )
    yield case(
        "a-fallback-key-does-not-excuse-an-odd-stamp",
        "session",
        session({}, secret=ring[1], stamp="a_b"),
        "bad_timestamp",
        **held,
    )
    yield case(
        "a-fallback-key-does-not-excuse-another-salt",
        "session",
        session({}, secret=ring[1], salt=wire.DUMPS),
        "bad_signature",
        **held,
    )
    yield case(
        "a-fallback-key-does-not-excuse-an-altered-payload",
        "session",
        "A" + session({}, secret=ring[1]),
        "bad_signature",
        **held,
    )
    yield case(
        "a-ring-of-thirty-keys-finds-the-last",
        "session",
        session({}, secret="secret number 29 of thirty"),
        "ok",
        secret="secret number 0 of thirty",
        fallbacks=[f"secret number {n} of thirty" for n in range(1, 30)],
    )


def secrets_of_every_kind():
    kinds = [
        ("bytes-that-are-no-utf-8", b"\xff\xfe\x00\x80 and then some more bytes"),
        ("bytes-that-are-utf-8", "caf\u00e9 au lait, long enough".encode()),
        ("letters-outside-ascii", "caf\u00e9 au lait, long enough"),
        ("letters-outside-the-bmp", "\U0001f511 key with a picture \U0001f511"),
        ("line-feeds", "first line of the key\nsecond line of the key\n"),
        ("commas-and-quotes", "a,\"b\",'c',d and so on, and on"),
        ("nothing-but-digits", "01234567890123456789012345678901"),
        ("a-nul-in-the-middle", "before the nul\0after the nul"),
        ("more-than-a-hash-block", "a secret longer than one block of sha512 " * 8),
        ("django-s-own-mark", "django-insecure-%)x!2k$5=z(w1f&amp;o@y#s+9q"),
    ]
    for name, secret in kinds:
        yield case(
            f"a-secret-of-{name}-is-read", "session", session({"a": 1}, secret=secret), "ok", secret=secret
        )
    coffee = "caf\u00e9 au lait, long enough"
    yield case(
        "text-and-its-utf-8-bytes-are-one-secret",
        "session",
        session({}, secret=coffee),
        "ok",
        secret=coffee.encode(),
    )
    for name, signer, reader in [
        (
            "a-secret-in-another-normal-form-refuses",
            "caf\u00e9 au lait, long enough",
            "cafe\u0301 au lait, long enough",
        ),
        (
            "a-secret-in-latin-1-refuses",
            "caf\u00e9 au lait, long enough",
            "caf\u00e9 au lait, long enough".encode("latin-1"),
        ),
        ("a-secret-cut-at-a-nul-refuses", "before the nul\0after the nul", "before the nul"),
        (
            "a-secret-cut-at-a-line-feed-refuses",
            "first line of the key\nsecond line of the key",
            "first line of the key",
        ),
        (
            "a-secret-with-other-line-endings-refuses",
            "first line of the key\nsecond line",
            "first line of the key\r\nsecond line",
        ),
        (
            "a-long-secret-hashed-refuses",
            "a secret longer than one block of sha512 " * 8,
            bytes.fromhex("00" * 64),
        ),
        (
            "hexadecimal-read-as-bytes-refuses",
            "00112233445566778899aabbccddeeff",
            bytes.fromhex("00112233445566778899aabbccddeeff"),
        ),
    ]:
        yield case(name, "session", session({}, secret=signer), "bad_signature", secret=reader)


def other_separators():
    for name, sep in [
        ("a-dot", "."),
        ("a-slash", "/"),
        ("a-pipe", "|"),
        ("a-space", " "),
        ("two-colons", "::"),
        ("a-word-in-braces", "{sep}"),
        ("a-letter-outside-ascii", "\u00e9"),
        ("an-emoji", "\U0001f600"),
        ("letters-and-a-colon", "a:b"),
    ]:
        yield case(
            f"{name}-separates-a-plain-signature", "unsign", signed("unsign", "hello", sep=sep), "ok", sep=sep
        )
        yield case(
            f"{name}-separates-a-stamp",
            "timestamp_unsign",
            signed("timestamp_unsign", "hello", sep=sep),
            "ok",
            sep=sep,
        )
        yield case(
            f"{name}-is-part-of-what-is-signed",
            "timestamp_unsign",
            signed("timestamp_unsign", "hello").replace(":", sep),
            "bad_signature",
            sep=sep,
        )
        yield case(
            f"{name}-is-missed-where-colons-are-used",
            "unsign",
            signed("unsign", "hello"),
            "malformed",
            sep=sep,
        )
    yield case(
        "a-dot-separates-and-marks-compression",
        "loads",
        signed("loads", wire.payload({"a": "x" * 200}), sep="."),
        "ok",
        sep=".",
    )
    yield case("half-of-a-long-separator-is-none", "unsign", signed("unsign", "hello"), "malformed", sep="::")
    yield case(
        "half-of-a-separator-outside-ascii-is-none",
        "unsign",
        signed("unsign", "hello", sep="\u00e9").replace("\u00e9", "\u00e8"),
        "malformed",
        sep="\u00e9",
    )
    yield case(
        "a-value-that-ends-in-half-a-separator-is-read",
        "unsign",
        signed("unsign", "v:", sep="::"),
        "ok",
        sep="::",
    )
    yield case(
        "a-value-made-of-separators-is-read", "unsign", signed("unsign", ":::::", sep="::"), "ok", sep="::"
    )


def values():
    for name, value in [
        ("the-empty-value", ""),
        ("a-space", " "),
        ("one-separator", ":"),
        ("three-separators", ":::"),
        ("a-value-with-separators", "a:b:c"),
        ("letters-outside-ascii", "\u00e9\u20ac\U0001f600"),
        ("a-line-feed", "one\ntwo\n"),
        ("a-nul", "a\0b"),
        ("a-leading-dot", ".hidden"),
        ("a-token-inside-a-token", PLAIN),
        ("quotes-and-backslashes", '"a\\b"'),
        ("a-long-value", "0123456789" * 50),
    ]:
        yield case(f"{name}-comes-back-from-a-plain-signer", "unsign", signed("unsign", value), "ok")
        yield case(
            f"{name}-comes-back-from-a-timestamp-signer",
            "timestamp_unsign",
            signed("timestamp_unsign", value),
            "ok",
        )
        altered = signed("unsign", value + "x").replace("x:", "y:")
        yield case(f"{name}-altered-is-refused", "unsign", altered, "bad_signature")
    yield case(
        "a-value-in-another-normal-form-is-refused",
        "unsign",
        signed("unsign", "caf\u00e9").replace("caf\u00e9", "cafe\u0301"),
        "bad_signature",
    )


# Authentic, but odd: everything below is signed with the right key


def stamps():
    last = wire.LAST_SECOND
    for name, stamp, want, difference in [
        ("zero", "0", "ok", None),
        ("two-zeros", "00", "ok", None),
        ("one", "1", "ok", None),
        ("one-digit", "z", "ok", None),
        ("that-looks-like-hexadecimal", "0x10", "ok", None),
        ("with-leading-zeros", "00001r31eq", "ok", None),
        ("with-a-thousand-leading-zeros", "0" * 1000 + "1r31eq", "ok", None),
        ("in-the-future", wire.base62(NOW + 1), "ok", None),
        ("of-the-last-second-of-9999", wire.base62(last), "ok", None),
        ("of-the-year-10000", wire.base62(last + 1), "bad_timestamp", "D4"),
        ("of-two-to-the-63-less-one", wire.base62(2**63 - 1), "bad_timestamp", "D4"),
        ("of-two-to-the-63", wire.base62(2**63), "bad_timestamp", "D4"),
        ("of-two-to-the-64", wire.base62(2**64), "bad_timestamp", "D4"),
        ("of-two-to-the-64-and-a-day", wire.base62(2**64 + NOW), "bad_timestamp", "D4"),
        ("of-400-digits", "z" * 400, "bad_timestamp", "D4"),
        ("that-is-empty", "", "bad_timestamp", None),
        ("that-is-a-minus", "-", "bad_timestamp", "D4"),
        ("of-minus-zero", "-0", "bad_timestamp", "D4"),
        ("of-minus-one", "-1", "bad_timestamp", "D4"),
        ("of-minus-a-year", "-" + wire.base62(31536000), "bad_timestamp", "D4"),
        ("with-two-minuses", "--1", "bad_timestamp", None),
        ("with-a-plus", "+1", "bad_timestamp", None),
        ("with-a-leading-space", " 1", "bad_timestamp", None),
        ("with-a-trailing-space", "1 ", "bad_timestamp", None),
        ("with-a-trailing-line-feed", "1r31eq\n", "bad_timestamp", None),
        ("with-an-underscore", "a_b", "bad_timestamp", None),
        ("with-a-minus-inside", "1r3-1eq", "bad_timestamp", None),
        ("with-a-dot", "1.5", "bad_timestamp", None),
        ("with-padding", "1r31e=", "bad_timestamp", None),
        ("with-a-nul", "1r31eq\0", "bad_timestamp", None),
        ("with-a-letter-outside-ascii", "\u00e9", "bad_timestamp", None),
        ("in-arabic-digits", "\u0661\u0662", "bad_timestamp", None),
        ("in-full-width-digits", "\uff11", "bad_timestamp", None),
        ("of-an-emoji", "\U0001f600", "bad_timestamp", None),
        ("in-rfc-3339", "2023-11-14T221320Z", "bad_timestamp", None),
        ("with-a-percent-sign", "%31", "bad_timestamp", None),
    ]:
        token = signed("timestamp_unsign", "hello", stamp)
        yield case(f"a-stamp-{name}-without-max-age", "timestamp_unsign", token, want, difference)
    for name, stamp, want, difference in [
        ("zero", "0", "expired", None),
        ("one", "1", "expired", None),
        ("that-is-empty", "", "bad_timestamp", None),
        ("that-is-a-minus", "-", "bad_timestamp", None),
        ("of-minus-one", "-1", "bad_timestamp", None),
        ("with-two-minuses", "--1", "bad_timestamp", None),
        ("of-400-digits", "z" * 400, "bad_timestamp", None),
        ("with-a-plus", "+1r31eq", "bad_timestamp", None),
        ("with-an-underscore", "a_b", "bad_timestamp", None),
        ("of-the-last-second-of-9999", wire.base62(last), "ok", None),
        ("of-the-year-10000", wire.base62(last + 1), "bad_timestamp", "D4"),
        ("of-two-to-the-64", wire.base62(2**64), "bad_timestamp", "D4"),
        ("of-two-to-the-64-and-today", wire.base62(2**64 + NOW), "bad_timestamp", "D4"),
    ]:
        yield case(f"a-session-stamp-{name}", "session", session({}, stamp=stamp), want, difference)
    for name, ahead in [
        ("a-second", 1),
        ("five-minutes", 300),
        ("an-hour", 3600),
        ("a-year", 31536000),
        ("a-thousand-years", 31536000000),
    ]:
        yield case(
            f"a-session-stamped-{name}-ahead-is-read",
            "session",
            session({}, stamp=wire.base62(NOW + ahead)),
            "ok",
        )


def ages():
    for call, value in [("session", "e30"), ("loads", "e30"), ("timestamp_unsign", "hello")]:
        token, name = signed(call, value), call.replace("_", "-")
        for age, after, want in [
            ("at-once", 0, "ok"),
            ("a-millisecond-early", 59.999, "ok"),
            ("to-the-second", 60, "ok"),
            ("a-millisecond-late", 60.001, "expired"),
            ("a-quarter-second-late", 60.25, "expired"),
            ("a-second-late", 61, "expired"),
            ("a-year-late", 31536000, "expired"),
            ("before-it-was-signed", -1, "ok"),
        ]:
            yield case(f"{name}-of-a-minute-{age}", call, token, want, now=NOW + after, max_age=60)
        for age, after, want in [
            ("in-the-same-instant", 0, "ok"),
            ("a-millisecond-later", 0.001, "expired"),
            ("a-second-later", 1, "expired"),
            ("half-a-second-before", -0.5, "ok"),
        ]:
            yield case(f"{name}-with-max-age-zero-{age}", call, token, want, now=NOW + after, max_age=0)
    for age, after, want in [
        ("the-last-second", TWO_WEEKS, "ok"),
        ("a-millisecond-late", TWO_WEEKS + 0.001, "expired"),
        ("half-a-second-late", TWO_WEEKS + 0.5, "expired"),
        ("a-second-late", TWO_WEEKS + 1, "expired"),
        ("a-century-late", 3155760000, "expired"),
    ]:
        yield case(f"a-session-of-two-weeks-at-{age}", "session", PLAIN, want, now=NOW + after)
    yield case("a-century-without-max-age", "session", PLAIN, "ok", now=NOW + 3155760000, max_age=None)
    yield case(
        "a-century-within-a-huge-max-age", "session", PLAIN, "ok", now=NOW + 3155760000, max_age=10**12
    )
    # This library's other rules enforce _session_expiry; Django's backend looks at max_age alone.
    own = session({"a": 1, "_session_expiry": 60})
    yield case(
        "an-expiry-of-its-own-does-not-shorten-under-django-s-rule", "session", own, "ok", now=NOW + 3600
    )
    own = session({"a": 1, "_session_expiry": 5184000})
    yield case(
        "an-expiry-of-its-own-does-not-lengthen-under-django-s-rule",
        "session",
        own,
        "expired",
        now=NOW + TWO_WEEKS + 1,
    )
    yield case("expired-comes-before-base64", "session", signed("session", "!", stamp="1"), "expired")
    yield case("expired-comes-before-zlib", "session", signed("session", ".AAAA", stamp="1"), "expired")
    yield case("expired-comes-before-json", "session", signed("session", "AAAA", stamp="1"), "expired")


def base64_oddities():
    for name, payload, want, difference in [
        ("with-padding", "e30=", "base64", "D1"),
        ("with-too-much-padding", "e30==", "base64", "D1"),
        ("with-padding-before-more", "e30=e30=", "base64", "D1"),
        ("with-a-padded-middle", "eyJh=IjoxfQ", "base64", None),
        ("with-other-trailing-bits", "e31", "base64", "D1"),
        ("with-all-trailing-bits-set", "e33", "base64", "D1"),
        ("with-a-space-inside", "eyJh IjoxfQ", "base64", None),
        ("with-spaces-inside", "eyJh    IjoxfQ", "base64", "D1"),
        ("with-a-line-feed-inside", "eyJh\nIjoxfQ==", "base64", "D1"),
        ("with-line-breaks-every-four", "eyJh\r\nIjox\r\nfQ", "base64", "D1"),
        ("with-one-exclamation-mark", "e30!", "base64", None),
        ("with-two-exclamation-marks", "e!3!0", "base64", "D1"),
        ("with-a-separator-inside", "eyJh:IjoxfQ", "base64", None),
        ("with-four-separators-inside", "eyJh::::IjoxfQ", "base64", "D1"),
        ("with-a-dot-inside", "eyJh.IjoxfQ", "base64", None),
        ("with-a-nul-inside", "eyJh\0IjoxfQ==", "base64", "D1"),
        ("with-a-letter-outside-ascii", "\u00e9\u00e9e30", "base64", "D1"),
        ("in-the-standard-alphabet-with-a-slash", "eyJhIjoiPz8/In0", "base64", "D1"),
        ("in-the-standard-alphabet-with-a-plus", "eyJhIjoifn4+In0", "base64", "D1"),
        ("of-one-character", "e", "base64", None),
        ("of-five-characters", "eyJhI", "base64", None),
        ("with-one-character-too-many", "e30A1", "base64", None),
        ("of-nothing-but-padding", "====", "base64", None),
        ("of-nothing-but-junk", "!!!!", "base64", None),
        ("in-quotes", '"e30"', "base64", "D1"),
        ("percent-encoded", "e30%3D", "base64", None),
        ("in-hexadecimal", "7b7d", "json", None),
        ("encoded-twice", wire.plain("e30"), "json", None),
        ("of-a-lone-dot", ".", "zlib", None),
        ("of-two-dots", "..", "base64", None),
        ("compressed-with-padding", wire.deflated("{}") + "=", "base64", "D1"),
        ("compressed-and-marked-twice", "." + wire.deflated("{}"), "base64", None),
        ("marked-with-a-dot-behind", "e30.", "base64", None),
        ("that-is-empty", "", "json", None),
    ]:
        for call in (
            ("session", "loads")
            if difference and name in ("with-padding", "with-other-trailing-bits")
            else ("session",)
        ):
            yield case(f"{call}-payload-{name}", call, signed(call, payload), want, difference)
    yield case(
        "unsign-object-payload-with-padding", "unsign_object", signed("unsign_object", "e30="), "base64", "D1"
    )
    yield case(
        "unsign-object-payload-that-is-no-base64",
        "unsign_object",
        signed("unsign_object", "hello!"),
        "base64",
    )


def zlib_oddities():
    data = b'{"a":"' + b"x" * 200 + b'"}'
    stream = zlib.compress(data)
    adler = stream[:-1] + bytes([stream[-1] ^ 1])
    with_dictionary = zlib.compressobj(zdict=b'{"a":"x')
    flushed = zlib.compressobj()
    in_two_blocks = (
        flushed.compress(data[:50])
        + flushed.flush(zlib.Z_FULL_FLUSH)
        + flushed.compress(data[50:])
        + flushed.flush()
    )
    for name, raw, want, difference in [
        ("at-level-0", zlib.compress(data, 0), "ok", None),
        ("at-level-1", zlib.compress(data, 1), "ok", None),
        ("at-level-9", zlib.compress(data, 9), "ok", None),
        ("in-two-blocks", in_two_blocks, "ok", None),
        ("that-would-not-have-paid", zlib.compress(b'{"a":1}'), "ok", None),
        ("with-one-byte-behind", stream + b"\0", "zlib", "D2"),
        ("with-words-behind", stream + b"and more", "zlib", "D2"),
        ("with-a-second-stream-behind", stream + stream, "zlib", "D2"),
        ("with-a-line-feed-behind", stream + b"\n", "zlib", "D2"),
        ("without-its-last-byte", stream[:-1], "zlib", None),
        ("without-its-checksum", stream[:-4], "zlib", None),
        ("cut-in-half", stream[: len(stream) // 2], "zlib", None),
        ("of-the-header-alone", stream[:2], "zlib", None),
        ("of-one-byte", stream[:1], "zlib", None),
        ("with-a-wrong-checksum", adler, "zlib", None),
        ("with-a-byte-before", b"\0" + stream, "zlib", None),
        ("with-a-wrong-header-check", b"\x78\x9d" + stream[2:], "zlib", None),
        ("with-a-wrong-method", b"\x77\x9c" + stream[2:], "zlib", None),
        ("with-a-reserved-block-type", b"\x78\x9c\x07\0\0\0\0\0", "zlib", None),
        ("with-a-bad-stored-length", b"\x78\x9c\x01\x02\x00\x00\x00{}", "zlib", None),
        ("with-a-distance-too-far", b"\x78\x9c\x4b\x04\x12\x00", "zlib", None),
        ("as-raw-deflate", stream[2:-4], "zlib", None),
        ("as-gzip", gzip.compress(data, mtime=0), "zlib", None),
        ("with-a-preset-dictionary", with_dictionary.compress(data) + with_dictionary.flush(), "zlib", None),
        ("as-plain-json", b'{"a":1}', "zlib", None),
        ("of-nulls", b"\0" * 16, "zlib", None),
        ("of-nothing", zlib.compress(b""), "json", None),
        ("of-another-zlib-stream", zlib.compress(stream), "json", None),
        ("of-text-that-is-no-json", zlib.compress(b"hello"), "json", None),
        ("of-json-cut-short", zlib.compress(data[:-1]), "json", None),
    ]:
        yield case(f"a-stream-{name}", "session", signed("session", "." + wire.b64(raw)), want, difference)
    yield case(
        "a-stream-with-a-small-window", "session", signed("session", wire.deflated(data, wbits=9)), "ok"
    )
    yield case("a-stream-without-its-mark", "session", signed("session", wire.b64(stream)), "json")


def json_accepted():
    for name, text, difference in [
        ("whitespace-around", ' \t\r\n{"a":1}\n ', None),
        ("whitespace-inside", '{ "a" : [ 1 , 2 ] , "b" : { } }', None),
        ("an-empty-object-with-a-space", "{ }", None),
        ("every-short-escape", r'{"a":"\"\\\/\b\f\n\r\t"}', None),
        ("escapes-in-upper-case", r'{"a":"\u00E9\u20AC"}', None),
        ("an-escaped-letter", r'{"\u0061":"\u0062"}', None),
        ("an-escaped-nul", r'{"a":"\u0000"}', None),
        ("an-escaped-nul-in-a-key", r'{"\u0000":1}', None),
        ("a-raw-delete-character", '{"a":"\x7f"}', None),
        ("a-surrogate-pair", r'{"a":"\ud83d\ude00"}', None),
        ("a-lone-high-surrogate", r'{"a":"\ud800"}', None),
        ("a-lone-low-surrogate", r'{"a":"\udc00"}', None),
        ("surrogates-in-the-wrong-order", r'{"a":"\ude00\ud83d"}', None),
        ("a-lone-surrogate-in-a-key", r'{"\ud800":1}', None),
        ("a-lone-surrogate-in-an-inner-key", r'{"a":{"\udfff":[]}}', None),
        ("an-integer-of-64-bits", '{"a":18446744073709551615}', None),
        ("an-integer-past-64-bits", '{"a":18446744073709551616}', None),
        ("a-negative-integer-past-64-bits", '{"a":-9223372036854775809}', None),
        ("an-integer-of-30-digits", '{"a":123456789012345678901234567890}', None),
        ("an-integer-of-4300-digits", '{"a":' + "7" * 4300 + "}", None),
        ("a-float-of-20-digits", '{"a":0.12345678901234567890}', None),
        ("a-float-with-a-trailing-zero", '{"a":1.50}', None),
        ("a-float-in-python-s-spelling", '{"a":[1e-05,1e+16,-0.0,5e-324]}', None),
        ("an-upper-case-exponent", '{"a":1E5}', None),
        ("minus-zero-as-an-integer", '{"a":-0}', None),
        ("a-float-that-overflows", '{"a":1e999}', None),
        ("a-float-that-overflows-below", '{"a":-1e999}', None),
        ("a-float-that-underflows", '{"a":1e-999}', None),
        ("a-float-of-5000-digits", '{"a":0.' + "7" * 5000 + "}", None),
        ("a-key-written-twice", '{"a":1,"b":2,"a":3}', None),
        ("a-key-written-twice-with-an-escape", r'{"a":1,"b":2,"\u0061":3}', None),
        ("an-inner-key-written-twice", '{"x":{"a":1,"a":2}}', None),
        ("an-empty-key", '{"":""}', None),
        ("a-key-for-prototypes", '{"__proto__":{"admin":true}}', None),
        ("literals", '{"a":[true,false,null]}', None),
        ("lists-200-deep", '{"a":' + "[" * 200 + "]" * 200 + "}", None),
        ("lists-900-deep", '{"a":' + "[" * 900 + "]" * 900 + "}", None),
        ("objects-200-deep", '{"a":' * 200 + "1" + "}" * 200, None),
        ("lists-5000-deep", '{"a":' + "[" * 5000 + "]" * 5000 + "}", "D0"),
        ("objects-5000-deep", '{"a":' * 5000 + "1" + "}" * 5000, "D0"),
        ("an-integer-of-4301-digits", '{"a":' + "7" * 4301 + "}", "D0"),
        ("an-integer-of-5000-digits", '{"a":' + "7" * 5000 + "}", "D0"),
    ]:
        payload = wire.plain(text) if len(text) < 2000 else wire.deflated(text)
        yield case(f"json-with-{name}", "session", signed("session", payload), "ok", difference)


def json_refused():
    for name, text, difference in [
        ("nothing", "", None),
        ("a-space", " ", None),
        ("an-open-brace", "{", None),
        ("a-closing-brace", "}", None),
        ("an-object-not-closed", '{"a":1', None),
        ("a-list-not-closed", '{"a":[1}', None),
        ("a-brace-too-many", '{"a":1}}', None),
        ("two-objects", "{} {}", None),
        ("two-objects-on-two-lines", "{}\n{}", None),
        ("a-comma-behind", '{"a":1},', None),
        ("a-trailing-comma", '{"a":1,}', None),
        ("a-trailing-comma-in-a-list", '{"a":[1,]}', None),
        ("a-leading-comma", '{,"a":1}', None),
        ("two-commas", '{"a":1,,"b":2}', None),
        ("no-comma", '{"a":1 "b":2}', None),
        ("no-colon", '{"a" 1}', None),
        ("no-value", '{"a":}', None),
        ("no-key", "{:1}", None),
        ("a-key-alone", '{"a"}', None),
        ("a-bare-key", "{a:1}", None),
        ("a-number-for-a-key", "{1:1}", None),
        ("null-for-a-key", "{null:1}", None),
        ("single-quotes", "{'a':1}", None),
        ("a-string-not-closed", '{"a":"b}', None),
        ("a-string-that-ends-in-a-backslash", '{"a":"b\\"}', None),
        ("an-unknown-escape", r'{"a":"\x41"}', None),
        ("an-escaped-quote-of-python", r"""{"a":"\'"}""", None),
        ("a-short-unicode-escape", r'{"a":"\u12"}', None),
        ("a-unicode-escape-with-a-stray-letter", r'{"a":"\u12G4"}', None),
        ("a-unicode-escape-with-a-sign", r'{"a":"\u+123"}', None),
        ("a-unicode-escape-in-braces", r'{"a":"\u{61}"}', None),
        ("a-long-unicode-escape", r'{"a":"\U0001F600"}', None),
        ("a-raw-line-feed-in-a-string", '{"a":"\n"}', None),
        ("a-raw-tab-in-a-string", '{"a":"\t"}', None),
        ("a-raw-nul-in-a-string", '{"a":"\0"}', None),
        ("a-raw-unit-separator-in-a-string", '{"a":"\x1f"}', None),
        ("a-raw-tab-in-a-key", '{"\t":1}', None),
        ("a-leading-zero", '{"a":01}', None),
        ("no-digit-before-the-dot", '{"a":.5}', None),
        ("no-digit-behind-the-dot", '{"a":1.}', None),
        ("a-plus-sign", '{"a":+1}', None),
        ("two-minus-signs", '{"a":--1}', None),
        ("a-minus-alone", '{"a":-}', None),
        ("an-exponent-without-digits", '{"a":1e}', None),
        ("hexadecimal", '{"a":0x1}', None),
        ("an-underscore-in-a-number", '{"a":1_000}', None),
        ("a-comma-for-a-dot", '{"a":1,5}', None),
        ("a-long-integer-suffix", '{"a":1n}', None),
        ("python-s-true", '{"a":True}', None),
        ("python-s-none", '{"a":None}', None),
        ("undefined", '{"a":undefined}', None),
        ("nan-in-lower-case", '{"a":nan}', None),
        ("inf", '{"a":inf}', None),
        ("minus-nan", '{"a":-NaN}', None),
        ("a-literal-cut-short", '{"a":tru}', None),
        ("a-literal-too-long", '{"a":nulll}', None),
        ("a-block-comment", '{"a":1/* one */}', None),
        ("a-line-comment", '{"a":1}// one', None),
        ("a-hash-comment", '# one\n{"a":1}', None),
        ("a-nul-behind", "{}\0", None),
        ("a-nul-before", "\0{}", None),
        ("a-form-feed-around", "\f{}", None),
        ("a-vertical-tab-around", "{}\v", None),
        ("a-hijacking-guard", ")]}',\n{}", None),
        ("yaml", "a: 1", None),
        ("a-form", "a=1&b=2", None),
        ("unclosed-lists-1000-deep", '{"a":' + "[" * 1000, None),
        ("mismatched-brackets", '{"a":[1}]', None),
        ("nan", '{"a":NaN}', "D7"),
        ("infinity", '{"a":Infinity}', "D7"),
        ("minus-infinity", '{"a":-Infinity}', "D7"),
        ("nan-in-a-list", '{"a":[1,NaN,2]}', "D7"),
        ("nan-deep-inside", '{"a":{"b":[{"c":NaN}]}}', "D7"),
    ]:
        yield case(f"json-of-{name}", "session", signed("session", wire.plain(text)), "json", difference)
    for name, data, difference in [
        ("raw-utf-8", '{"a":"\u00e9"}'.encode(), "D8"),
        ("raw-utf-8-in-a-key", '{"\u00e9":1}'.encode(), "D8"),
        ("a-raw-emoji", '{"a":"\U0001f600"}'.encode(), "D8"),
        ("raw-latin-1", '{"a":"\u00e9"}'.encode("latin-1"), "D8"),
        ("a-raw-byte-ff", b'{"a":"\xff"}', "D8"),
        ("a-raw-c1-control", b'{"a":"\x80"}', "D8"),
        ("a-raw-surrogate", b'{"a":"\xed\xa0\x80"}', "D8"),
        ("a-byte-order-mark", b"\xef\xbb\xbf{}", None),
        ("utf-16", "{}".encode("utf-16"), None),
        ("utf-16-without-a-mark", '{"a":1}'.encode("utf-16-le"), None),
        ("utf-32", "{}".encode("utf-32-be"), None),
        ("a-no-break-space-around", b"\xa0{}", None),
        ("a-python-pickle", bytes.fromhex("80049505000000000000007d948c0161944b01732e"), None),
        ("messagepack", bytes.fromhex("81a16101"), None),
        ("cbor", bytes.fromhex("a1616101"), None),
    ]:
        yield case(f"json-of-{name}", "session", signed("session", wire.plain(data)), "json", difference)
        if name in ("raw-utf-8", "a-byte-order-mark"):
            yield case(
                f"loads-of-json-of-{name}", "loads", signed("loads", wire.plain(data)), "json", difference
            )
    yield case("loads-of-json-of-nan", "loads", signed("loads", wire.plain("[NaN]")), "json", "D7")
    yield case("loads-of-json-of-nan-alone", "loads", signed("loads", wire.plain("NaN")), "json", "D7")
    yield case(
        "unsign-object-of-json-of-infinity",
        "unsign_object",
        signed("unsign_object", wire.plain("[Infinity]")),
        "json",
        "D7",
    )
    yield case(
        "unsign-object-of-a-trailing-comma",
        "unsign_object",
        signed("unsign_object", wire.plain("[1,]")),
        "json",
    )


def json_that_is_not_an_object():
    for name, text in [
        ("a-list", "[1,2]"),
        ("an-empty-list", "[]"),
        ("a-list-of-objects", '[{"a":1}]'),
        ("a-string", '"text"'),
        ("an-empty-string", '""'),
        ("a-number", "1"),
        ("a-float", "1.5"),
        ("true", "true"),
        ("null", "null"),
    ]:
        yield case(
            f"a-session-that-is-{name}", "session", signed("session", wire.plain(text)), "not_an_object", "D9"
        )
        yield case(f"loads-reads-{name}", "loads", signed("loads", wire.plain(text)), "ok")
    yield case(
        "a-session-that-is-a-compressed-list",
        "session",
        signed("session", wire.deflated("[" + "1," * 200 + "1]")),
        "not_an_object",
        "D9",
    )
    yield case(
        "unsign-object-reads-a-list", "unsign_object", signed("unsign_object", wire.plain("[1,2]")), "ok"
    )
    yield case(
        "unsign-object-reads-a-compressed-object",
        "unsign_object",
        signed("unsign_object", wire.payload({"a": "x" * 200})),
        "ok",
    )


def sizes():
    def filled(size):
        return '{"a":"' + "x" * (size - 8) + '"}'

    limit = wire.MAX_PAYLOAD
    yield case(
        "a-session-that-inflates-to-the-limit",
        "session",
        signed("session", wire.deflated(filled(limit))),
        "ok",
    )
    yield case(
        "a-session-that-inflates-past-the-limit",
        "session",
        signed("session", wire.deflated(filled(limit + 1))),
        "too_large",
        "D3",
    )
    yield case(
        "a-session-that-inflates-to-a-megabyte",
        "session",
        signed("session", wire.deflated(filled(1 << 20))),
        "too_large",
        "D3",
    )
    yield case(
        "an-object-that-inflates-past-the-limit",
        "unsign_object",
        signed("unsign_object", wire.deflated(filled(limit + 1))),
        "too_large",
        "D3",
    )
    yield case(
        "whitespace-that-inflates-past-the-limit",
        "loads",
        signed("loads", wire.deflated("{}" + " " * limit)),
        "too_large",
        "D3",
    )
    yield case(
        "plain-json-past-the-limit",
        "loads",
        signed("loads", wire.plain(filled(limit + 1))),
        "too_large",
        "D3",
    )
    yield case(
        "a-bomb-that-is-no-json", "loads", signed("loads", wire.deflated(b"\0" * (1 << 20))), "too_large"
    )
    # Unpadded base64 is never 1 mod 4 characters long; where the room is, the stamp takes two zeros more.
    for length, want, difference in [
        (4093, "ok", None),
        (4096, "ok", None),
        (4097, "too_long", "D3"),
        (5000, "too_long", "D3"),
    ]:
        room = length - 43 - 2 - 6
        zeros = 2 if room % 4 == 1 else 0
        size = (room - zeros) * 3 // 4
        token = signed("session", wire.plain(filled(size)), stamp="0" * zeros + wire.base62(NOW))
        assert len(token) == length, (len(token), length)
        yield case(f"a-session-token-of-{length}-characters", "session", token, want, difference)
    yield case("a-long-session-token-that-is-forged", "session", "A" * 4096 + ":" + PLAIN, "too_long")
    yield case("a-long-session-token-without-a-separator", "session", "A" * 5000, "too_long")
    yield case(
        "a-forged-session-token-of-4096-characters",
        "session",
        "A" * (4096 - len(PLAIN)) + PLAIN,
        "bad_signature",
    )
    yield case("a-long-session-token-outside-ascii", "session", "\u00e9" * 2048 + ":", "too_long")


def foreign():
    sha1_data = b"0123456789abcdef0123456789abcdef01234567:{}"
    for name, token, want in [
        ("a-flask-session", "eyJ1c2VyX2lkIjo0Mn0.ZVPyQA.3q2-7wAAAAAAAAAAAAAAAAAAAAA", "malformed"),
        (
            "a-json-web-token",
            "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjo0Mn0.LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw",
            "malformed",
        ),
        ("a-json-web-token-that-says-none", "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjo0Mn0.", "malformed"),
        ("a-rails-session", "eyJ1c2VyX2lkIjo0Mn0%3D--0123456789abcdef0123456789abcdef01234567", "malformed"),
        (
            "an-express-session",
            "s:abcdefghijklmnop.LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw",
            "bad_signature",
        ),
        ("a-tornado-cookie", "2|1:0|10:1700000000|4:user|4:NDI=|" + "0" * 64, "bad_signature"),
        ("database-session-data-before-django-3-1", base64.b64encode(sha1_data).decode(), "malformed"),
        ("a-database-session-key", "abcdefghijklmnopqrstuvwxyz012345", "malformed"),
        ("a-fernet-token", "gAAAAABlU_JA" + "A" * 88, "malformed"),
        ("a-session-of-django-3-0", session({"user_id": 42}, algorithm="sha1"), "bad_signature"),
        ("json", '{"user_id":42}', "bad_signature"),
        ("a-url", "https://example.com/", "bad_signature"),
        ("a-time", "22:13:20", "bad_signature"),
        ("the-name-of-a-class", "django::core::signing", "bad_signature"),
        ("deleted", "deleted", "malformed"),
        ("null", "null", "malformed"),
    ]:
        yield case(f"not-ours-{name}", "session", token, want)
