"""Writes the settings that a Rust service shares with this Django project, as JSON.

    python manage.py shell -c "exec(open('write_settings.py').read())"

The file is django-settings.json, or the one that the variable SETTINGS_JSON names. It contains
the site's secrets, so only its owner can read it. It is replaced as a whole, or not at all.
"""

import json
import math
import os
import tempfile
from datetime import timedelta

import django
from django.conf import settings
from django.utils.encoding import force_bytes
from django.utils.functional import LazyObject, Promise

NAMES = """
    SECRET_KEY SECRET_KEY_FALLBACKS SIGNING_BACKEND SIGNED_COOKIE_LEGACY_SALT_FALLBACK
    SESSION_ENGINE SESSION_SERIALIZER SESSION_COOKIE_NAME SESSION_COOKIE_AGE SESSION_COOKIE_DOMAIN
    SESSION_COOKIE_PATH SESSION_COOKIE_SECURE SESSION_COOKIE_HTTPONLY SESSION_COOKIE_SAMESITE
    SESSION_SAVE_EVERY_REQUEST SESSION_EXPIRE_AT_BROWSER_CLOSE USE_TZ TIME_ZONE
    AUTHENTICATION_BACKENDS MESSAGE_STORAGE MESSAGE_LEVEL MESSAGE_TAGS
    CSRF_COOKIE_NAME CSRF_COOKIE_AGE CSRF_COOKIE_DOMAIN CSRF_COOKIE_PATH CSRF_COOKIE_SECURE
    CSRF_COOKIE_HTTPONLY CSRF_COOKIE_SAMESITE CSRF_COOKIE_MASKED CSRF_USE_SESSIONS CSRF_HEADER_NAME
    CSRF_TRUSTED_ORIGINS ALLOWED_HOSTS DEBUG SECURE_PROXY_SSL_HEADER USE_X_FORWARDED_HOST
    USE_X_FORWARDED_PORT
""".split()


def secret(key):
    """Returns a key as Django uses it to sign: a string unchanged, anything else as bytes."""
    if type(key) is str or not key:
        return key or ""
    return {"hex": bytes(force_bytes(key)).hex()}


def spelled(value):
    """Converts a value that JSON cannot represent."""
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, LazyObject):
        bool(value)  # makes Django create the wrapped object
        return value._wrapped
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, timedelta):
        return {"timedelta": value.total_seconds()}
    return {"type": type(value).__name__}


site = {name: getattr(settings, name) for name in NAMES if hasattr(settings, name)}
site["DJANGO_VERSION"] = django.get_version()
site["SECRET_KEY"] = secret(settings.SECRET_KEY)
site["SECRET_KEY_FALLBACKS"] = [secret(key) for key in site.get("SECRET_KEY_FALLBACKS", [])]
for name, value in site.items():
    if isinstance(value, float) and not math.isfinite(value):
        site[name] = str(value)  # JSON has no such numbers
text = json.dumps(site, default=spelled, allow_nan=False)

path = os.path.realpath(os.environ.get("SETTINGS_JSON", "django-settings.json"))
handle, unfinished = tempfile.mkstemp(dir=os.path.dirname(path))
try:
    with open(handle, "w") as file:
        file.write(text + "\n")
    os.replace(unfinished, path)
except BaseException:
    os.unlink(unfinished)
    raise
