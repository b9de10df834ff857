"""One file over HTTP into a partial file, going on where an earlier attempt stopped.

The transport is pooch's. What is added: a request for the rest (``Range``) where part of the
file is here already, a clean restart where the server sends the whole file instead, a few
further attempts where the connection breaks, and errors that tell an unreachable server from
a file that it does not have. Nothing here judges the content: a partial file may be wrong,
which is why only its final hash decides (:mod:`sedbench.data.download`).

References
----------
Fielding, Nottingham & Reschke (eds.), "HTTP Semantics", RFC 9110, section 14, 2022.
Uieda et al., "Pooch: A friend to fetch your data files", JOSS 5(45), 2020.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from sedbench.errors import HashMismatchError, MissingDataError

Progress = Callable[[int, int], None]

CHUNK = 1 << 16  # what a broken connection loses at most
TIMEOUT = 30.0
PAUSE = 0.5
ATTEMPTS = 4  # in a row that bring nothing new
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)\Z")

ELSEWHERE = "name a copy of it instead: --from DIR, FILE or URL"


class UnreachableError(MissingDataError):
    """A server that cannot be reached: no network, or it is down. No file can be had there."""


def shown(url: str) -> str:
    """A URL as a message may show it: without user, password, query and fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def transfer(url: str, part: Path, size: int | None, tell: Progress) -> None:
    """Complete ``part`` from ``url``.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    part : Path
        What is in it is taken for the file's beginning.
    size : int or None
        The file's size in bytes, where it is known: more is not accepted.
    tell : callable
        Called with (bytes here, bytes in all or 0 where unknown).

    Raises
    ------
    UnreachableError
        The server cannot be reached, or keeps breaking off.
    MissingDataError
        The server answers that it does not give the file.
    HashMismatchError
        It sends another number of bytes than ``size``.
    OSError
        The partial file cannot be written.
    """
    import requests

    barren, most = 0, _size(part)
    while True:
        begun = _size(part)
        try:
            return _attempt(url, part, size, tell)
        except requests.HTTPError as error:
            why = _status(error, url, part, begun)
        except requests.RequestException as error:
            why = _reason(error)
        barren = 0 if _size(part) > most else barren + 1
        most = max(most, _size(part))
        if barren >= ATTEMPTS:
            raise UnreachableError(
                f"cannot bring {shown(url)}: {why}",
                f"check the network and try again (what has arrived is kept), or {ELSEWHERE}",
            )
        time.sleep(PAUSE * barren)


def _status(error: Any, url: str, part: Path, begun: int) -> str:
    """What to do about an answer that is an error: raise, or say why to try again."""
    code = error.response.status_code
    if code == 416 and begun:  # what is here is longer than the file: begin anew
        part.unlink(missing_ok=True)
    elif code < 500 and code not in (408, 429):
        raise MissingDataError(f"{shown(url)} is not to be had (HTTP {code})", ELSEWHERE) from None
    return f"HTTP {code}"


def _reason(error: Exception) -> str:
    text = str(error)
    if "resolve" in text or "getaddrinfo" in text:
        return "its host has no address here; is this machine offline?"
    if "refused" in text:
        return "the connection is refused"
    if "timed out" in text or "Timeout" in type(error).__name__:
        return f"no answer within {TIMEOUT:.0f} s"
    if "SSL" in type(error).__name__:
        return "its certificate cannot be verified"
    return f"the connection broke ({type(error).__name__})"


def _attempt(url: str, part: Path, size: int | None, tell: Progress) -> None:
    import pooch

    with part.open("ab") as file:
        sink = _Sink(file, url, size, tell)
        # identity: a server that compresses on its way would count other bytes than ours.
        headers = {"Accept-Encoding": "identity"}
        if sink.done:
            headers["Range"] = f"bytes={sink.done}-"
        fetch = pooch.HTTPDownloader(
            chunk_size=CHUNK, timeout=TIMEOUT, headers=headers, hooks={"response": sink.begin}
        )
        try:
            fetch(url, sink, None)
            sink.end()
        finally:
            sink.close()


class _Sink:
    """The partial file as pooch sees it, and the first who sees the server's answer."""

    def __init__(self, file: BinaryIO, url: str, size: int | None, tell: Progress) -> None:
        self.file, self.url, self.size, self.tell = file, url, size, tell
        self.done, self.total = file.tell(), size or 0
        self.answers: list[Any] = []

    def begin(self, response: Any, *_: Any, **__: Any) -> None:
        """Read the answer's head, before any of its body is written."""
        self.answers.append(response)
        if response.is_redirect or not response.ok:
            return
        found = _RANGE.match(response.headers.get("content-range", ""))
        if response.status_code != 206 or found is None or int(found[1]) != self.done:
            self.file.truncate(0)  # the whole file comes: what is here would be there twice
            self.done = 0
            if response.status_code == 206:
                import requests

                raise requests.ConnectionError("another part came than was asked for")
        length = response.headers.get("content-length", "")
        if length.isdigit():
            self.total = self.done + int(length)
        if self.size is not None and self.total != self.size:
            raise HashMismatchError(
                f"{shown(self.url)} has {self.total} bytes, the recorded file {self.size}",
                ELSEWHERE,
            )
        self.tell(self.done, self.total)

    def write(self, chunk: bytes) -> int:
        """Add what has come."""
        if self.size is not None and self.done + len(chunk) > self.size:
            raise HashMismatchError(
                f"{shown(self.url)} sends more than the {self.size} bytes of the recorded file",
                ELSEWHERE,
            )
        self.file.write(chunk)
        self.done += len(chunk)
        self.tell(self.done, self.total)
        return len(chunk)

    def flush(self) -> None:
        """Leave it to the file's own buffer: pooch asks after every chunk."""

    def end(self) -> None:
        """Take an answer that ends before its announced length for a broken connection."""
        import requests

        self.file.flush()
        if self.done < self.total:
            raise requests.ConnectionError(f"ends after {self.done} of {self.total} bytes")

    def close(self) -> None:
        """Give the connections back: pooch leaves them open where something went wrong."""
        for answer in self.answers:
            answer.close()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
