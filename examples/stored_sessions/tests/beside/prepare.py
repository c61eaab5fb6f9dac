"""Prepares the project of this folder: tables, a user, and the settings for the Rust service."""

import os
import sys

import django
from django.core.management import call_command

sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
django.setup()

from django.contrib.auth.models import User  # noqa: E402

call_command("migrate", verbosity=0)
User.objects.create_superuser("ada", password=sys.argv[1])
exec(open(sys.argv[2]).read())
