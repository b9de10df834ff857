"""Score tables on disk: what was written reads back, and what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sedbench.data.score_tables import (
    clip_name,
    read_durations,
    read_score_folder,
    read_scores,
    write_scores,
)
from sedbench.errors import DataError, MissingDataError
from sedbench.metrics import ScoreTable

GOOD = "onset\toffset\tDog\tCat meow\n0.0\t0.5\t0.25\t1\n0.5\t1.25\t-3e-2\t.5\n"


def put(folder: Path, text: str, name: str = "clip.tsv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_read(tmp_path: Path) -> None:
    found = read_scores(put(tmp_path, GOOD))
    assert found.classes == ("Dog", "Cat meow")
    assert found.edges.tolist() == [0.0, 0.5, 1.25]
    assert found.values.tolist() == [[0.25, 1.0], [-0.03, 0.5]]
    windows = read_scores(put(tmp_path, "\ufeff" + GOOD.replace("\n", "\r\n") + "\r\n"))
    assert np.array_equal(windows.values, found.values)


def test_what_was_written_reads_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tables = {
        f"a.{n}_b": ScoreTable(("x", "y z"), rng.normal(size=(7, 2)), np.arange(8) * 0.1)
        for n in range(3)
    }
    for clip, table in tables.items():
        write_scores(tmp_path / "scores" / f"{clip}.tsv", table)
    (tmp_path / "scores" / ".DS_Store").write_bytes(b"\0")
    found = read_score_folder(tmp_path / "scores")
    assert found.keys() == tables.keys()
    for clip, table in tables.items():
        assert found[clip].classes == table.classes
        assert np.array_equal(found[clip].values, table.values)
        assert np.array_equal(found[clip].edges, table.edges)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header is missing"),
        ("onset\toffset\n0\t1\n", "line 1: the columns are 'onset', 'offset'"),
        ("onset,offset,Dog\n0,1,2\n", "line 1: the columns are"),
        ("offset\tonset\tDog\n0\t1\t2\n", "line 1: the columns are"),
        ("onset\toffset\tDog\tDog\n0\t1\t2\t3\n", "line 1: the column 'Dog' stands twice"),
        ("onset\toffset\tDog\n", "line 1: there is no frame"),
        ("onset\toffset\tDog\n0\t1\n", "line 2: 2 fields under 3 columns"),
        ("onset\toffset\tDog\n0\t1\t2\n1\t2\tnan\n", "line 3: the Dog 'nan' is not a finite"),
        ("onset\toffset\tDog\n\n0\t1\t1_0\n", "line 3: the Dog '1_0' is not a finite"),
        ("onset\toffset\tDog\n0\t1\t0,5\n", "line 2: the Dog '0,5' is not a finite"),
        ("onset\toffset\tDog\n0\t1\t1e999\n", "line 2: the Dog '1e999' is not a finite"),
        ("onset\toffset\tDog\n0\t1\t\n", "line 2: the Dog '' is not a finite"),
        ("onset\toffset\tDog\n-1\t1\t0\n", "line 2: the onset -1 s is negative"),
        ("onset\toffset\tDog\n0\t0\t0\n", "line 2: the frame ends before it begins"),
        ("onset\toffset\tDog\n0\t1\t0\n2\t3\t0\n", "line 3: the frame does not begin where"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = put(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_scores(path)
    assert caught.value.message.startswith(f"{path}, {message}")


def test_a_folder_holds_score_tables_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="there is no folder"):
        read_score_folder(tmp_path / "none")
    with pytest.raises(MissingDataError, match="holds no score table"):
        read_score_folder(tmp_path)
    put(tmp_path, GOOD)
    put(tmp_path, GOOD, "clip.csv")
    with pytest.raises(DataError, match=r"clip\.csv is no score table"):
        read_score_folder(tmp_path)
    with pytest.raises(MissingDataError):
        read_scores(tmp_path / "none.tsv")


@pytest.mark.parametrize("name", ["onset", "", " Dog", "a\tb"])
def test_classes_that_cannot_be_columns(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot name a column"):
        write_scores(tmp_path / "x.tsv", ScoreTable((name,), np.ones((1, 1)), np.arange(2.0)))
    assert not list(tmp_path.iterdir())


def test_durations(tmp_path: Path) -> None:
    path = put(tmp_path, "duration\tfilename\n10.0\ta_1.000_2.000.wav\n2.5\tb.FLAC\n")
    assert read_durations(path) == {"a_1.000_2.000": 10.0, "b": 2.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: there is no clip"),
        ("file\tduration\nx\t1\n", "line 1: the columns are"),
        ("filename\tduration\nx.wav\t0\n", "line 2: 'x.wav' cannot last '0' s"),
        ("filename\tduration\nx.wav\tinf\n", "line 2: 'x.wav' cannot last 'inf' s"),
        ("filename\tduration\nx.wav\n", "line 2: 1 fields under 2 columns"),
        ("filename\tduration\nx.wav\t1\nx.flac\t1\n", "line 3: 'x' stands twice"),
    ],
)
def test_durations_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    path = put(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_durations(path)
    assert caught.value.message.startswith(f"{path}, {message}")


def test_only_an_audio_format_is_taken_off_a_name() -> None:
    assert clip_name("Y0_30.000_40.000.wav") == clip_name("Y0_30.000_40.000") == "Y0_30.000_40.000"
    assert clip_name("yard.OGG") == "yard"
