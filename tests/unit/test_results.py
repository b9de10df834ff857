from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedbench import files, results, schema
from sedbench.errors import DataError, HashMismatchError, MissingDataError, SedbenchError
from sedbench.results import Result

RECORD = {
    "metric": "iou",
    "policy": "chosen",
    "view": "localisation",
    "average": "pairs",
    "stratum": "all",
    "truth": "extent",
    "smoothing": "none",
    "value": 0.1 + 0.2,
    "ci_low": None,
    "ci_high": None,
    "n_pairs": 3,
    "n_clips": 2,
    "n_groups": 1,
}


def result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "task": "kitchen",
        "model": "net[seed=1]",
        "method": "gradients",
        "spec": "gradients[steps=20]",
        "params": {"steps": 20, "sign": "positive"},
        "seed": 0,
        "task_fingerprint": "ab12",
        "pairs": {"expected": 3, "scored": 3, "skipped": {"not detected": 1}},
        "scores": (RECORD,),
        "provenance": {"versions": ["1", "2"]},
    } | changes
    return Result(**fields)


def write(folder: Path, items: bytes | None = b"items", **changes: Any) -> Path:
    return results.write(result(**changes), items, folder)


def tree(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_the_schema_is_a_valid_one():
    jsonschema.Draft202012Validator.check_schema(schema.result_schema())
    assert schema.result_schema()["$schema"].endswith("2020-12/schema")


def test_json_and_back_is_the_same_result():
    text = json.dumps(results.to_json(result()), allow_nan=False)
    back = results.from_json(json.loads(text), "shipped")
    assert back == replace(result(), origin="shipped")
    assert back.scores[0]["value"] == 0.30000000000000004


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, st.one_of(st.none(), finite), st.integers(0, 2**63), st.text())
def test_every_finite_number_and_text_survives(value, low, seed, text):
    made = result(
        scores=({**RECORD, "value": value, "ci_low": low},), seed=seed, provenance={"note": text}
    )
    back = results.from_json(json.loads(results.dumps(results.to_json(made))), "measured")
    assert back == made


def test_numpy_values_become_plain_ones():
    made = result(
        scores=({**RECORD, "value": np.float32(0.1), "n_pairs": np.int64(3)},),
        cost={"forward": np.int64(5), "done": np.bool_(True), "parts": np.arange(2)},
    )
    document = results.to_json(made)
    assert document["scores"][0]["value"] == float(np.float32(0.1))
    assert document["cost"] == {"forward": 5, "done": True, "parts": [0, 1]}
    json.dumps(document)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf")])
def test_a_number_that_is_not_finite_is_an_error_with_its_place(value, tmp_path):
    with pytest.raises(SedbenchError, match=r"scores\[0\]\.ci_low is -?(nan|inf)"):
        write(tmp_path, scores=({**RECORD, "ci_low": value},))
    assert tree(tmp_path) == []


@pytest.mark.parametrize("value", [{1, 2}, b"x", object()])
def test_what_json_cannot_hold_is_an_error(value):
    with pytest.raises(SedbenchError, match=r"provenance\.x is a"):
        results.to_json(result(provenance={"x": value}))


def test_keys_must_be_text():
    with pytest.raises(SedbenchError, match="key 1"):
        results.to_json(result(diagnostics={1: {}}))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"seed": -1}, r"\$\.seed"),
        ({"status": "fine"}, r"\$\.status"),
        ({"status": "failed"}, r"\$\.reason"),
        ({"reason": "but it is ok"}, r"\$\.reason"),
        ({"scores": ()}, r"\$\.scores"),
        ({"task": "../up"}, r"\$\.task"),
        ({"limited": 0}, r"\$\.limited"),
        ({"scores": ({**RECORD, "extra": 1},)}, r"\$\.scores\[0\]"),
        ({"scores": ({**RECORD, "value": "0.5"},)}, r"\$\.scores\[0\]\.value"),
        ({"scores": ({**RECORD, "n_pairs": -1},)}, r"\$\.scores\[0\]\.n_pairs"),
        ({"diagnostics": {"error": {"max": "high"}}}, r"\$\.diagnostics\.error\.max"),
    ],
)
def test_what_breaks_the_schema_is_not_written(changes, place, tmp_path):
    with pytest.raises(DataError, match=place):
        write(tmp_path, **changes)
    assert tree(tmp_path) == []


def test_payload_has_what_a_reader_needs():
    failed = result(status="failed", reason="out of memory", scores=(), pairs={})
    printed = results.payload([result(origin="stored"), failed])
    assert printed["schema_version"] == 1
    keys = {"task", "model", "method", "params", "seed", "status", "reason", "scores", "cost"}
    for one in printed["results"]:
        assert keys <= one.keys()
        assert {"expected", "scored"} <= one["pairs"].keys()
        jsonschema.validate({k: v for k, v in one.items() if k != "origin"}, schema.result_schema())
    assert [one["origin"] for one in printed["results"]] == ["stored", "measured"]
    json.dumps(printed, allow_nan=False)


def test_two_files_that_belong_together(tmp_path):
    path = write(tmp_path, b"scores")
    assert path.parts[-4:-1] == ("kitchen", path.parts[-3], "gradients")
    assert path.parts[-3].startswith("net-seed-1-")
    assert tree(tmp_path) == sorted([path.name, f"{path.stem}.items.npz"])
    back = results.read(path, "stored")
    assert back.origin == "stored"
    assert back.items == {
        "file": f"{path.stem}.items.npz",
        "sha256": hashlib.sha256(b"scores").hexdigest(),
    }
    assert replace(back, items=None, origin="measured") == result()


def test_the_file_reads_well_and_is_written_in_one_way(tmp_path):
    text = write(tmp_path, scores=(RECORD, RECORD)).read_bytes()
    lines = text.decode().splitlines()
    assert sum('"metric": "iou"' in line for line in lines) == 2
    assert text == write(tmp_path, scores=(RECORD, RECORD)).read_bytes()


def test_no_two_cells_share_a_file():
    cells = [
        ("kitchen", "net", "a", 0, None),
        ("kitchen", "net", "a", 1, None),
        ("kitchen", "net", "a", 0, 8),
        ("kitchen", "net", "a", 0, 80),
        ("kitchen", "net", "a[x=1]", 0, None),
        ("kitchen", "net", "a[x=-1]", 0, None),
        ("kitchen", "net[seed=1]", "a", 0, None),
        ("street", "net", "a", 0, None),
        ("kitchen", "net", "a[name=" + "l" * 300 + "]", 0, None),
    ]
    paths = [results.result_path(Path("x"), *cell) for cell in cells]
    assert len(set(paths)) == len(cells)
    assert all(len(path.name) < 80 for path in paths)


def test_a_limited_run_leaves_the_full_one_alone(tmp_path):
    full = write(tmp_path, b"full")
    before = full.read_bytes()
    assert write(tmp_path, b"few", limited=8) != full
    assert full.read_bytes() == before
    assert len(tree(tmp_path)) == 4


def test_a_failed_result_has_no_items(tmp_path):
    write(tmp_path, b"scores")
    path = write(tmp_path, None, status="failed", reason="it broke", scores=())
    assert tree(tmp_path) == [path.name]
    back = results.read(path, "stored")
    assert (back.status, back.items) == ("failed", None)
    with pytest.raises(MissingDataError, match="no items"):
        results.read_items(path, back)


@pytest.mark.parametrize("broken", ["items", "json"])
def test_a_full_disk_keeps_the_earlier_result(tmp_path, monkeypatch, broken):
    path = write(tmp_path, b"before")
    kept = {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    real = files.write_atomic

    def full(target: Path, content: bytes) -> None:
        if ("items" in target.name) == (broken == "items"):
            raise DataError("cannot write: No space left on device", "make room")
        real(target, content)

    monkeypatch.setattr(files, "write_atomic", full)
    with pytest.raises(DataError, match="No space left"):
        write(tmp_path, b"after")
    assert {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == kept
    assert results.read(path, "stored").items is not None


def test_an_interruption_between_the_renames_leaves_no_false_result(tmp_path, monkeypatch):
    path = write(tmp_path, b"before")
    real = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target) == path:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, b"after")
    assert tree(tmp_path) == [results.items_path(path).name]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "kitchen").write_text("a file is in the way")
    with pytest.raises(DataError, match=r"cannot write .*/gradients-[^/]*\.json: Not") as caught:
        write(tmp_path)
    assert "--output" in caught.value.hint
    assert tree(tmp_path) == ["kitchen"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="cannot write"):
        write(tmp_path)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(MissingDataError, match="there is no result"):
        results.read(tmp_path / "none.json", "stored")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}', b"[" * 100_000],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"r\.json") as caught:
        results.read(path, "stored")
    assert "--overwrite" in caught.value.hint
    with pytest.raises(DataError) as caught:
        results.read(path, "shipped")
    assert "reinstall" in caught.value.hint


def test_nan_in_a_file_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace("0.30000000000000004", "NaN"))
    with pytest.raises(DataError, match="NaN is not JSON"):
        results.read(path, "stored")


def test_a_newer_file_asks_for_a_newer_sedbench(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(DataError, match="schema version 2") as caught:
        results.read(path, "stored")
    assert "upgrade" in caught.value.hint


def test_items_of_another_result_are_refused(tmp_path):
    path = write(tmp_path, b"scores")
    back = results.read(path, "stored")
    results.items_path(path).write_bytes(b"others")
    with pytest.raises(HashMismatchError, match="is not the file"):
        results.read_items(path, back)
    results.items_path(path).unlink()
    with pytest.raises(MissingDataError, match="is gone"):
        results.read_items(path, back)


records = st.dictionaries(
    st.sampled_from([*RECORD, "x"]),
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(-1, 1), st.text(max_size=2)),
)


@given(
    st.lists(records.map(lambda some: {**RECORD, **some}), min_size=1, max_size=3), st.booleans()
)
def test_the_short_cut_through_score_records_says_what_the_schema_says(scores, dropped):
    if dropped:
        scores[-1].pop("value", None)
    document = {**results.to_json(result()), "scores": scores}
    right = jsonschema.Draft202012Validator(schema.result_schema()).is_valid(document)
    try:
        schema.validate(document, "it", "")
        said = True
    except DataError:
        said = False
    assert said is right
