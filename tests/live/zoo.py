"""Has the real Django take settings of any kind, and does with them what a site does.

Asked and answered as `worker.py`. A setting's value is the text of a Python expression.
"""

import json
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone  # noqa: F401: for the expressions
from pathlib import Path

import django
from django.conf import settings

DEFAULTS = {
    "SECRET_KEY": "a key of the zoo, 0123456789-0123456789",
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
    "USE_TZ": True,
    "TIME_ZONE": "UTC",
}
settings.configure(**DEFAULTS)
django.setup()

from django.contrib.messages.storage import base, default_storage  # noqa: E402
from django.contrib.messages.utils import get_level_tags  # noqa: E402
from django.contrib.sessions.middleware import SessionMiddleware  # noqa: E402
from django.core import signing  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from django.utils.functional import SimpleLazyObject, lazy  # noqa: E402, F401: for the expressions
from django.utils.safestring import mark_safe  # noqa: E402, F401

SCRIPT = compile(
    (Path(__file__).parents[2] / "src/django/write_settings.py").read_text("utf-8"), "script", "exec"
)
FOLDER = tempfile.TemporaryDirectory()


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
        "v2_cookies": hasattr(signing, "_cookie_signer_salt"),
    }


def write_settings():
    """What the script of the documentation writes."""
    file = Path(FOLDER.name) / "settings.json"
    os.environ["SETTINGS_JSON"] = str(file)
    exec(SCRIPT, {"__name__": "__main__"})
    return file.read_text("ascii")


class Settings(override_settings):
    """The settings of a case, until its end."""

    def __init__(self, case):
        values = {name: eval(value) for name, value in case["settings"].items()}
        super().__init__(**{**DEFAULTS, **values})

    def enable(self):
        super().enable()
        # As Django does when it loads a module of settings.
        os.environ["TZ"] = settings.TIME_ZONE or "UTC"
        time.tzset()


def attempt(do):
    try:
        return {"ok": do()}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def respond(do, token=None):
    """The cookie of a response to a request with this token, on which the view does something."""
    request = HttpRequest()
    if token is not None:
        request.COOKIES[settings.SESSION_COOKIE_NAME] = token

    def view(request):
        do(request)
        return HttpResponse()

    response = SessionMiddleware(view)(request)
    return response.cookies.output(header="", sep="\n").strip()


def zoo(case):
    """The settings as the script writes them, and what Django does with them."""
    with Settings(case):
        return {
            "settings": attempt(write_settings),
            "set": attempt(lambda: respond(lambda request: request.session.update({"a": 1}))),
            "read": attempt(lambda: respond(lambda request: request.session.get("a"), case["token"])),
            "removed": attempt(lambda: respond(lambda request: request.session.flush(), case["token"])),
        }


def messages(case):
    """The cookie of a message, and what the page after it shows."""
    with Settings(case):

        def leave():
            # As in a process that starts with these settings.
            base.LEVEL_TAGS = get_level_tags()
            request, response = HttpRequest(), HttpResponse()
            storage = default_storage(request)
            storage.add(40, "forty")
            storage.add(15, "fifteen")
            storage.update(response)
            header = response.cookies.output(header="", sep="\n").strip()
            request = HttpRequest()
            request.COOKIES = {key: morsel.value for key, morsel in response.cookies.items()}
            return [header, [[message.message, message.tags] for message in default_storage(request)]]

        return {"settings": attempt(write_settings), "left": attempt(leave)}


def expire(case):
    """The token of a session of which a view sets the expiry."""
    with Settings(case):

        def view(request):
            request.session["who"] = "Django"
            request.session.set_expiry(eval(case["expiry"]))

        return {"settings": write_settings(), "cookie": respond(view)}


def visit(case):
    """What a session says to a view, and the cookie that is sent if that writes it."""
    with Settings(case):
        seen = {}

        def view(request):
            seen.update(request.session.items())
            request.session["visits"] = 1

        answer = attempt(lambda: respond(view, case["token"]))
        return {"seen": seen, "answer": answer}


def signed(case):
    """The value of a signed cookie, and what Django reads of another."""
    with Settings(case):
        response, request = HttpResponse(), HttpRequest()
        response.set_signed_cookie("theme", "dark")
        theirs = response.cookies["theme"].value

        def read(value):
            request.COOKIES["theme"] = value
            return request.get_signed_cookie("theme")

        old = signing.get_cookie_signer(salt="theme").sign("old")
        return {
            "settings": write_settings(),
            "cookie": theirs,
            "old": old,
            "read": attempt(lambda: read(case["value"])) if case["value"] else None,
            "read_old": attempt(lambda: read(old)),
        }


REQUESTS = {
    "about": about,
    "zoo": zoo,
    "messages": messages,
    "expire": expire,
    "visit": visit,
    "signed": signed,
}

if __name__ == "__main__":
    main()
