"""A shop of one page, which says who is there and shows the cart and the messages."""

from django.contrib import admin, messages
from django.contrib.auth.views import LogoutView
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST


def home(request):
    return render(request, "home.html", {"cart": request.session.get("cart", [])})


@require_POST
def add(request):
    request.session["cart"] = [*request.session.get("cart", []), request.POST["thing"]]
    return redirect("home")


@require_POST
def leave(request):
    messages.success(request, request.POST["text"], extra_tags="from-django")
    return redirect("/rust/")


urlpatterns = [
    path("", home, name="home"),
    path("add", add, name="add"),
    path("leave", leave, name="leave"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
