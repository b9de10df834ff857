"""A made-up board, and a real browser to look at its page with.

Chromium is driven over the pipe that ``--remote-debugging-pipe`` opens (fd 3 in, fd 4 out, JSON
with a zero byte behind each message), which needs no package. Where there is no Chromium the tests
that need one are skipped; ``SEDBENCH_REQUIRE_CHROMIUM=1`` makes that a failure.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sedbench.leaderboard.page import page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 120.0  # seconds, on a machine that does something else as well


def row(place: int, spec: str, value: float, **changes: Any) -> dict[str, Any]:
    """A row as ``leaderboard.json`` has it."""
    figure = {"value": value, "ci_low": value - 0.05, "ci_high": value + 0.04}
    names = (
        *("iou", "iou_percentile", "iou_relative", "iou_absolute", "iou_oracle", "iou_smoothed"),
        *("iou_classes", "iou_end_to_end", "f1", "auc", "ap", "pg_corrected", "discrimination"),
    )
    made = {
        "rank": place,
        "reason": "",
        "method": spec.partition("[")[0],
        "spec": spec,
        "seed": 0,
        "kind": "attribution",
        "supervision": "none",
        "equals": "",
        "policy": "relative",
        "figures": {name: dict(figure) for name in names},
        "pairs": {"expected": 20, "scored": 20},
        "cost": {
            "passes_per_pair": 2.0,
            "seconds_per_pair": 0.1,
            "cpu_seconds_per_pair": None,
            "peak_memory": None,
        },
        "resolution": 0.1,
        "measured": "2026-01-01",
        "result": f"results/kitchen/net/{spec}/a.json",
        "items": f"results/kitchen/net/{spec}/a.items.npz",
        "digest": "0" * 64,
    }
    return {**made, **changes}


def cost(passes: float) -> dict[str, Any]:
    return {
        "passes_per_pair": passes,
        "seconds_per_pair": passes / 100,
        "cpu_seconds_per_pair": passes / 50,
        "peak_memory": 1e8 * passes,
    }


@pytest.fixture(scope="session")
def held() -> dict[str, Any]:
    """What ``leaderboard.json`` of a small board holds."""
    undefined = {"iou": None, "auc": None}
    kitchen = {
        "task": "kitchen",
        "title": "In the kitchen",
        "summary": "pots & pans <loud>",
        "task_version": 2,
        "task_fingerprint": "ab",
        "model": "net",
        "truth": "extent",
        "classifier": {"micro_f1": 0.8},
        "pairs": 20,
        "clips": 15,
        "groups": 9,
        "detectors": "heads on the classifier's own frozen trunk",
        "unranked_classes": ["Blender"],
        "rows": [
            row(1, "listener", 0.71, kind="detector", supervision="strong", cost=cost(0.7)),
            row(2, "gradient", 0.62, equals="a sum", cost=cost(2)),
            row(2, "product[steps=9]", 0.62, equals="a sum", cost=cost(51), policy="absolute"),
            row(2, "half", 0.605, kind="detector", supervision="weak", cost=cost(2)),
            row(5, "louder", 0.31, kind="baseline", cost=cost(0)),
        ],
        "unranked": [
            row(0, "bound", 1.0, rank=None, supervision="oracle", reason="told the truth"),
            row(0, "broken", 0.5, rank=None, reason="failed: <b>x</b> | y", figures=undefined,
                items=None),
        ],
    }  # fmt: skip
    street = {**kitchen, "task": "street", "title": "In the street", "model": "net[seed=1]",
              "rows": [row(1, "listener", 0.4), row(1, "listener", 0.39, seed=1)],
              "unranked": []}  # fmt: skip
    rows = [{"method": "Theirs", "iou": 0.39, "f1": 0.52, "pg": 82.6}]
    return {
        "schema_version": 1,
        "about": "",
        "boards": [kitchen, street],
        "published": [{"task": "kitchen", "note": "reported on its data", "rows": rows}],
        "digests": {},
    }


@pytest.fixture(scope="session")
def written(held: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page on disk."""
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page(held), encoding="utf-8")
    return path


class Browser:
    """One tab of a headless Chromium, and everything it complained about."""

    def __init__(self, program: str, folder: Path) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking",
            "--disable-dev-shm-usage", f"--user-data-dir={folder}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", program, *options],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                result: dict[str, Any] = found["result"]
                return result
            self.events.append(found)

    def _next(self) -> dict[str, Any]:
        limit = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, limit - time.monotonic()))
            part = os.read(self._in, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError("Chromium does not answer")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def open(self, path: Path, width: int = 1200, height: int = 900) -> None:
        """Show a page at a width, and wait until it is there."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next())

    def run(self, script: str) -> Any:
        """The value of an expression within the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key, and let it go."""
        common = {"key": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def complaints(self) -> list[dict[str, Any]]:
        """Errors, warnings and whatever was written to the console."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [e for e in self.events if e.get("method") in kinds]

    def requests(self) -> list[str]:
        """Everything that the page asked for."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [e["params"]["request"]["url"] for e in sent]

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        assert not os.environ.get("SEDBENCH_REQUIRE_CHROMIUM"), "no Chromium is installed"
        pytest.skip("no Chromium is installed: apt-get install chromium")
    found = Browser(program, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()
