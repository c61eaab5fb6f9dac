"""A real Django site, with or without the receiver and the middleware of `src/django/ended.py`.

Asked and answered as `worker.py`. With the argument `with`, the site has them; without it, not.
"""

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HAS_THEM = sys.argv[1:] == ["with"]
sys.path.insert(0, str(ROOT / "src/django"))

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    SECRET_KEY="a key of the site whose sessions end, 0123456789-0123456789",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    USE_TZ=True,
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    # Quick, and as good as any for a test.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        *(["ended.EndedSessions"] if HAS_THEM else []),
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib import auth  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


class Clock:
    now = 0.0


def who(request):
    """Says who is there, and with what status it was wanted to."""
    name = request.user.username if request.user.is_authenticated else None
    status = int(request.GET.get("status", 200))
    return JsonResponse({"who": name, "session": dict(request.session.items())}, status=status)


def login(request):
    auth.login(request, User.objects.get(username=request.GET["name"]))
    return who(request)


def logout(request):
    auth.logout(request)
    return who(request)


def password(request):
    """Changes the password, as Django's own view does."""
    request.user.set_password(request.GET["to"])
    request.user.save()
    auth.update_session_auth_hash(request, request.user)
    return who(request)


def everywhere(request):
    """Signs the user out everywhere, this browser included."""
    # Importing it connects the receiver.
    import ended

    ended.end_all(request.user.pk)
    return JsonResponse({})


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return who(request)


def plain(request):
    """Asks nothing of the session."""
    return JsonResponse({})


VIEWS = (who, login, logout, password, everywhere, visit, plain)
urlpatterns = [path(view.__name__, view) for view in VIEWS]


def main():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        do = REQUESTS[request["do"]]
        answers = json.dumps([do(case) for case in request["cases"]])
        sys.stdout.buffer.write(answers.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def about(case):
    return {"django": django.__version__, "python": sys.version.split()[0]}


def page(case):
    """Has a view answer at a moment, and says what becomes of the cookie: null if it stays."""
    Clock.now = case["now"] / 1_000_000
    client = Client(raise_request_exception=False)
    if case["token"]:
        client.cookies[settings.SESSION_COOKIE_NAME] = case["token"]
    response = client.get(case["path"])
    cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
    return {
        "status": response.status_code,
        "cookie": None if cookie is None else cookie.value,
        "varies": response.get("Vary", ""),
        "body": response.json(),
    }


def user(case):
    """Says the row of a user."""
    found = User.objects.get(username=case)
    return {"id": found.pk, "password": found.password}


def write(case):
    """Appends a line to the table, as a service does."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT OR IGNORE INTO ended(at, line) VALUES (%s, %s)", [0, case])


def read(case):
    """Says all lines of the table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT line FROM ended ORDER BY seq")
        return [row[0] for row in cursor.fetchall()]


def forget(case):
    """Empties the table: nothing is ended."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ended")


def rotate(case):
    """Signs with another secret from now on, and still accepts the one before."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = case, [settings.SECRET_KEY]


REQUESTS = {
    "about": about,
    "page": page,
    "user": user,
    "write": write,
    "read": read,
    "forget": forget,
    "rotate": rotate,
}

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    # As in `examples/shop/src/sqlite.rs`.
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE ended("
            "seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, line TEXT NOT NULL UNIQUE)"
        )
    for name in ("ada", "grace"):
        # The same in each process, so that one takes the other's sessions.
        password = make_password("correct horse", salt="a-salt-of-the-tests")
        User.objects.create(username=name, password=password)
    time.time = lambda: Clock.now
    main()
