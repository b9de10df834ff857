"""``sedbench fetch``: recordings from a mirror, verified; and soundbanks that need none."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sedbench.data.download import Remote, obtain, verified
from sedbench.data.fetch import FetchReport
from sedbench.data.folder import FolderSoundbank
from sedbench.types import ModelInfo, SoundbankInfo, TaskInfo

FILES = {"foreground/Dog/a.wav": b"bark", "background/hum/b.wav": b"mmmm"}
HINT = "sedbench fetch house --from DIR"


@pytest.fixture
def home(tmp_path) -> Path:
    """Where the soundbank ``house`` belongs."""
    return tmp_path / "data" / "house"


@pytest.fixture
def mirror(tmp_path, offers, home) -> Path:
    """A mirror of the soundbank ``house``, which the made-up plugin offers."""
    root = tmp_path / "mirror"
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "role", "class", "split", "group", "sha256", "duration"])
        for name, content in FILES.items():
            (root / name).parent.mkdir(parents=True)
            (root / name).write_bytes(content)
            role, label, _ = name.split("/")
            digest = hashlib.sha256(content).hexdigest()
            rows.writerow([name, role, label, "train", name, digest, "1.0"])
    info = SoundbankInfo("house", "two sounds", fetch=HINT)
    offers.append((info, lambda: FolderSoundbank("house", home, manifest, fetch=HINT)))
    return root


def test_it_copies_verifies_and_keeps(cli, mirror, home):
    first = cli("fetch", "house", "--from", mirror)
    assert first.code == 0 and "2 copied, 0 kept" in first.out
    assert {n: (home / n).read_bytes() for n in FILES} == FILES
    again = cli("fetch", "house", "--from", mirror)
    assert again.code == 0 and "0 copied, 2 kept" in again.out
    check = cli("fetch", "house", "--check")
    assert check.code == 0 and check.err.startswith("check house: 2 of 2 in ")
    assert check.err.count("\n") == 1


def test_without_a_mirror_it_says_what_to_type(cli, mirror, home):
    answer = cli("fetch", "house")
    assert (answer.code, answer.out) == (4, "") and "--from DIR" in answer.err
    missing = cli("fetch", "house", "--check")
    assert missing.code == 4 and missing.err.endswith(f"hint: {HINT}\n")
    nowhere = cli("fetch", "house", "--from", "no/such/folder")
    assert nowhere.code == 4 and "no/such/folder" in nowhere.err
    assert not home.exists()


def test_a_wrong_file_ends_with_4_and_does_not_arrive(cli, mirror, home):
    (mirror / "foreground/Dog/a.wav").write_bytes(b"meow")
    answer = cli("fetch", "house", "--from", mirror)
    assert answer.code == 4 and "foreground/Dog/a.wav" in answer.err
    assert not (home / "foreground/Dog/a.wav").exists()
    assert (home / "background/hum/b.wav").exists()


def test_a_damaged_file_is_found_by_check(cli, mirror, home):
    cli("fetch", "house", "--from", mirror)
    (home / "background/hum/b.wav").write_bytes(b"nnnn")
    answer = cli("fetch", "house", "--check")
    assert answer.code == 4 and "1 wrong" in answer.err and answer.out == ""


def test_check_and_from_exclude_each_other(cli, mirror):
    assert cli("fetch", "house", "--check", "--from", mirror).code == 2


def test_a_bank_that_needs_nothing_says_so(cli):
    answer = cli("fetch", "made-bank")
    assert answer.code == 0 and "made-bank needs no fetching" in answer.out
    assert cli("fetch", "made-bank", "--check").code == 0


def test_a_bank_may_bring_itself(cli, offers, tmp_path):
    class Bank:
        name = "far-bank"

        def bring(self, source, check, progress):
            progress(1, 1)
            return FetchReport(tmp_path, copied=["foreground/Dog/a.wav"])

    offers.append((SoundbankInfo("far-bank", "from afar", fetch="sedbench fetch far-bank"), Bank))
    answer = cli("fetch", "far-bank")
    assert answer.code == 0 and "1 copied" in answer.out


def test_a_bank_that_can_only_be_fetched_by_hand_says_so(cli, offers):
    class Bank:
        name = "hand-bank"

    offers.append((SoundbankInfo("hand-bank", "by hand", fetch="write to the authors"), Bank))
    answer = cli("fetch", "hand-bank")
    assert answer.code == 2 and "hint: write to the authors" in answer.err


@pytest.mark.parametrize(("name", "near"), [("made-bnk", "made-bank"), ("hous", "house")])
def test_an_unknown_bank_ends_with_2(name, near, cli, mirror):
    answer = cli("fetch", name)
    assert answer.code == 2
    assert answer.err == (
        f"error: unknown soundbank or model {name!r}\nhint: did you mean {near!r}?\n"
    )


def test_an_url_is_a_mirror_too(cli, mirror, home, site):
    for name, content in FILES.items():
        site.files[f"/house/{name}"] = content
    answer = cli("fetch", "house", "--from", f"{site.url}/house/")
    assert answer.code == 0 and "2 copied" in answer.out
    assert {n: (home / n).read_bytes() for n in FILES} == FILES
    (home / "background/hum/b.wav").unlink()
    del site.files["/house/background/hum/b.wav"]
    lost = cli("fetch", "house", "--from", f"{site.url}/house")
    assert lost.code == 4 and "1 missing" in lost.err and "background/hum/b.wav" in lost.err


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_is_a_mirror_too(cli, mirror, home, site, tmp_path, kind):
    made = Path(shutil.make_archive(str(tmp_path / "copy"), kind, tmp_path, "mirror"))
    site.files[f"/{made.name}"] = made.read_bytes()
    for source in (made, f"{site.url}/{made.name}?download=1"):
        answer = cli("fetch", "house", "--from", source)
        assert answer.code == 0 and "2 copied" in answer.out, answer.err
        assert {n: (home / n).read_bytes() for n in FILES} == FILES
        shutil.rmtree(home)
    assert [p.name for p in home.parent.iterdir()] == []  # nothing is left beside it


def test_offline_is_said_once_and_at_once(cli, mirror, home, monkeypatch):
    monkeypatch.setattr("sedbench.data.transfer.PAUSE", 0.0)
    answer = cli("fetch", "house", "--from", "http://mirror.invalid/house")
    assert answer.code == 4 and "offline" in answer.err and "hint:" in answer.err
    assert "mirror.invalid" in answer.err
    assert not [p for p in home.rglob("*") if p.is_file()]


def test_an_address_of_another_kind_ends_with_2(cli, mirror):
    assert cli("fetch", "house", "--from", "ftp://mirror/house").code == 2
    assert cli("fetch", "house", "--from", " ").code == 2


def test_check_writes_nothing(cli, mirror, home, tmp_path):
    cli("fetch", "house", "--from", mirror)
    (home / "background/hum/b.wav").write_bytes(b"nnnn")
    (home / "foreground/Dog/a.wav").unlink()
    before = {p: (p.stat().st_mtime_ns, p.is_dir()) for p in tmp_path.rglob("*")}
    assert cli("fetch", "house", "--check").code == 4
    assert {p: (p.stat().st_mtime_ns, p.is_dir()) for p in tmp_path.rglob("*")} == before


class Weights:
    """What brings a model's file."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.remote = Remote("net.bin", url, hashlib.sha256(b"weights" * 1000).hexdigest(), 7000)

    def bring(self, source, check, progress):
        report = FetchReport(self.folder, notes=["the licence is MIT"])
        if verified(self.folder / "net.bin", self.remote):
            report.kept.append("net.bin")
        elif check:
            report.missing.append("net.bin")
        else:
            obtain(self.remote, self.folder, source, progress)
            report.copied.append("net.bin")
        return report


def test_a_model_is_fetched_the_same_way(cli, offers, site, tmp_path):
    site.files["/net.bin"] = b"weights" * 1000
    info = ModelInfo(
        "big-net",
        "has to be fetched",
        fetch="sedbench fetch big-net",
        source=lambda: Weights(tmp_path / "models", f"{site.url}/net.bin"),
    )
    offers.append((info, object))
    assert cli("fetch", "big-net", "--check").code == 4
    site.cuts = [3000]
    first = cli("fetch", "big-net")
    assert first.code == 0 and "big-net is complete in" in first.out and "1 copied" in first.out
    assert "note: the licence is MIT" in first.err and "fetch big-net: " in first.err
    assert " of 0.0 MB" in first.err
    assert cli("fetch", "big-net", "--check").code == 0
    copy = tmp_path / "copy.bin"
    copy.write_bytes(b"weights" * 1000)
    (tmp_path / "models/net.bin").unlink()
    assert cli("fetch", "big-net", "--from", copy).code == 0
    copy.write_bytes(b"weighty" * 1000)
    (tmp_path / "models/net.bin").unlink()
    wrong = cli("fetch", "big-net", "--from", copy)
    assert wrong.code == 4 and "is not the recorded net.bin" in wrong.err
    assert cli("fetch", "tiny-net").out.startswith("tiny-net needs no fetching")


TASK = """
name = "house"
version = 1
title = "House"
summary = "two sounds"
licence = "MIT"
reason = "to test with"
model = "big-net"
soundbank = "house"
sample_rate = 8000
duration = 1.0
classes = ["Dog"]
[truth]
primary = "extent"
[soundscapes]
event_counts = [1]
event_duration = ["const", 0.3]
event_time = ["uniform", 0, 0.7]
snr = ["const", 20]
ref_db = ["const", -50]
backgrounds = ["hum"]
[splits.test]
index = "test.csv"
clips = 1
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


def test_a_task_brings_what_its_model_needs_too(cli, mirror, offers, site, tmp_path, home):
    (tmp_path / "task.toml").write_text(TASK)
    offers.append((TaskInfo("house", "two sounds"), lambda: tmp_path / "task.toml"))
    info = ModelInfo(
        "big-net",
        "has to be fetched",
        fetch="sedbench fetch big-net",
        source=lambda: Weights(tmp_path / "models", f"{site.url}/net.bin"),
    )
    offers.append((info, object))
    alone = cli("fetch", "house", "--from", mirror)  # its own source has nothing: not an error
    assert alone.code == 0 and "house is complete in" in alone.out
    assert "task 'house' is scored with 'big-net', which is not here yet" in alone.err
    assert "sedbench fetch big-net" in alone.err
    site.files["/net.bin"] = b"weights" * 1000
    both = cli("fetch", "house", "--from", mirror)
    assert both.code == 0 and "house is complete in" in both.out
    assert "big-net is complete in" in both.out


def test_an_interrupted_fetch_goes_on(process, package, tmp_path):
    """For real: killed by Ctrl-C while a file comes, and taken up by the next process."""
    body = bytes(range(256)) * 8000
    asked = []
    folder = tmp_path / "data/models/slow-net"

    def begun() -> int:
        return sum(part.stat().st_size for part in folder.glob(".*.part"))

    class Slow(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked.append(self.headers.get("Range"))
            start = int((asked[-1] or "bytes=0-")[6:-1])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            with contextlib.suppress(OSError):
                if not start:
                    self.wfile.write(body[:1_000_000])
                    # Sent is not stored: a loaded machine may lag behind the socket's buffer.
                    while begun() <= 500_000 and not stop.wait(0.02):
                        pass
                    (tmp_path / "halfway").touch()
                    stop.wait(30)
                self.wfile.write(body[start:])

    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        digest = hashlib.sha256(body).hexdigest()
        path = package("slow_plugin", SLOW.format(port=server.server_port, digest=digest))
        proxies = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        first = process(
            "fetch", "slow-net", path=path, interrupt_on=tmp_path / "halfway", **proxies
        )
        assert first.code == 130
        kept = begun()
        again = process("fetch", "slow-net", path=path, **proxies)
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert again.code == 0, again.err
    assert kept > 500_000 and asked == [None, f"bytes={kept}-"]
    assert (folder / "net.bin").read_bytes() == body


SLOW = """
from sedbench import hookimpl
from sedbench.data.download import Remote, obtain
from sedbench.data.fetch import FetchReport
from sedbench.files import data_root
from sedbench.types import ModelInfo

class Source:
    def bring(self, source, check, progress):
        folder = data_root() / "models" / "slow-net"
        remote = Remote("net.bin", "http://127.0.0.1:{port}/net.bin", "{digest}")
        obtain(remote, folder, source, progress)
        return FetchReport(folder, copied=["net.bin"])

@hookimpl
def sedbench_register_models(register):
    register(ModelInfo("slow-net", "big", fetch="sedbench fetch slow-net", source=Source), object)
"""
