"""Makes `beside.json`: what real Djangos write for a Rust service beside them.

Run as `python3 tests/vectors/make_beside.py`, in the environments that `make.py` makes. All three
Djangos must agree on every vector.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # keep the source tree clean

HERE = Path(__file__).resolve().parent
SECRETS = ["test-secret-key-0123456789", "ключ", "a" * 100]
PASSWORDS = [
    "",
    "!",
    "pbkdf2_sha256$1000000$wFSeVlJ3L5Ocb8IhGmGjVw$2Nv8L3jhHtTL2cXN9mNmrm5Vd2WgFtGZ9dNQd3mGkXo=",
    "plain$$пароль",
    "\0\x7f\U0001f980",
]
# Safe or not, level, text, extra tags or none at all.
MESSAGES = [
    [],
    [[0, 20, "Hello.", ""]],
    [[0, 25, "Größe: 5 €", "cart"], [1, 40, "<b>no</b>", None]],
    [[0, 10, 'quotes " and \\ and / and \x7f and \n', "a b"], [0, 33, "\U0001f980", ""]],
    [[0, 30, "again and " * 20, ""]],
]


def main():
    import make

    answers = []
    for python in make.environments():
        run = subprocess.run([python, __file__, "ask"], capture_output=True, check=True)
        answers.append(json.loads(run.stdout))
    for answer in answers:
        assert answer["vectors"] == answers[0]["vectors"], answer["django"]
    about = {
        "about": "Hashes of contrib.auth and what contrib.messages keeps in a session.",
        "made_by": "tests/vectors/make_beside.py",
        "made_with": {answer["django"]: answer["python"] for answer in answers},
    }
    make.write(HERE / "beside.json", about, answers[0]["vectors"])


def ask():
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"])
    django.setup()
    vectors = list(every_vector(settings))
    print(json.dumps({"django": django.__version__, "python": sys.version.split()[0], "vectors": vectors}))


def every_vector(settings):
    from django.contrib.auth.models import User
    from django.contrib.messages.storage.base import Message
    from django.contrib.messages.storage.session import SessionStorage
    from django.http import HttpRequest
    from django.utils.safestring import mark_safe

    for secret in SECRETS:
        for password in PASSWORDS:
            settings.SECRET_KEY = secret
            user = User(password=password)
            settings.SECRET_KEY_FALLBACKS = [secret]
            # The same with each of the two methods.
            assert [user.get_session_auth_hash()] == list(user.get_session_auth_fallback_hash())
            yield {
                "id": f"auth_{SECRETS.index(secret)}_{PASSWORDS.index(password)}",
                "call": "session_auth_hash",
                "secret": {"text": secret},
                "password": password,
                "hash": user.get_session_auth_hash(),
            }
    request = HttpRequest()
    request.session = {}
    for rows in MESSAGES:
        messages = [
            Message(level, mark_safe(text) if safe else text, extra_tags=tags)
            for safe, level, text, tags in rows
        ]
        yield {
            "id": f"messages_{MESSAGES.index(rows)}",
            "call": "session_messages",
            "messages": rows,
            "text": SessionStorage(request).serialize_messages(messages),
        }


if __name__ == "__main__":
    ask() if sys.argv[1:] == ["ask"] else main()
