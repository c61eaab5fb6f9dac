"""Replaces the `urls.py` of `startproject`: the pages of the Rust service, and what the tests ask."""

from datetime import timedelta

from django.contrib import admin, auth
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone


def home(request):
    name = request.user.get_username() or "stranger"
    cart = ", ".join(request.session.get("cart", []))
    return HttpResponse(f"hello, {name}\ncart: {cart}\n", content_type="text/plain")


def set_entry(request, key):
    request.session[key] = [*request.session.get(key, []), request.GET["thing"]]
    return home(request)


def logout(request):
    auth.logout(request)
    return home(request)


def set_expiry(request):
    request.session.set_expiry(int(request.GET["seconds"]))
    return home(request)


def interrupted(request):
    """Is what a logout does in another request, between this one's reading and writing."""
    request.session["cart"] = ["figs"]
    Session.objects.filter(session_key=request.session.session_key).delete()
    return home(request)


def rows(request):
    return JsonResponse(
        [
            {
                "key": row.session_key,
                "expires": (row.expire_date - timezone.now()).total_seconds(),
                "data": row.get_decoded(),
                "text": row.session_data,
            }
            for row in Session.objects.all()
        ],
        safe=False,
    )


def expire(request, key):
    """Moves the end of a session into the past, by as little as can be told apart."""
    past = timezone.now() - timedelta(milliseconds=1)
    return HttpResponse(Session.objects.filter(session_key=key).update(expire_date=past))


def clear_expired(request):
    SessionStore.clear_expired()
    return HttpResponse("0")


def replace(request, key):
    return HttpResponse(
        Session.objects.filter(session_key=key).update(session_data=request.GET["data"])
    )


def user(request, name):
    """Creates a user, or changes the password of one, and says when the last login was."""
    user, _ = User.objects.get_or_create(username=name)
    if "password" in request.GET:
        user.set_password(request.GET["password"])
        user.save()
    if "active" in request.GET:
        user.is_active = request.GET["active"] == "yes"
        user.save()
    return JsonResponse({"last_login": user.last_login and user.last_login.timestamp()})


urlpatterns = [
    path("", home),
    path("set/<key>", set_entry),
    path("logout", logout),
    path("set-expiry", set_expiry),
    path("interrupted", interrupted),
    path("rows", rows),
    path("expire/<key>", expire),
    path("clear-expired", clear_expired),
    path("replace/<key>", replace),
    path("user/<name>", user),
    path("admin/", admin.site.urls),
]
