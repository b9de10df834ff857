from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from sedbench.report import columns, table
from sedbench.results import Result


@dataclass(frozen=True)
class Row:
    method: str
    iou: float
    f1: float
    pg: float


def record(metric: str, value: float | None, policy: str | None = None, **changes: Any) -> dict:
    known = value is not None
    return {
        "metric": metric,
        "policy": policy,
        "view": "localisation",
        "average": "pairs",
        "stratum": "all",
        "truth": "activity",
        "smoothing": "none",
        "value": value,
        "ci_low": value - 0.04 if known else None,
        "ci_high": value + 0.04 if known else None,
        "n_pairs": 212,
        "n_clips": 118,
        "n_groups": 64,
    } | changes


def scores(iou: float | None) -> tuple[dict, ...]:
    v = iou or 0.0
    return (
        record("iou", iou, "percentile") | {"value": v - 0.1},
        record("iou", v - 0.2, "relative"),
        record("iou", 0.99, "chosen", average="classes"),
        record("iou", 0.98, "chosen", stratum="class:Dog"),
        record("iou", 0.97, "chosen", smoothing="chosen"),
        record("iou", iou, "chosen"),
        record("iou", v + 0.1, "oracle"),
        record("f1", v + 0.05, "chosen"),
        record("pg", 0.8),
        record("pg_corrected", -0.031),
        record("auc", 0.71),
        record("ap", 0.62),
        record("discrimination", 0.66),
        record("iou", v - 0.05, "chosen", view="end-to-end"),
        record("iou", 0.96, "chosen", truth="extent"),
    )


def result(spec: str, iou: float | None = 0.4, **changes: Any) -> Result:
    fields: dict[str, Any] = {
        "task": "kitchen",
        "model": "net[seed=1]",
        "method": spec.partition("[")[0],
        "spec": spec,
        "params": {},
        "seed": 0,
        "task_version": 2,
        "task_fingerprint": "aa",
        "pairs": {"expected": 212, "scored": 212, "clips": 118, "groups": 64},
        "scores": scores(iou),
        "classifier": {"micro_f1": 0.871},
        "cost": {"seconds": 34.2},
    } | changes
    return Result(**fields)


RESULTS = [
    result("gradients[baseline=silence,input=waveform,steps=50]", 0.41),
    result("occlusion", 0.473, origin="stored"),
    result("deep", None, status="failed", reason="out of memory", scores=(), pairs={}),
    result("camera", None, status="not_applicable", reason="the model has no layer", scores=()),
]
REFERENCE = [
    result("guess", 0.19, origin="shipped", kind="baseline"),
    result("framewise", 0.45, origin="shipped", kind="detector", supervision="strong"),
    result("occlusion", 0.52, origin="shipped"),
]
PUBLISHED = [Row("Theirs", 0.39, 0.52, 82.6)]


def lines(width: int, results=RESULTS, reference=REFERENCE, published=PUBLISHED, **options: Any):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    table.render(results, reference, published, console, **options)
    return console.file.getvalue().splitlines()


def row(printed: list[str], name: str) -> str:
    (found,) = (line for line in printed if line.startswith(name))
    return found


def test_the_headline_record_is_found_among_its_kin():
    one = result("occlusion", 0.4)
    assert columns.record(one, "iou")["value"] == 0.4
    assert columns.record(one, "iou", view="end-to-end")["value"] == pytest.approx(0.35)
    assert columns.record(one, "iou", average="classes")["value"] == 0.99
    assert columns.record(one, "iou", stratum="class:Dog")["value"] == 0.98
    assert columns.record(one, "iou", truth="extent")["value"] == 0.96
    assert columns.record(one, "auc")["value"] == 0.71
    assert columns.record(one, "psds") is None
    assert columns.record(result("x", scores=()), "iou") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.473, ".47"),
        (0.0, ".00"),
        (-0.001, ".00"),
        (-0.031, "-.03"),
        (0.997, "1.00"),
        (1.0, "1.00"),
        (-1.25, "-1.25"),
        (None, "-"),
    ],
)
def test_numbers_are_short(value, text):
    assert columns.number(value) == text


def test_intervals_are_shown_where_they_are_known():
    assert columns.with_interval(record("iou", 0.473)) == ".47 [.43 .51]"
    assert columns.with_interval(record("iou", 0.473, ci_low=None)) == ".47"
    assert columns.with_interval(record("iou", None)) == "-"
    assert columns.with_interval(None) == "-"


@pytest.mark.parametrize("width", [60, 72, 80, 90, 100, 120, 140, 160, 200, 240])
def test_no_line_is_too_long_and_no_number_is_cut(width):
    printed = lines(width)
    assert max(map(len, printed)) <= width
    assert not any("…" in line for line in printed)
    assert ".47 [.43 .51]" in row(printed, "occlusion")
    assert ".19 [.15 .23]" in row(printed, "guess")


def test_columns_are_dropped_in_the_documented_order():
    shown = [*RESULTS[:2], *REFERENCE[:2]]
    order = columns.columns(shown)
    counts = []
    for width in range(40, 260, 5):
        taken = [column for column, _ in columns.fitting(shown, width)]
        assert sorted(taken, key=order.index) == order[: len(taken)]
        counts.append(len(taken))
    assert counts == sorted(counts)
    assert counts[-1] == len(order)


def test_what_80_columns_show():
    printed = "\n".join(lines(80))
    for head in ("IoU", "AUC", "AP", "corr.", "pairs", "vision", "origin"):
        assert head in printed
    assert "212/212" in row(lines(80), "guess")


def test_intervals_of_more_columns_where_there_is_room():
    assert ".71 [.67 .75]" not in "\n".join(lines(160))
    assert ".71 [.67 .75]" in row(lines(240), "occlusion")


def test_end_to_end_is_kept_when_asked_for():
    assert "end-to-end" not in "\n".join(lines(80))
    asked = lines(80, end_to_end=True)
    assert "end-to-end" in "\n".join(asked)
    assert ".14" in row(asked, "guess")


def test_a_percentile_that_nobody_chose_has_a_column():
    one = result("occlusion", 0.4)
    fixed = (*one.scores, record("iou", 0.234, "percentile@56"))
    printed = lines(160, [result("occlusion", 0.4, scores=fixed)], [result("guess", 0.1)])
    assert any("@56" in line for line in printed[:2])
    assert " .23 " in row(printed, "occlusion")
    assert " - " in row(printed, "guess")


def test_rows_are_sorted_and_marked_with_where_they_come_from():
    printed = lines(100)
    names = ["occlusion", "framewise", "gradients[", "guess"]
    at = [next(i for i, line in enumerate(printed) if line.startswith(n)) for n in names]
    assert at == sorted(at)
    assert [re.search("this run|stored|shipped", printed[i]).group() for i in at] == [
        "stored",
        "shipped",
        "this run",
        "shipped",
    ]
    assert "strong" in printed[at[1]]


def test_a_shipped_row_gives_way_to_the_same_cell_and_a_difference_is_said():
    assert sum(line.startswith("occlusion") for line in lines(100)) == 1
    assert "Doubt: occlusion has IoU .47 here, .52 as shipped." in lines(100)
    agreeing = [result("occlusion", 0.474, origin="shipped")]
    assert not any("Doubt" in line for line in lines(100, reference=agreeing))


def test_limited_rows_are_shown_and_not_ranked():
    few = result(
        "occlusion", 0.9, limited=8, pairs={"expected": 14, "scored": 14, "clips": 8, "groups": 9}
    )
    found = table.sections([few], REFERENCE)
    assert few not in found.ranked
    assert found.unranked == ((few, "8 clips"),)
    assert REFERENCE[2] in found.ranked  # a limited run does not replace the shipped row
    printed = "\n".join(lines(100, [few]))
    assert "Limited: the first 8 test clips only." in printed
    assert printed.index("guess") < printed.index("(8 clips)")


def test_stale_rows_are_shown_as_such_and_not_ranked():
    old = result("guess", 0.9, origin="shipped", task_fingerprint="old")
    found = table.sections(RESULTS, [old])
    assert old not in found.ranked
    assert found.unranked == ((old, "stale"),)
    assert any("before the task changed" in line for line in lines(200, reference=[old]))


def test_rows_on_fewer_pairs_are_not_ranked():
    part = result("occlusion", 0.9, pairs={"expected": 212, "scored": 200})
    assert table.sections([part], []).unranked == ((part, "incomplete"),)


def test_rows_without_figures_stand_below_with_their_reason():
    printed = lines(100)
    assert "out of memory" in row(printed, "deep")
    assert "not applicable" in row(printed, "camera")
    assert printed.index(row(printed, "guess")) < printed.index(row(printed, "deep"))


def test_a_run_of_failures_alone_still_says_so():
    printed = lines(80, RESULTS[2:3], [], [])
    assert "out of memory" in row(printed, "deep")


def test_published_figures_stand_apart():
    printed = lines(100, note="Other sounds.")
    at = next(i for i, line in enumerate(printed) if "not comparable row by row" in line)
    theirs = printed.index(row(printed, "Theirs"))
    assert at > printed.index(row(printed, "guess"))
    assert theirs > at
    assert printed[theirs].split() == ["Theirs", ".39", ".52", "82.6"]
    assert "Other sounds." in printed
    assert not any("arXiv" in line for line in lines(100, published=[]))


def test_the_caption_names_what_was_measured():
    text = " ".join(line.strip() for line in lines(200))
    assert "kitchen@2, model net[seed=1] (clip micro F1 .87 on test)." in text
    assert "212 pairs, 118 clips, 64 source groups" in text
    assert "truth: activity" in text


def test_seeds_are_named_where_rows_differ_in_nothing_else():
    rows = [result("guess", 0.2), result("guess", 0.3, seed=1), result("camera", 0.4, seed=1)]
    assert [columns.label(r, rows) for r in rows] == ["guess (seed 0)", "guess (seed 1)", "camera"]


def test_rows_that_are_identical_by_construction_are_marked():
    alike = [result(name, equals="one map") for name in ("first", "second")]
    alone = result("third", equals="another map")
    printed = lines(120, [*alike, alone])
    assert row(printed, "first").startswith("first =")
    assert row(printed, "second").startswith("second =")
    assert not row(printed, "third").startswith("third =")
    assert "= identical by construction (one map): first, second." in " ".join(printed)


def test_a_long_name_folds_behind_commas():
    name = "gradients[baseline=silence,input=waveform]"
    assert columns.folded(name, 30) == "gradients[baseline=silence,\n input=waveform]"
    assert columns.folded(name, 80) == name


def test_markup_in_names_is_printed_as_it_is():
    odd = result("camera[layer=bold]", 0.4)
    assert any("camera[layer=bold]" in line for line in lines(160, [odd]))


def test_colour_is_the_console_s_to_decide(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    table.render(RESULTS, REFERENCE, PUBLISHED, console)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", console.file.getvalue())


def test_the_same_results_print_the_same():
    assert lines(100) == lines(100)
    assert lines(100, reference=REFERENCE[::-1]) == lines(100)
