"""Does with the real Django what it does against forged requests.

Asked and answered as `worker.py`. Each request has settings of its own, and goes through
`CsrfViewMiddleware`, inside of `SessionMiddleware` if the case has a session.
"""

import json
import sys
from io import BytesIO

import django
from django.conf import settings

settings.configure(
    USE_TZ=True,
    SECRET_KEY="test-secret-key-0123456789",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib.sessions.middleware import SessionMiddleware  # noqa: E402
from django.core.handlers.wsgi import WSGIRequest  # noqa: E402
from django.http import HttpResponse, HttpResponseForbidden  # noqa: E402
from django.middleware.csrf import CsrfViewMiddleware, get_token, rotate_token  # noqa: E402
from django.test.utils import override_settings  # noqa: E402


def main():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        do = REQUESTS[request["do"]]
        answers = json.dumps([do(case) for case in request["cases"]])
        sys.stdout.buffer.write(answers.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def about(case):
    return {"django": django.__version__, "python": sys.version.split()[0]}


class Csrf(CsrfViewMiddleware):
    def _reject(self, request, reason):
        return HttpResponseForbidden(reason)


def view(request, steps):
    """Takes the steps of a page, and shows what came of the last one."""
    token = ""
    for step in steps:
        if step == "token":
            token = get_token(request)
        elif step == "login":  # as `django.contrib.auth.login`
            request.session.cycle_key()
            rotate_token(request)
        elif step == "logout":
            request.session.flush()
    return HttpResponse(token)


def visit(case):
    """Makes a request, and says what became of it."""
    names = {name for name in case["settings"] if hasattr(settings, name)}
    # One that this Django does not know any more is as if it were not set.
    with override_settings(**{name: case["settings"][name] for name in names}):
        body = case["body"].encode("latin-1")
        environ = {
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "http",
            "SERVER_NAME": "unknown",
            "SERVER_PORT": case["port"],
            "REQUEST_METHOD": case["method"],
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in case["headers"]:
            key = name.upper().replace("-", "_")
            key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
            separator = "; " if key == "HTTP_COOKIE" else ","
            # As `wsgiref` joins several.
            environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
        request = WSGIRequest(environ)
        csrf = Csrf(HttpResponse)
        sessions = SessionMiddleware(HttpResponse)
        try:
            sessions.process_request(request)
            csrf.process_request(request)
            refusal = csrf.process_view(request, view, (), {})
            response = refusal or view(request, case["steps"])
            response = csrf.process_response(request, response)
            response = sessions.process_response(request, response)
        except (TypeError, ValueError) as error:
            # The server's answer is 500.
            return {"error": type(error).__name__}
        return {
            "refusal": response.content.decode() if refusal else None,
            "token": "" if refusal else response.content.decode(),
            "set_cookie": [cookie.OutputString() for cookie in response.cookies.values()],
        }


REQUESTS = {"about": about, "visit": visit}

if __name__ == "__main__":
    main()
