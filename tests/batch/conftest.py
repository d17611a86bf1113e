"""A web server for batches whose files lie elsewhere."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT, SPEECH = ROOT / "assets/portrait.png", ROOT / "assets/speech.wav"
SECRET = "s3cr3t"  # noqa: S105 - nobody's


class Web(ThreadingHTTPServer):
    """A web server that keeps files, for those who know the secret."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.status = 0
        """Answered to the next request of ``failing``."""
        self.failing = ""
        self.seen: list[str] = []

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}?signature={SECRET}"


class Answer(BaseHTTPRequestHandler):
    server: Web

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.allowed("PUT") and len(body) == int(self.headers["Content-Length"]):
            self.server.files[urlsplit(self.path).path] = body
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def allowed(self, method):
        self.server.seen.append(f"{method} {urlsplit(self.path).path}")
        known = base64.b64encode(f"me:{SECRET}".encode()).decode()
        trusted = SECRET in self.path or self.headers.get("Authorization") == f"Basic {known}"
        status = self.server.status if method == self.server.failing else 0 if trusted else 403
        if status:
            self.server.failing = ""
            self.send_error(status)
        return not status

    def answer(self):
        if not self.allowed(self.command):
            return
        content = self.server.files.get(urlsplit(self.path).path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(name="web")
def web_fixture(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    web = Web()
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    web.files = {"/in/ann.png": PORTRAIT.read_bytes(), "/in/hello.wav": SPEECH.read_bytes()}
    yield web
    web.shutdown()
    web.server_close()
    thread.join()
