"""Does with the real Django what a site does beside which a Rust service stands.

Asked and answered as `worker.py`, and with a database: who is logged in is looked up there.
"""

import http.cookies
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

import django
from django.conf import settings

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"

settings.configure(
    USE_TZ=True,
    SECRET_KEY="set by every case",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
    ],
    AUTHENTICATION_BACKENDS=[MODEL_BACKEND, "django.contrib.auth.backends.AllowAllUsersModelBackend"],
    CSRF_USE_SESSIONS=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib import auth  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.messages.storage import default_storage  # noqa: E402
from django.contrib.sessions.backends.cached_db import SessionStore as CachedStore  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore  # noqa: E402
from django.contrib.sessions.backends.file import SessionStore as FileStore  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session as StoredSession  # noqa: E402
from django.core import signing  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.handlers.wsgi import WSGIRequest  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.middleware.csrf import CsrfViewMiddleware, get_token  # noqa: E402
from django.utils import timezone as django_timezone  # noqa: E402
from django.utils.http import url_has_allowed_host_and_scheme  # noqa: E402
from django.utils.safestring import SafeData, mark_safe  # noqa: E402


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


class Clock:
    now = 0.0


def set_site(case):
    Clock.now = case["now"]
    settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS = case["secrets"]


def dumps(data):
    return json.dumps(data, separators=(",", ":"))


def request_with(cookies=None):
    environ = {"REQUEST_METHOD": "GET", "wsgi.input": BytesIO()}
    if cookies is not None:
        environ["HTTP_COOKIE"] = cookies
    return WSGIRequest(environ)


# Who is logged in


def step(case):
    """Takes one step with a session, and says what came of it."""
    set_site(case)
    User.objects.bulk_create(
        [User(username=f"user {user['id']}", **user) for user in case["users"]],
        update_conflicts=True,
        update_fields=["password", "is_active"],
        unique_fields=["id"],
    )
    request = request_with()
    request.session = SessionStore(case["token"])
    answer = STEPS[case["step"]](request, case)
    # As its middleware would, with the secret in the session.
    if request.META.get("CSRF_COOKIE_NEEDS_UPDATE"):
        CsrfViewMiddleware(HttpResponse)._set_csrf_cookie(request, HttpResponse())
    session = request.session
    modified = session.modified
    if not session.is_empty():
        session.save()
    return {
        "answer": answer,
        "data": dumps(dict(session.items())),
        "modified": modified,
        # None where the middleware has the cookie deleted.
        "token": session.session_key or None,
    }


def get_user(request, case):
    user = auth.get_user(request)
    return str(user.pk) if user.is_authenticated else None


def login(request, case):
    auth.login(request, User.objects.get(pk=case["user"]), backend=case["backend"])


def logout(request, case):
    auth.logout(request)


def update_hash(request, case):
    request.user = User.objects.get(pk=case["user"])
    auth.update_session_auth_hash(request, request.user)


def csrf(request, case):
    get_token(request)


STEPS = {
    "get_user": get_user,
    "login": login,
    "logout": logout,
    "update_hash": update_hash,
    "csrf": csrf,
}


# Messages


def messages(case):
    """Shows and leaves messages as a request does, and says what it says to the browser."""
    set_site(case)
    for name, value in case["settings"].items():
        setattr(settings, name, value)
    request = request_with(case["cookies"])
    request.session = SessionStore()
    request.session._session_cache = json.loads(case["session"])
    storage = default_storage(request)
    shown = []
    for step in case["steps"]:
        if step is None:
            shown.append([row(message) for message in storage])
        else:
            safe, level, text, tags = step
            storage.add(level, mark_safe(text) if safe else text, extra_tags=tags)
    response = HttpResponse()
    unstored = storage.update(response) or []
    return {
        "shown": shown,
        "unstored": [row(message) for message in unstored],
        "set_cookie": [cookie.OutputString() for cookie in response.cookies.values()],
        "session": dumps(dict(request.session.items())),
        "modified": request.session.modified,
    }


def row(message):
    safe = isinstance(message.message, SafeData)
    return [safe, message.level, str(message.message), message.extra_tags, message.tags]


# Signed cookies


def set_cookie(case):
    """The Set-Cookie of a value, or None if a server could not send it."""
    set_site(case)
    response = HttpResponse()
    response.set_signed_cookie(case["name"], case["value"], salt=case["salt"])
    (cookie,) = response.cookies.values()
    text = cookie.OutputString()
    try:
        text.encode("latin-1")  # as WSGI servers do
    except UnicodeEncodeError:
        return None
    return text


def get_cookie(case):
    """What Django reads in a Cookie header, or the name of the error with which it refuses."""
    set_site(case)
    settings.SIGNED_COOKIE_LEGACY_SALT_FALLBACK = case["legacy"]
    request = request_with(case["cookies"])
    try:
        return {"ok": request.get_signed_cookie(case["name"], salt=case["salt"], max_age=case["max_age"])}
    except (KeyError, signing.BadSignature) as refusal:
        return {"error": type(refusal).__name__}


def legacy_cookie(case):
    """Signs a value as before the salt's length was in it."""
    set_site(case)
    signer = signing.get_cookie_signer(salt=case["name"] + case["salt"])
    return http.cookies.SimpleCookie({case["name"]: signer.sign(case["value"])}).output(header="").strip()


# Stored sessions


def write_stored(case):
    """Writes a session with a backend of Django's, and says the text that is stored."""
    set_site(case)
    store = STORES[case["backend"]]()
    store.update(json.loads(case["data"]))
    store.save()
    if case["backend"] == "file":
        return {"key": store.session_key, "text": Path(store._key_to_file()).read_text("ascii")}
    row = StoredSession.objects.get(pk=store.session_key)
    return {
        "key": store.session_key,
        "text": row.session_data,
        "expires": round(row.expire_date.timestamp() * 1000),
    }


def read_stored(case):
    """Reads what was put in the place of a stored session."""
    set_site(case)
    store = STORES[case["backend"]](case["key"])
    # Else a cached session would be read, and not the row.
    cache.clear()
    if case["backend"] == "file":
        # Django looks at the date of the file, which is the machine's.
        Path(store._key_to_file()).write_text(case["text"], "ascii")
        os.utime(store._key_to_file(), (case["now"], case["now"]))
    else:
        expires = datetime.fromtimestamp(case["expires"] / 1000, timezone.utc)
        StoredSession.objects.filter(pk=case["key"]).update(session_data=case["text"], expire_date=expires)
    return dumps(dict(store.items()))


STORES = {"db": DatabaseStore, "cached_db": CachedStore, "file": FileStore}


def is_local(path):
    return url_has_allowed_host_and_scheme(path, allowed_hosts=None)


REQUESTS = {
    "about": about,
    "step": step,
    "messages": messages,
    "set_cookie": set_cookie,
    "get_cookie": get_cookie,
    "legacy_cookie": legacy_cookie,
    "write_stored": write_stored,
    "read_stored": read_stored,
    "is_local": is_local,
}

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    # The clock of signing, and that of the sessions.
    time.time = lambda: Clock.now
    django_timezone.now = lambda: datetime.fromtimestamp(Clock.now, timezone.utc)
    with tempfile.TemporaryDirectory() as folder:
        settings.SESSION_FILE_PATH = folder
        main()
