"""A shop of one page, which says who is there and shows the cart, the messages and the cookie."""

import hashlib
import time
from datetime import datetime, timezone

import cookie_sessions
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.auth.views import LogoutView
from django.core import signing
from django.dispatch import receiver
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST


def home(request):
    return render(request, "home.html", {"cart": request.session.get("cart", [])})


@require_POST
def add(request):
    thing = request.POST["thing"]
    request.session["cart"] = [*request.session.get("cart", []), thing]
    say(request, f"Django put {thing} into the cart, and signed the cookie again.")
    return redirect("home")


@require_POST
def leave(request):
    messages.success(request, request.POST["text"], extra_tags="from-django")
    return redirect("/rust/")


@receiver(user_logged_in)
def say_who_is_in(request, user, **kwargs):
    say(request, f"Django checked the password and logged {user.get_username()} in, for Rust too.")


@receiver(user_logged_out)
def say_who_is_out(request, **kwargs):
    say(request, "Django ended the session and had the cookie removed. Rust knows nobody either.")


def say(request, text):
    messages.info(request, text, extra_tags="from-django", fail_silently=True)


def about_the_cookie(request):
    """Is a context processor: what the pages say of the cookie, of the keys and of the password."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    token = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return {
        "cookie": token and cookie(token, keys, request.headers.get("X-Signed-By")),
        "keys": [hashlib.sha256(key.encode()).hexdigest()[:8] for key in keys],
        "ada_password": (settings.FOLDER / "password").read_text(),
    }


def cookie(token, keys, signed_by):
    payload, stamp, signature = [*token.split(":"), "", "", ""][:3]
    parts = {"payload": payload, "stamp": stamp, "signature": signature}
    try:
        signed, moment, _ = cookie_sessions.verified(token, time.time())
    except Exception:
        return parts | {"refused": True, "hue": "bad", "key": None}
    signers = [signing.Signer(key=key, salt=cookie_sessions.SALT) for key in keys]
    key = [signer.sign(signed) for signer in signers].index(token)
    return parts | {
        "signed_by": signed_by or "somebody",
        "signed_at": datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "key": key,
        "hue": "late" if key else "good",
    }


urlpatterns = [
    path("", home, name="home"),
    path("add", add, name="add"),
    path("leave", leave, name="leave"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
