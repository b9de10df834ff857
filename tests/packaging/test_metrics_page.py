"""docs/metrics.md says of every metric what the metric says of itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sedbench.metrics import METRICS, PSDS1, PSDS2, STANDALONE_METRICS
from sedbench.protocol.moments import MASS_METRICS
from sedbench.types import MetricInfo

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
ALL = {info.name: info for info in (*METRICS, *STANDALONE_METRICS)}


def rows(section: str) -> list[list[str]]:
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


TABLE = {row[0].strip("`"): row[1:] for row in rows("Every metric") if row[-1][0] == "["}


def test_every_metric_has_a_line_and_no_other():
    assert list(TABLE) and set(TABLE) == set(ALL)


@pytest.mark.parametrize("info", ALL.values(), ids=list(ALL))
def test_a_line_says_what_the_metric_says(info: MetricInfo):
    _, unit, values, better, where, source = TABLE[info.name]
    assert unit == (info.unit or "-")
    end = "up" if info.high == float("inf") else f"to {info.high:g}"
    assert values == (f"{info.low:g} {end}" if info.low > float("-inf") else f"up {end}")
    assert better == ("higher" if info.higher_is_better else "lower")
    there = "compare" if info.name in MASS_METRICS else "alone"
    assert where == ("board" if info in METRICS else there)
    assert re.fullmatch(r"\[\d+\]( \[\d+\])*", source) and info.reference


def test_the_scenarios_are_those_that_are_used():
    for name, scenario in {"psds1": PSDS1, "psds2": PSDS2}.items():
        (row,) = [
            row for row in rows("Every metric") if row[0] == f"`{name}`" and "hour" in row[-1]
        ]
        rule = scenario.criteria
        expected = (rule.dtc, rule.gtc, rule.cttc, scenario.alpha_ct, scenario.alpha_st)
        assert row[1:6] == ["-" if value is None else f"{value:g}" for value in expected]
        assert row[6] == f"{scenario.max_efpr:g} false alarms an hour"


def test_the_speed_is_the_one_that_was_measured():
    speed = json.loads((ROOT / "tests" / "golden" / "detection.json").read_text())["speed"]
    stated = re.findall(r"\*\*([\d.]+) times\*\*", PAGE)
    ratios = speed["times_faster"]
    assert stated == [f"{ratios['sed_eval']:.0f}", f"{ratios['sed_scores_eval']:g}"]
    assert speed["machine"].split(",")[0] in PAGE


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
