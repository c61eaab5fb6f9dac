"""What `startproject` writes, but for the sessions, which are kept in the cookie."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ["SHOP_FOLDER"])

# A line each: the first signs, and all are accepted.
SECRET_KEY, *SECRET_KEY_FALLBACKS = (FOLDER / "secret_keys").read_text().splitlines()

# The one setting that matters: the default keeps sessions in the database. The cookies of this
# engine are those of Django's own, and it refuses the same ones as Rust.
SESSION_ENGINE = "cookie_sessions"

ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "shop"
LOGIN_URL = "admin:login"
LOGOUT_REDIRECT_URL = "/"
STATIC_URL = "static/"
STATICFILES_DIRS = [HERE / "static"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"},
}
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "ended.EndedSessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.about_the_cookie",
            ]
        },
    }
]
