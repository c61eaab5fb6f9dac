"""Runs Django's own tests of signed-cookie sessions: on Django's engine, and on that of the guide.

The arguments are the folders of that engine and of Django's tests. The output is JSON.
"""

import json
import sys
import unittest

import django
from django.conf import settings
from django.contrib.sessions.backends import signed_cookies

settings.configure(
    INSTALLED_APPS=["django.contrib.sessions", "sessions_tests"],
    SECRET_KEY="a key of these tests, 0123456789-0123456789-0123456789",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
)
sys.path[:0] = sys.argv[1:]
django.setup()

import cookie_sessions  # noqa: E402
from django.test.utils import override_settings, setup_test_environment  # noqa: E402
from sessions_tests.tests import CookieSessionTests  # noqa: E402


def run(store):
    tests = type("EngineTests", (CookieSessionTests,), {"backend": store})
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(tests)
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    return {
        "run": result.testsRun,
        "skipped": len(result.skipped),
        "failed": [name(test) for test, _ in result.failures + result.errors],
        "failed_as_expected": [name(test) for test, _ in result.expectedFailures],
        "succeeded_unexpectedly": [name(test) for test in result.unexpectedSuccesses],
    }


def name(test):
    return test.id().rpartition(".")[2]


setup_test_environment()
results = [run(signed_cookies.SessionStore), run(cookie_sessions.SessionStore)]
with override_settings(SESSION_ABSOLUTE_AGE=60):
    results.append(run(cookie_sessions.SessionStore))
print(json.dumps(results))
