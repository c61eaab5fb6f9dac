"""Ends sessions in Django that were ended in Rust, and records the sessions that end in Django.

A receiver gives the session of a login an identity. A middleware queries the table of ended
sessions, which the services in Rust read and write as well:

    CREATE TABLE IF NOT EXISTS ended(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        line TEXT NOT NULL UNIQUE  -- in Postgres: COLLATE "C"
    )

In MIDDLEWARE, put "ended.EndedSessions" after "...SessionMiddleware".
"""

import base64
import hashlib
import json
import secrets
import struct
import time

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.core.signing import b62_decode
from django.db import connection
from django.dispatch import receiver

# In microseconds: the lifetime that the services pass to `Revocations::new`, and the clock skew.
LIFETIME = 30 * 24 * 60 * 60 * 1_000_000
SKEW = 5 * 60 * 1_000_000


def now():
    return int(time.time() * 1_000_000)


def line(**fields):
    """Returns a revocation as a line, byte for byte as the services write it."""
    return json.dumps({"v": 1, **fields}, separators=(",", ":"))


def ended_by(subject):
    """Returns the time up to which all sessions of a subject, or of everyone, were ended."""
    everyone, own = line()[:-1] + ',"by":', line(subject=subject)[:-1] + ',"by":'
    select = "SELECT line FROM ended WHERE line BETWEEN %s AND %s OR line BETWEEN %s AND %s"
    with connection.cursor() as cursor:
        # A colon comes after all digits.
        cursor.execute(select, [everyone, everyone + ":", own, own + ":"])
        moments = [json.loads(row[0])["by"] for row in cursor.fetchall()]
    # A time further in the future is from a machine whose clock is wrong.
    return max((by for by in moments if by <= now() + 3 * SKEW), default=0)


def has_ended(subject, identity):
    began = struct.unpack(">q", base64.urlsafe_b64decode(identity + "==")[:8])[0]
    if began + LIFETIME < now() or began <= ended_by(subject):
        return True
    with connection.cursor() as cursor:
        one = line(subject=subject, session=identity)
        cursor.execute("SELECT 1 FROM ended WHERE line = %s", [one])
        return cursor.fetchone() is not None


def record(text):
    insert = "INSERT INTO ended(at, line) VALUES (%s, %s) ON CONFLICT DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(insert, [int(time.time()), text])


def end(subject, identity):
    """Ends one session."""
    record(line(subject=subject, session=identity))


def end_all(subject):
    """Ends all sessions of a user, here and in the services: signs the user out everywhere.

    The clock of the machine on which a session began may be ahead of this one.
    """
    subject = str(subject)
    record(line(subject=subject, by=max(now() + SKEW, ended_by(subject) + 1)))


def new_identity(began, random):
    return base64.urlsafe_b64encode(struct.pack(">q", began) + random).decode("ascii").rstrip("=")


def adopt(session):
    """Gives an identity to a session without one: every holder of its token derives the same."""
    signed = session.session_key.rsplit(":", 1)[0]
    stamp = b62_decode(signed.rsplit(":", 1)[1])
    random = hashlib.sha256(b"signed-session adopt\0" + signed.encode("ascii")).digest()[:8]
    session["_session_id"] = new_identity(stamp * 1_000_000 + SKEW, random)


def whose_and_which(session):
    """Returns the subject and the identity of a session, or None if it is anonymous."""
    subject, identity = session.get(SESSION_KEY), session.get("_session_id")
    return (str(subject), identity) if subject is not None and identity else None


@receiver(user_logged_in)
def begin(sender, request, user, **kwargs):
    """Starts the session of a login after all revocations, even if the clock is behind."""
    if hasattr(request, "session"):
        began = max(now(), ended_by(str(user.pk)) + 1)
        request.session["_session_id"] = new_identity(began, secrets.token_bytes(8))


def has_new_password(request, came):
    """Returns True if the session has another password's hash than the one that came.

    Django also writes a hash when only SECRET_KEY was changed: that is the same password.
    """
    present = request.session.get(HASH_SESSION_KEY)
    if came is None or present is None or came == present:
        return False
    return came not in request.user.get_session_auth_fallback_hash()


class EndedSessions:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        session = request.session
        if SESSION_KEY in session and "_session_id" not in session:
            adopt(session)
        came = whose_and_which(session)
        if came and has_ended(*came):
            session.flush()
            came = None
        password = session.get(HASH_SESSION_KEY)
        response = self.get_response(request)
        if came and came == whose_and_which(session) and has_new_password(request, password):
            # Django keeps the identity. Copies with the old password are another session from now on,
            # or the end of one of them would end this one, too.
            begin(None, request, request.user)
        present = whose_and_which(session)
        # A logout takes effect with any status, a login only if the cookie is set, which a 5xx prevents.
        if came and came != present and (present is None or response.status_code < 500):
            end(*came)
        return response
