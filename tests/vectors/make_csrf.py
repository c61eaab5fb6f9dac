"""Makes `csrf.json`: every request that Django's own tests put to its CSRF check, and the verdicts.

Run as `python3 tests/vectors/make_csrf.py`, in the environments that `make.py` makes. The tests are
not in Django's wheels, so its source distributions are fetched; `csrf_tests` runs as it stands,
with a recorder around `CsrfViewMiddleware.process_view`.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # keep the source tree clean

HERE = Path(__file__).resolve().parent
# What the check looks at; the scheme of a request is recorded by itself.
SETTINGS = """
    ALLOWED_HOSTS CSRF_COOKIE_DOMAIN CSRF_COOKIE_NAME CSRF_HEADER_NAME CSRF_TRUSTED_ORIGINS
    CSRF_USE_SESSIONS DEBUG SESSION_COOKIE_DOMAIN USE_X_FORWARDED_HOST USE_X_FORWARDED_PORT
""".split()


def main():
    import make

    made_with, vectors = {}, {}
    for python in make.environments():
        with tempfile.TemporaryDirectory() as folder:
            version = output([python, "-c", "import django; print(django.__version__)"]).strip()
            fetch = "-m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all:"
            output([python, *fetch.split(), "--dest", folder, f"Django=={version}"])
            (archive,) = Path(folder).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tests = [member for member in tar if "/tests/csrf_tests/" in member.name]
                tar.extractall(folder, tests, filter="data")
            (tests,) = Path(folder).glob("*/tests")
            answer = json.loads(output([python, __file__, "record", tests]))
        made_with[version] = answer["python"]
        for vector in answer["vectors"]:
            name = vector.pop("id")
            # Versions that agree share a vector.
            found = vectors.setdefault(json.dumps(vector), {"id": name, "django": [], **vector})
            if version not in found["django"]:
                found["django"].append(version)
    vectors = list(vectors.values())
    names = [vector["id"] for vector in vectors]
    for number, vector in enumerate(vectors):
        if names.count(vector["id"]) > 1:
            vector["id"] += f"_{names[:number].count(vector['id'])}"
    about = {
        "about": "The requests of Django's own csrf_tests, and the verdicts on them.",
        "made_by": "tests/vectors/make_csrf.py",
        "made_with": made_with,
    }
    make.write(HERE / "csrf.json", about, vectors)


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def record(folder):
    """Runs the tests in a folder, and prints what they asked."""
    import django
    from django.conf import settings

    # As Django's `runtests.py`.
    settings.configure(
        SECRET_KEY="django_tests_secret_key",
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()
    from django.http import UnreadablePostError
    from django.middleware.csrf import CSRF_SESSION_KEY, CsrfViewMiddleware
    from django.test.runner import DiscoverRunner

    vectors, running = [], []
    process_view, reject = CsrfViewMiddleware.process_view, CsrfViewMiddleware._reject
    reasons = []

    def recorded_reject(self, request, reason):
        reasons.append(reason)
        return reject(self, request, reason)

    def recorded(self, request, callback, *rest):
        is_exempt = (
            getattr(request, "csrf_processing_done", False)
            or getattr(callback, "csrf_exempt", False)
            or getattr(request, "_dont_enforce_csrf_checks", False)
        )
        reasons.clear()
        result = process_view(self, request, callback, *rest)
        vector = {**described(request), "refused": reasons[0] if reasons else None}
        # One cookie has 100,000 characters, which no server takes.
        if not is_exempt and len(vector["secret"] or "") <= 4096:
            vectors.append(vector)
        return result

    def described(request):
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in request.META.items()
            if name.startswith("HTTP_") and name != "HTTP_COOKIE"
        }
        port = request.META.get("SERVER_PORT", "80")
        # A browser that calls another port names it. Django asks for the server's own.
        if port not in ("80", "443") and "x-forwarded-port" not in headers and "host" in headers:
            if ":" not in headers["host"]:
                headers["host"] += f":{port}"
        try:
            token = request.POST.get("csrfmiddlewaretoken")
        except UnreadablePostError:
            token = None
        if settings.CSRF_USE_SESSIONS:
            secret = request.session.get(CSRF_SESSION_KEY)
        else:
            secret = request.COOKIES.get(settings.CSRF_COOKIE_NAME)
        return {
            "id": running[-1],
            "settings": {name: getattr(settings, name) for name in SETTINGS},
            "https": request.is_secure(),
            "method": request.method,
            "headers": headers,
            "secret": secret,
            "form_token": token,
        }

    CsrfViewMiddleware.process_view, CsrfViewMiddleware._reject = recorded, recorded_reject

    sys.path.insert(0, folder)
    from django.test import SimpleTestCase

    set_up = SimpleTestCase.setUp

    def recorded_set_up(self):
        running.append(self.id().removeprefix("csrf_tests.tests."))
        set_up(self)

    SimpleTestCase.setUp = recorded_set_up
    suite = DiscoverRunner(verbosity=0).build_suite(["csrf_tests.tests"])
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    assert result.wasSuccessful() and result.testsRun > 100, result
    print(json.dumps({"python": sys.version.split()[0], "vectors": vectors}))


if __name__ == "__main__":
    record(sys.argv[2]) if sys.argv[1:2] == ["record"] else main()
