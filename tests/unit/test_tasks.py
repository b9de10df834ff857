"""Task files: read strictly, fingerprinted, confined to their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sedbench.data.index import write_index
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError, HashMismatchError, TaskFileError
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec

TOML = """
name = "beeps"
version = 1
title = "Beeps"
summary = "beeps in noise"
licence = "MIT"
reason = "to test with"
model = "net[seed=1]"
soundbank = "toy"
sample_rate = 16000
duration = 10
classes = ["Dog", "Cat"]

[truth]
primary = "extent"

[reference]
methods = ["loudest", "random[a=1]"]

[soundscapes]
seed = 3
event_counts = [1, 2]
event_duration = ["uniform", 0.25, 5]
event_time = ["uniform", 0, 10]
snr = ["const", 6.0]
ref_db = ["const", -50]
backgrounds = ["rain"]

[splits.test]
index = "test.csv"
clips = 1
sha256 = "SHA"

[published]
note = "elsewhere"

[[published.rows]]
method = "IG"
iou = 0.39
f1 = 0.52
pg = 82.6
"""

ONE = Soundscape(
    "test-0000",
    "test",
    10.0,
    -50.0,
    Placement("rain", "background/rain/a", 0.0, 0.0, 10.0, 0.0),
    (Placement("Dog", "foreground/Dog/b", 0.0, 3.0, 1.0, 6.0),),
)


def write(folder: Path, *edits: tuple[str, str], soundscape: Soundscape = ONE) -> Path:
    """A task in a folder, with some of its text replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    text = TOML.replace("SHA", write_index(folder / "test.csv", [soundscape]))
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "task.toml"
    path.write_text(text)
    return path


def test_a_task_is_read(tmp_path: Path) -> None:
    task = load_task(write(tmp_path))
    assert (task.name, task.version, task.model) == ("beeps", 1, "net[seed=1]")
    assert task.classes == ("Dog", "Cat")
    assert (task.frame, task.threshold, task.truth) == (0.1, 0.5, "extent")
    assert task.grid.n_frames == 100
    assert task.reference == ("loudest", "random[a=1]")
    assert task.recipe.event_duration == ("uniform", 0.25, 5.0)
    assert task.recipe.event_weights == (1.0, 1.0)
    assert task.published[0].pg == 82.6
    assert task.clips("test") == (ONE,)


@pytest.mark.parametrize(
    ("old", "new", "key", "hint"),
    [
        ("sample_rate", "sampel_rate", "sampel_rate", "did you mean 'sample_rate'"),
        ("primary", "primery", r"truth\.primery", "did you mean 'primary'"),
        ("seed = 3", "sed = 3", r"soundscapes\.sed", "did you mean 'seed'"),
        ("clips =", "clip =", r"splits\.test\.clip", "did you mean 'clips'"),
        ("[splits.test]", "[splits.tset]", r"splits\.tset", "did you mean 'test'"),
        ("f1 =", "f2 =", r"published\.rows\[0\]\.f2", "did you mean 'f1'"),
        ('"extent"', '"extend"', r"truth\.primary", "did you mean 'extent'"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(
    tmp_path: Path, old: str, new: str, key: str, hint: str
) -> None:
    with pytest.raises(TaskFileError, match=rf"task\.toml.*{key}") as caught:
        load_task(write(tmp_path, (old, new)))
    assert hint in caught.value.hint and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", 'version = "1"', "version: expected a whole number, got '1'"),
        ("version = 1", "version = true", "version: expected a whole number, got True"),
        ("version = 1", "version = 0", "version: expected at least 1"),
        ("sample_rate = 16000", "sample_rate = 16000.0", "sample_rate: expected a whole number"),
        ("duration = 10", 'duration = "long"', "duration: expected a number"),
        ("duration = 10", "duration = nan", "duration: expected a finite number"),
        ("duration = 10", "duration = 0.05", "duration: .*shorter than a frame"),
        ('title = "Beeps"', "title = 3", "title: expected a string, got 3"),
        ('["Dog", "Cat"]', '["Dog", 3]', "classes: expected an array of strings"),
        ('["Dog", "Cat"]', '["Dog", "Dog"]', "classes: .*twice"),
        ('["Dog", "Cat"]', "[]", "classes: expected at least one"),
        ('name = "beeps"', 'name = "Bad Name"', "name: 'Bad Name' is not a name"),
        ('reason = "to test with"\n', "", "missing key 'reason'"),
        ('["const", 6.0]', "6.0", r"soundscapes\.snr: expected a distribution"),
        ('["const", 6.0]', '["uniform", 6.0]', r"soundscapes\.snr: 'uniform' takes 2"),
        ('["const", 6.0]', '["uniform", 6.0, 3.0]', r"soundscapes\.snr: the range .* is empty"),
        ('["const", 6.0]', '["const", "x"]', r"soundscapes\.snr: expected finite numbers"),
        ("event_counts = [1, 2]", "event_counts = [1.5]", r"event_counts: expected whole numbers"),
        ("seed = 3", "seed = -3", r"soundscapes\.seed: expected at least 0"),
        ('sha256 = "', 'sha256 = "z', r"splits\.test\.sha256: .*hexadecimal"),
        ("[truth]", "[truth", "is not TOML"),
    ],
)
def test_a_wrong_value_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TaskFileError, match=rf"task\.toml.*{message}"):
        load_task(write(tmp_path, (old, new)))


def test_an_absent_task_file(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match="no task file"):
        load_task(tmp_path / "task.toml")


@pytest.mark.parametrize("path", ["../test.csv", "/etc/passwd", "a/../../b.csv", "C:x.csv", ""])
def test_an_index_may_not_leave_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(TaskFileError, match=r"splits\.test\.index: .*leaves the task's folder"):
        load_task(write(tmp_path / "task", ('"test.csv"', f'"{path}"')))


def test_a_link_may_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("secret")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "link.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(TaskFileError, match="leaves the task's folder"):
        load_task(write(tmp_path / "task", ('"test.csv"', '"link.csv"')))


def test_a_changed_index_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    index = tmp_path / "test.csv"
    index.write_text(index.read_text().replace("6.0000", "7.0000"))
    with pytest.raises(HashMismatchError):
        load_task(path).clips("test")


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no train split"):
        load_task(write(tmp_path)).clips("train")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("clips = 1", "clips = 2", "holds 1 clips"),
        ("duration = 10", "duration = 12", "duration"),
        ('["Dog", "Cat"]', '["Cow", "Cat"]', "'Dog' is not a class"),
    ],
)
def test_an_index_that_contradicts_the_task(tmp_path: Path, old: str, new: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        load_task(write(tmp_path, (old, new))).clips("test")


def fingerprint(task: TaskSpec) -> str:
    return task.fingerprint("m1")


def test_the_fingerprint_is_of_what_decides_a_score(tmp_path: Path) -> None:
    base = fingerprint(load_task(write(tmp_path / "a")))
    assert len(base) == 64 and base == fingerprint(load_task(write(tmp_path / "b")))
    same = [
        ("in noise", "in much noise"),
        ("0.39", "0.38"),
        ('"loudest", ', ""),
        ("seed=1", "seed=2"),
    ]
    for i, edit in enumerate(same):
        assert fingerprint(load_task(write(tmp_path / f"same{i}", edit))) == base
    said = ("[truth]", "[detection]\nthreshold = 0.5\n\n[truth]")
    assert fingerprint(load_task(write(tmp_path / "said", said))) == base
    other = [
        ("version = 1", "version = 2"),
        ('"extent"', '"activity"'),
        ('"Dog", "Cat"', '"Cat", "Dog"'),
    ]
    for i, edit in enumerate(other):
        assert fingerprint(load_task(write(tmp_path / f"other{i}", edit))) != base
    moved = Soundscape(ONE.id, "test", 10.0, -51.0, ONE.background, ONE.events)
    assert fingerprint(load_task(write(tmp_path / "moved", soundscape=moved))) != base
    assert load_task(write(tmp_path / "a")).fingerprint("m2") != base
