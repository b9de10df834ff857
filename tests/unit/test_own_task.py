"""A task of one's own, as docs/tasks.md has it: from a folder of recordings to a table."""

from __future__ import annotations

import json
import pickle
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sedbench.cli import main
from sedbench.data.folder import FolderFactory
from sedbench.errors import DataError, MissingDataError, TaskFileError, UsageError
from sedbench.lookup import find_bank, find_model, find_task
from sedbench.models import training, weights
from sedbench.taskfile import load_task

DOCS = Path(__file__).parents[2] / "docs" / "tasks.md"
SECTION = re.search(r"^## A task of your own\n(.*?)(?=^## )", DOCS.read_text(), re.M | re.S)[1]
LINES = re.findall(r"^    (sedbench .*)$", SECTION, re.M)
RATE = 8000
SMALL = {"clips = 400": "clips = 16", "clips = 60": "clips = 5"}

Cli = Callable[..., tuple[int, str, str]]


def sound(label: str, seconds: float, rate: int, seed: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(seed)
    if label == "Whistle":
        return 0.3 * np.sin(2 * np.pi * (1500 + 50 * seed) * time)
    return rng.normal(0, 0.02 if label == "hall" else 0.2, time.size)


def put(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, rate)
    return path


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documented layout, in the working folder; formats, rates and channels vary."""
    for name in ("cache", "data", "results"):
        monkeypatch.setenv(f"SEDBENCH_{name.upper()}", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    for label in ("foreground/Whistle", "foreground/Drum", "background/hall"):
        for i in range(5):
            rate = (RATE, 22050, 44100)[i % 3]
            samples = sound(label.rpartition("/")[2], 1.2, rate, i)
            if i % 2:
                samples = np.stack([samples, 0.5 * samples], axis=1)
            put(folder / "sounds" / f"{label}/{'abcde'[i]}.{('wav', 'flac', 'ogg')[i % 3]}",
                samples, rate)  # fmt: skip
    (text,) = re.findall(r"```toml\n(.*?)```", SECTION, re.S)
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "task.toml").write_text(text)
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(args))
        return (code, *capsys.readouterr())

    return call


def test_what_is_documented_works(mine: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [shlex.split(line)[1] for line in LINES] == ["soundscapes", "train", "run"]
    draw, train, run = ([*shlex.split(line)[1:]] for line in LINES)
    assert cli(*run)[0] == 4
    assert cli(*draw)[0] == 0
    code, _, err = cli(*run, "--jobs", "1")
    assert code == 4
    assert "--task mine/task.toml" in err and "sedbench train classifier" in err

    whole = training.train

    def short(net, recipe, *args, **options):
        return whole(net, recipe.__class__(epochs=1, batch=8), *args, **options)

    monkeypatch.setattr(training, "train", short)
    assert cli(*train, "--jobs", "1")[0] == 0
    (card,) = Path(weights.local_root("logmel-cnn")).rglob("*.json")
    assert json.loads(card.read_text())["command"].endswith("--task task.toml --seed 0")

    code, out, err = cli(*run, "--jobs", "1", "--json")
    assert code == 0, err
    results = json.loads(out)["results"]
    assert [r["spec"] for r in results] == ["energy", "random", "oracle"]
    assert {r["status"] for r in results} == {"ok"}
    assert str(mine.parent) not in json.dumps([r["provenance"]["command"] for r in results])
    shown = json.loads(cli("show", "mine/task.toml", "--json")[1])["tasks"]
    assert shown["name"] == "mine" and shown["fingerprint"] == results[0]["task_fingerprint"]

    # A sound that changes afterwards is no longer what was drawn from, and says how to go on.
    put(mine / "sounds/foreground/Drum/a.wav", sound("Drum", 1.2, RATE, 77))
    shutil.rmtree(mine.parent / "results")
    code, _, err = cli(*run, "--jobs", "1")
    assert code == 4 and "sedbench soundscapes generate mine/task.toml" in err
    # Drawn anew, it is another task than the classifier was trained on.
    assert cli(*draw)[0] == 0
    code, _, err = cli(*run, "--jobs", "1")
    assert code == 4 and "was trained on another state of task 'mine'" in err
    model = find_model("logmel-cnn", find_task("mine/task.toml"), fits=False)
    assert model.called == "mine/task.toml"  # what trains it anew may find it


def test_a_folder_that_is_not_there_cannot_be_fetched(mine: Path, cli: Cli) -> None:
    assert cli("fetch", "mine/task.toml")[0] == 0
    (mine / "sounds").rename(mine / "elsewhere")
    code, _, err = cli("fetch", "mine/task.toml")
    assert code == 4 and "there is no folder" in err and "sounds" in err


def test_splits_share_no_group_and_workers_can_build_the_bank(mine: Path, cli: Cli) -> None:
    assert cli("soundscapes", "generate", "mine/task.toml")[0] == 0
    task = find_task("mine/")
    assert task.frozen and task.bank_fingerprint
    bank = find_bank(task).factory
    assert (
        pickle.loads(pickle.dumps(bank)) == bank == FolderFactory("folder:sounds", mine / "sounds")
    )
    known = {r.id: r for r in bank().recordings()}
    for split in ("train", "validation", "test"):
        used = {p.source_file for c in task.clips(split) for p in (c.background, *c.events)}
        assert {known[name].split for name in used} == {split}
    code, out, _ = cli("soundscapes", "render", "-t", "mine/task.toml", "--jobs", "2")
    assert (code, out.splitlines()[0]) == (0, "train: 16 clips ready")


@pytest.mark.parametrize("sha256", ["", f'sha256 = "{"0" * 64}"\n'])
def test_what_was_never_drawn_says_what_to_type(mine: Path, cli: Cli, sha256: str) -> None:
    path = mine / "task.toml"
    path.write_text(
        path.read_text().replace('index = "test.csv"\n', f'index = "test.csv"\n{sha256}')
    )
    task = load_task(path)
    assert not task.frozen
    with pytest.raises(MissingDataError, match=r"no test\.csv: its soundscapes were never drawn"):
        task.clips("test")
    code, _, err = cli("run", "-m", "energy", "-t", "mine/task.toml", "--dry-run")
    assert code == 4 and err.endswith("\nhint: sedbench soundscapes generate mine/task.toml\n")
    assert cli("soundscapes", "render", "-t", "mine/task.toml")[0] == 4
    assert cli("train", "classifier", "-t", "mine/task.toml")[0] == 4
    assert cli("soundscapes", "generate", "mine/task.toml")[0] == 0
    (mine / "test.csv").unlink()
    with pytest.raises(MissingDataError, match="is missing") as caught:
        load_task(path).clips("test")
    assert "sedbench soundscapes generate" in caught.value.hint


def test_what_cannot_be_mixed_is_left_out_and_said(mine: Path, cli: Cli) -> None:
    sounds = mine / "sounds/foreground/Drum"
    put(sounds / "quiet.wav", np.zeros(RATE))
    put(sounds / "short.wav", sound("Drum", 0.05, RATE, 1))
    (sounds / "notes.txt").write_text("loud ones")
    code, _, err = cli("soundscapes", "generate", "mine/task.toml")
    assert code == 0 and "note: 3 files were left out" in err
    for told in ("quiet.wav: silent", "short.wav: shorter than a frame", "notes.txt: no WAV"):
        assert f"foreground/Drum/{told}" in err
    used = (mine / "train.csv").read_text() + (mine / "test.csv").read_text()
    assert "quiet.wav" not in used and "short.wav" not in used


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: p.write_bytes(b"not audio"), "cannot be read as audio"),
        (lambda p: put(p, np.zeros(0)), "is empty"),
        (lambda p: soundfile.write(str(p), np.array([0.1, np.nan] * 4000), RATE, "FLOAT"),
         "not finite"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_one_error_with_its_name(
    mine: Path, cli: Cli, write: Callable[[Path], object], message: str
) -> None:
    write(mine / "sounds/foreground/Drum/f.wav")
    code, _, err = cli("soundscapes", "generate", "mine/task.toml")
    assert code == 4 and "Drum/f.wav" in err and message in err
    assert not list(mine.glob("*.csv"))


def test_a_class_that_is_only_silence_is_an_error(mine: Path, cli: Cli) -> None:
    for path in (mine / "sounds/foreground/Drum").iterdir():
        put(path, np.zeros(RATE))
    code, _, err = cli("soundscapes", "generate", "mine/task.toml")
    assert code == 5 and "no foreground recording of Drum" in err


@pytest.mark.parametrize("events", ["[3]", "[2, 3]"])
def test_too_few_recordings_for_the_events_are_an_error(mine: Path, cli: Cli, events: str) -> None:
    path = mine / "task.toml"
    path.write_text(path.read_text().replace("[1, 2]", events).replace('["Drum", ', "["))
    code, _, err = cli("soundscapes", "generate", "mine/task.toml", "--split", "test")
    assert code == 4 and "repeated_sources" in err


def test_a_name_that_is_taken_is_refused(mine: Path) -> None:
    path = mine / "task.toml"
    path.write_text(path.read_text().replace('name = "mine"', 'name = "domestic"'))
    with pytest.raises(UsageError, match="'domestic' belongs to an installed task"):
        find_task(str(path))
    assert find_task(str(find_task("domestic").path)).name == "domestic"


def test_the_folder_may_lie_anywhere(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, text = mine / "task.toml", (mine / "task.toml").read_text()
    monkeypatch.setenv("HOME", str(mine.parent))
    for place in (str(mine / "sounds"), "~/mine/sounds", "../mine/sounds"):
        path.write_text(text.replace("folder:sounds", f"folder:{place}"))
        assert len(find_bank(find_task(str(path))).factory().recordings()) == 15
    path.write_text(text.replace("folder:sounds", "folder:"))
    with pytest.raises(TaskFileError, match="soundbank: 'folder:' names none"):
        load_task(path)
    path.write_text(text.replace("folder:sounds", "folder:nowhere"))
    with pytest.raises(DataError, match="nowhere is missing"):
        find_bank(find_task(str(path))).factory().recordings()
