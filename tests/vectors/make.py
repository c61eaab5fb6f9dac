"""Makes the test vectors: asks three real Djangos what they do, and writes it down.

Run as `python3 tests/vectors/make.py`. Environments are kept under `target/vectors/`; remove that
folder to get newer patch releases. The format of the files is described in `README.md`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # keep the source tree clean

import cases_decode  # noqa: E402
import cases_encode  # noqa: E402
import cases_expiry  # noqa: E402
import wire  # noqa: E402

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / "target" / "vectors"

# Each series with the Pythons it runs on, best first: old with old and new with new, so that what
# depends on Python itself (dates, recursion) shows up too.
SERIES = {
    "4.2": ["3.10", "3.11", "3.12"],
    "5.2": ["3.11", "3.12", "3.13", "3.10"],
    "6.1": ["3.13", "3.12", "3.14"],
}
SHOWN = 20000  # longer answers of Django are given by length and hash


def main():
    cases = {
        "decode": [as_json(case) for case in cases_decode.every_case()],
        "encode": [as_json(case) for case in cases_encode.every_case()],
        "expiry": list(cases_expiry.every_case()),
    }
    judgements = [judged(python, cases) for python in environments()]
    made_with = {j["django"]: j["python"] for j in judgements}

    def by_version(call, at):
        return {j["django"]: j[call][at] for j in judgements}

    vectors = {
        "decode": [
            decode_vector(case, by_version("decode", at)) for at, case in enumerate(cases_decode.every_case())
        ],
        "encode": [encode_vector(case, by_version("encode", at)) for at, case in enumerate(cases["encode"])],
        "expiry": [case | agreed_fields(by_version("expiry", at)) for at, case in enumerate(cases["expiry"])],
    }
    about = {
        "decode": "Tokens, what three versions of Django make of them, and what this library must.",
        "encode": "What is signed, and the token that three versions of Django make of it.",
        "expiry": "Values of _session_expiry, and what three versions of Django read in them.",
    }
    for name, made in vectors.items():
        write(
            HERE / f"{name}.json",
            {"about": about[name], "made_by": "tests/vectors/make.py", "made_with": made_with},
            made,
        )
    refused = sum(vector["expect"]["status"] != "ok" for vector in vectors["decode"])
    counts = ", ".join(f"{name} {len(made)}" for name, made in vectors.items())
    print(f"{counts} vectors; decode: {refused} refused ({refused / len(vectors['decode']):.0%})")


# Cases in, vectors out


def as_json(case):
    """The case with its secrets spelled so that JSON can carry bytes."""

    def spelled(secret):
        return {"text": secret} if isinstance(secret, str) else {"hex": secret.hex()}

    made = case | {"secret": spelled(case["secret"])}
    if "fallbacks" in case:
        made["fallbacks"] = [spelled(secret) for secret in case["fallbacks"]]
    return made


def decode_vector(case, django):
    expect, difference, want = wire.decode(case), case["difference"], case["want"]
    name, status = case["id"], expect["status"]
    assert status == want, f"{name}: expected {want}, the rules say {status}"
    differs = any(("error" not in verdict) != (status == "ok") for verdict in django.values())
    assert differs == bool(difference), f"{name}: difference {difference}, Django says {django}"
    for verdict in django.values():
        if "error" in verdict:
            check_stage(name, status, verdict["error"])
        elif status == "ok":
            check_data(name, expect, verdict)
    vector = as_json(case) | {"django": django, "expect": expect}
    del vector["want"]
    if not difference:
        del vector["difference"]
    return vector


def check_stage(name, status, error):
    """Both must refuse for the same reason: before the signature is proved, for age, or after."""
    if status in ("malformed", "bad_signature"):
        assert error == "BadSignature", f"{name}: {error}"
    elif status == "expired":
        assert error == "SignatureExpired", f"{name}: {error}"
    elif status != "too_long":
        assert error != "BadSignature", f"{name}: not signed as it should be"


def check_data(name, expect, verdict):
    ours = expect.get("json", expect.get("text"))
    assert expect["signed_at"] == verdict["signed_at"], name
    if "ok" not in verdict:
        assert verdict["ok_sha256"] == sha256(ours), name
    elif ours != verdict["ok"]:
        assert "json" in expect and json.loads(ours) == json.loads(verdict["ok"]), name


def encode_vector(case, made):
    if case["call"] == "signed_cookie":
        legacy = {answer["token_legacy"] for answer in made.values()}
        current = {answer["token"] for answer in made.values() if "token" in answer}
        assert len(legacy) == len(current) == 1, f"{case['id']}: {made}"
        return case | {"token_legacy": legacy.pop(), "token": current.pop()}
    tokens = set(made.values())
    assert len(tokens) == 1, f"{case['id']}: {made}"
    token = tokens.pop()
    if "json" in case:
        case = case | {"compressed": token.startswith(".")}
    return case | {"token": token}


def agreed_fields(made):
    """Each field as it is, or by version where the versions disagree."""

    def agreed(values):
        first, *others = values.values()
        return first if all(other == first for other in others) else {"by_version": values}

    fields = next(iter(made.values()))
    return {field: agreed({version: answer[field] for version, answer in made.items()}) for field in fields}


def write(path, head, vectors):
    """One vector a line, so that a diff shows which ones changed."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = ",\n".join("    " + json.dumps(vector) for vector in vectors)
    names = [vector["id"] for vector in vectors]
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    path.write_text("{\n" + "\n".join(lines) + '\n  "vectors": [\n' + rows + "\n  ]\n}\n", encoding="ascii")


# Environments


def environments():
    """The Python of one environment for each series of Django, made when it is not there."""
    found = interpreters()
    for series, versions in SERIES.items():
        python = ENVIRONMENTS / f"django-{series}" / "bin" / "python"
        if not runs(python, "import django"):
            made_from = next((found[version] for version in versions if version in found), None)
            if made_from is None:
                sys.exit(f"Django {series} needs one of Python {', '.join(versions)}; none was found")
            subprocess.run([made_from, "-m", "venv", "--clear", python.parents[1]], check=True)
            subprocess.run(
                [
                    python,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    f"Django=={series}.*",
                ],
                check=True,
            )
        yield python


def interpreters():
    """Python versions ("3.12") with a command that really runs: the shims of pyenv may not."""
    names = ["python3", *(f"python3.{minor}" for minor in range(10, 15))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = {}
    for command in [sys.executable, *names, *sorted(pyenv.glob("versions/3.*/bin/python3"))]:
        version = runs(command, "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])")
        if version:
            found.setdefault(version.strip(), command)
    return found


def runs(command, program):
    """What the program prints, or "" if it cannot be run; a silent success is a line feed."""
    try:
        done = subprocess.run([command, "-c", program], capture_output=True, text=True)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout or "\n"


def judged(python, cases):
    done = subprocess.run(
        [python, __file__, "--judge"],
        input=json.dumps(cases),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "TZ": "UTC"},
    )
    return json.loads(done.stdout)


# The judge: runs inside each environment, and only reports


def judge():
    import platform
    import zlib

    import django
    from django.conf import settings

    settings.configure(USE_TZ=True)
    cases = json.load(sys.stdin)
    json.dump(
        {
            "django": django.__version__,
            "python": f"CPython {platform.python_version()}, zlib {zlib.ZLIB_RUNTIME_VERSION}",
            "decode": [django_decodes(case) for case in cases["decode"]],
            "encode": [django_encodes(case) for case in cases["encode"]],
            "expiry": [django_expires(case) for case in cases["expiry"]],
        },
        sys.stdout,
    )


def key(secret):
    return bytes.fromhex(secret["hex"]) if "hex" in secret else secret["text"]


def frozen(now):
    from unittest import mock

    return mock.patch("time.time", lambda: float(now))  # a float: a huge stamp overflows it


def signer(case, kind):
    return kind(
        key=key(case["secret"]),
        salt=case["salt"],
        sep=case["sep"],
        algorithm=case["algorithm"],
        fallback_keys=[key(secret) for secret in case.get("fallbacks", [])],
    )


def django_decodes(case):
    from django.core import signing

    call, token, max_age = case["call"], case["token"], case["max_age"]
    kind = signing.Signer if call in ("unsign", "unsign_object") else signing.TimestampSigner
    try:
        with frozen(case["now"]):
            if call == "session":
                # As the signed_cookies back end loads, with the settings it would find.
                value = signing.loads(
                    token,
                    key=key(case["secret"]),
                    fallback_keys=[key(secret) for secret in case["fallbacks"]],
                    salt=case["salt"],
                    serializer=signing.JSONSerializer,
                    max_age=max_age,
                )
            elif call == "loads":
                value = signer(case, kind).unsign_object(token, max_age=max_age)
            elif call == "timestamp_unsign":
                value = signer(case, kind).unsign(token, max_age=max_age)
            elif call == "unsign":
                value = signer(case, kind).unsign(token)
            elif call == "unsign_object":
                value = signer(case, kind).unsign_object(token)
    except Exception as refusal:
        return {"error": type(refusal).__name__}
    text = value if call in ("unsign", "timestamp_unsign") else dumped(value)
    stamp = token.split(case["sep"])[-2] if kind is signing.TimestampSigner else None
    signed_at = signing.b62_decode(stamp) if stamp is not None else None
    if len(text) > SHOWN:
        return {"ok_length": len(text), "ok_sha256": sha256(text), "signed_at": signed_at}
    return {"ok": text, "signed_at": signed_at}


def dumped(value):
    # What was read within the recursion limit may need more of it to be written.
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(50000)
    try:
        return wire.dumps(value)
    finally:
        sys.setrecursionlimit(limit)


def sha256(text):
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def django_encodes(case):
    from django.core import signing

    call, value = case["call"], case["text"] if "text" in case else json.loads(case["json"])
    with frozen(case["now"]):
        if call == "signed_cookie":
            return signed_cookie(case)
        if call == "messages":
            return messages(case, value)
        if call == "session" and (case["sep"], case["algorithm"], case["compress"]) == (":", "sha256", True):
            return signing.dumps(
                value,
                key=key(case["secret"]),
                salt=case["salt"],
                serializer=signing.JSONSerializer,
                compress=True,
            )
        made = signer(case, signing.Signer if call.startswith("sign") else signing.TimestampSigner)
        return made.sign(value) if "text" in case else made.sign_object(value, compress=case["compress"])


def signed_cookie(case):
    """The token under the old salt and, where Django has it, under the new one."""
    from django.conf import settings
    from django.core import signing
    from django.http import HttpResponse

    settings.SECRET_KEY = key(case["secret"])
    response = HttpResponse()
    response.set_signed_cookie(case["name"], case["text"], salt=case["cookie_salt"])
    token = response.cookies[case["name"]].value
    legacy = signing.get_cookie_signer(salt=case["name"] + case["cookie_salt"]).sign(case["text"])
    if hasattr(signing, "_cookie_signer_salt"):
        return {"token_legacy": legacy, "token": token}
    assert token == legacy
    return {"token_legacy": token}


def messages(case, rows):
    from django.conf import settings
    from django.contrib.messages.storage.base import Message
    from django.contrib.messages.storage.cookie import CookieStorage
    from django.http import HttpRequest
    from django.utils.safestring import mark_safe

    settings.SECRET_KEY = key(case["secret"])
    made = []
    for row in rows:
        if isinstance(row, list):
            _, safe, level, text, *tags = row
            row = Message(level, mark_safe(text) if safe else text, *tags)
        made.append(row)
    return CookieStorage(HttpRequest())._encode(made)


def django_expires(case):
    from datetime import datetime, timedelta, timezone
    from unittest import mock

    from django.conf import settings
    from django.contrib.sessions.backends.base import SessionBase

    def moment(seconds):
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)

    settings.SESSION_COOKIE_AGE = case["cookie_age"]
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = case["browser_close_setting"]
    session = SessionBase()
    if case["stored"] is not None:
        session["_session_expiry"] = json.loads(case["stored"])
    given = {} if case["modification"] is None else {"modification": moment(case["modification"])}

    def answer(getter, **arguments):
        try:
            return plain(getter(**arguments))
        except Exception as refusal:
            return {"error": type(refusal).__name__}

    def plain(value):
        if isinstance(value, datetime):
            return value.timestamp() if value.tzinfo else {"naive": value.isoformat()}
        if isinstance(value, (list, dict)) or value in (float("inf"), float("-inf")):
            return {"other": wire.dumps(value)}
        return int(value) if isinstance(value, bool) else value

    with mock.patch("django.utils.timezone.now", lambda: moment(case["now"])):
        return {
            "age": answer(session.get_expiry_age, **given),
            "date": answer(session.get_expiry_date, **given),
            "browser_close": session.get_expire_at_browser_close(),
        }


if __name__ == "__main__":
    judge() if sys.argv[1:] == ["--judge"] else main()
