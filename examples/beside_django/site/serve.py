"""Serves the shop on a free port of loopback, says which, and ends with whoever started it."""

import os
import sys
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
site = StaticFilesHandler(get_wsgi_application())
server = make_server("127.0.0.1", 0, site, server_class=Server, handler_class=Quiet)
Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
try:
    # Nothing is ever written to it: it closes when the program at the other end has exited.
    sys.stdin.read()
except KeyboardInterrupt:
    pass
