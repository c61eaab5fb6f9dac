"""A real Django site with a user model of its own and, if they are there, well-known packages.

Asked and answered as `worker.py`. The folder of the packages is the first argument.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory()
PACKAGES = sys.argv[1:]
sys.path[:0] = [FOLDER.name, *PACKAGES]

# As pretix does it: another salt, another message, and the algorithm that is the default.
APP = Path(FOLDER.name) / "people"
APP.mkdir()
(APP / "__init__.py").touch()
(APP / "models.py").write_text('''
import warnings

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac


class Person(AbstractUser):
    own_hash = True
    session_token = models.CharField(max_length=32, default="a1b2c3")

    def of(self, secret):
        message = f"{self.password}{self.email}{self.session_token}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return salted_hmac("people.Person.get_session_auth_hash", message, secret).hexdigest()

    def get_session_auth_hash(self):
        return self.of(settings.SECRET_KEY) if Person.own_hash else super().get_session_auth_hash()

    def get_session_auth_fallback_hash(self):
        if not Person.own_hash:
            return super().get_session_auth_fallback_hash()
        return map(self.of, settings.SECRET_KEY_FALLBACKS)
''')
(Path(FOLDER.name) / "urls.py").write_text('''
import json

from django import forms
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import LoginView
from django.http import JsonResponse
from django.urls import include, path


def who(request):
    name = request.user.username if request.user.is_authenticated else None
    return JsonResponse({"who": name, "session": dict(request.session.items())})


def password(request):
    request.user.set_password(request.POST["password"])
    request.user.save()
    update_session_auth_hash(request, request.user)
    return who(request)


urlpatterns = [
    path("who", who),
    path("password", password),
    path("login", LoginView.as_view(template_name="page.html", next_page="/who")),
]

if "formtools" in settings.INSTALLED_APPS:
    from formtools.wizard.views import SessionWizardView

    class Address(forms.Form):
        street = forms.CharField()

    class Payment(forms.Form):
        card = forms.CharField()

    class Order(SessionWizardView):
        template_name = "page.html"
        form_list = [Address, Payment]

        def done(self, form_list, **kwargs):
            return JsonResponse(self.get_all_cleaned_data())

    urlpatterns += [
        path("order", Order.as_view()),
        path("accounts/", include("allauth.urls")),
        path("hijack/", include("hijack.urls")),
    ]
''')

import django  # noqa: E402
from django.conf import settings  # noqa: E402

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
ALLAUTH_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"

settings.configure(
    SECRET_KEY="a key of the people's site, 0123456789-0123456789",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    USE_TZ=True,
    TIME_ZONE="Europe/Paris",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="urls",
    AUTH_USER_MODEL="people.Person",
    AUTHENTICATION_BACKENDS=[ALLAUTH_BACKEND if PACKAGES else MODEL_BACKEND],
    # Quick, and as good as any for a test.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    LOGIN_REDIRECT_URL="/who",
    LOGOUT_REDIRECT_URL="/who",
    ACCOUNT_LOGIN_METHODS={"email"},
    ACCOUNT_SIGNUP_FIELDS=["email*", "password1*"],
    ACCOUNT_EMAIL_VERIFICATION="none",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "people",
        *(["allauth", "allauth.account", "formtools", "hijack"] if PACKAGES else []),
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        *(
            ["allauth.account.middleware.AccountMiddleware", "hijack.middleware.HijackUserMiddleware"]
            if PACKAGES
            else []
        ),
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"page.html": "{{ form.errors }}"}),
                    "django.template.loaders.app_directories.Loader",
                ],
                "context_processors": ["django.template.context_processors.request"],
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

Person = get_user_model()
SCRIPT = compile(
    (Path(__file__).parents[2] / "src/django/write_settings.py").read_text("utf-8"), "script", "exec"
)


def main():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        do = REQUESTS[request["do"]]
        answers = json.dumps([do(case) for case in request["cases"]])
        sys.stdout.buffer.write(answers.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def about(case):
    return {"django": django.__version__, "python": sys.version.split()[0]}


def start(case):
    """Sets the site up again, and says what the script of the documentation writes of it."""
    Person.own_hash = case["own_hash"]
    settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS = case["secrets"]
    file = Path(FOLDER.name) / "settings.json"
    os.environ["SETTINGS_JSON"] = str(file)
    exec(SCRIPT, {"__name__": "__main__"})
    return file.read_text("ascii")


def person(case):
    """Creates somebody, or finds them; says what is in the row, and what hashes the model makes."""
    found = Person.objects.filter(username=case["name"]).first()
    if found is None:
        create = Person.objects.create_superuser if case["admin"] else Person.objects.create_user
        found = create(case["name"], f"{case['name']}@example.com", "correct horse")
    return {
        "id": found.pk,
        "password": found.password,
        "hashes": [found.get_session_auth_hash(), *found.get_session_auth_fallback_hash()],
    }


def page(case):
    """Has a view answer, and says what becomes of the session's cookie: null if it stays."""
    client = Client()
    if case["token"]:
        client.cookies[settings.SESSION_COOKIE_NAME] = case["token"]
    if case["form"] is None:
        response = client.get(case["path"])
    else:
        response = client.post(case["path"], case["form"])
    cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
    return {
        "status": response.status_code,
        "cookie": None if cookie is None else cookie.value,
        "body": response.content.decode(),
    }


REQUESTS = {"about": about, "start": start, "person": person, "page": page}

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    main()
