"""One login, two languages: a real Django and the Rust program beside this file share a cookie.

    python3 examples/share_with_django.py

A Django with a database and a user is started on loopback; the user logs in; Rust reads the cookie
and changes the session; Django reads what Rust wrote. Django itself is installed on the first run,
into a virtual environment under target/.
"""

import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "target" / "share_with_django"


def main():
    with tempfile.TemporaryDirectory() as directory:
        site = Site(Path(directory) / "db.sqlite3")
        cookie = site.log_in("ada", "analytical engine")
        print(f"Django {site.version}: ada has logged in")
        print(f"  Cookie: {cookie}\n")

        print("Rust, given this cookie:")
        answer = run_rust(cookie, site.secret)
        print(indented(answer))

        set_cookie = answer.splitlines()[-1].removeprefix("Set-Cookie: ")
        cookie = set_cookie.split(";")[0]
        print("Django, given the cookie that Rust set:")
        print(indented(site.who_am_i(cookie)))
        payload, stamp, signature = cookie.rsplit(":", 2)
        print("Django, given the same with one character changed:")
        forged = f"{payload}:{stamp}:{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
        print(indented(site.who_am_i(forged)))


def run_rust(cookie, secret):
    """Runs the program named on the command line, or has cargo build and run it."""
    cargo = ["cargo", "run", "--quiet", "--example", "share_with_django", "--"]
    program = sys.argv[1:2] or cargo
    environment = os.environ | {"DJANGO_SECRET_KEY": secret}
    try:
        result = subprocess.run(
            [*program, f"Cookie: {cookie}"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        sys.exit(f"error: {program[0]} was not found")
    if result.returncode:
        sys.exit("error: the Rust program failed")
    return result.stdout.rstrip()


def indented(text):
    return "".join(f"  {line}\n" for line in text.splitlines())


class Site:
    """A Django project in one object: a user, a page to log in, and one that says who is there."""

    def __init__(self, database):
        import django
        from django.conf import settings
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application

        self.version = django.get_version()
        self.secret = secrets.token_urlsafe(50)
        settings.configure(
            SECRET_KEY=self.secret,
            ALLOWED_HOSTS=["127.0.0.1"],
            ROOT_URLCONF=self,
            USE_TZ=True,
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
            ],
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        )
        django.setup()
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User
        from django.urls import path

        User.objects.create_user("ada", password="analytical engine")
        self.urlpatterns = [path("login", self.login_view), path("", self.home_view)]
        server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def login_view(self, request):
        from django.contrib.auth import authenticate, login
        from django.http import HttpResponse

        user = authenticate(
            request, username=request.POST["username"], password=request.POST["password"]
        )
        if user is None:
            return HttpResponse("wrong password", status=403)
        login(request, user)
        request.session["cart"] = ["apples", "pears"]
        return HttpResponse("welcome")

    def home_view(self, request):
        from django.http import HttpResponse

        entries = {key: value for key, value in request.session.items() if not key.startswith("_")}
        name = request.user.get_username() or "nobody"
        return HttpResponse(f"{name} is logged in\n{json.dumps(entries)}")

    def log_in(self, username, password):
        """Logs in as a browser does, and returns the cookie that it would send from then on."""
        form = urllib.parse.urlencode({"username": username, "password": password})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = self.request("POST", "/login", form, headers)
        assert response.status == 200, response.status
        return response.getheader("Set-Cookie").split(";")[0]

    def who_am_i(self, cookie):
        return self.request("GET", "/", None, {"Cookie": cookie}).read().decode()

    def request(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        return connection.getresponse()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def with_django():
    """Goes on in a Python that has Django; installs one under target/ if this one has none."""
    try:
        import django  # noqa: F401

        return
    except ImportError:
        pass
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "done"
    if not done.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "django>=4.2,<7"], check=True)
        except subprocess.CalledProcessError:
            sys.exit("error: Django could not be installed with Python's venv and pip")
        done.touch()
    os.execv(python, [str(python), *sys.argv])


if __name__ == "__main__":
    with_django()
    main()
