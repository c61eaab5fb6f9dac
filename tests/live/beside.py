"""Does with the real Django what a site does beside which a Rust service stands.

Asked and answered as `worker.py`, and with a database: who is logged in is looked up there.
"""

import json
import sys
import time
from io import BytesIO

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
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.core.handlers.wsgi import WSGIRequest  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.middleware.csrf import CsrfViewMiddleware, get_token  # noqa: E402


def main():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        do = REQUESTS[request["do"]]
        answers = json.dumps([do(case) for case in request["cases"]])
        sys.stdout.buffer.write(answers.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def about(case):
    return {"django": django.__version__, "python": sys.version.split()[0]}


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


REQUESTS = {
    "about": about,
    "step": step,
}

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    time.time = lambda: Clock.now
    main()
