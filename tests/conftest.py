"""A web server on this machine that misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest


class Site:
    """What is served, and how.

    Attributes
    ----------
    files : dict
        Path -> content.
    cuts : list of int
        For each of the next answers: after how many bytes of the body the connection breaks.
    codes : list of int
        For each of the next answers: an error instead.
    ranges : {"obey", "ignore", "other"}
        What becomes of a request for a part.
    asked : list of (path, Range header or "")
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.codes: list[int] = []
        self.ranges = "obey"
        self.lengths = True
        self.asked: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        site, path = self.site, unquote(urlsplit(self.path).path)
        wanted = self.headers.get("Range", "")
        site.asked.append((path, wanted))
        self.close_connection = True
        if site.codes:
            return self.send_error(site.codes.pop(0))
        if path not in site.files:
            return self.send_error(404)
        body, start = site.files[path], 0
        if wanted and site.ranges != "ignore":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.send_error(416)
            if site.ranges == "other":
                start = 0
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if site.lengths:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(rest[: site.cuts.pop(0)] if site.cuts else rest)
        return None


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Keep quiet about clients that hang up."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A running server; ``site.files`` is what it has."""
    from sedbench.data import transfer

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    handler = type("Mine", (Handler,), {})
    server = Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler.site
    server.shutdown()
    thread.join()
    server.server_close()
