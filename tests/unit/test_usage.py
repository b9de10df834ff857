"""Seconds of the processor and memory at most."""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import pytest

from sedbench.usage import measured


def test_waiting_costs_no_processor() -> None:
    with measured() as idle:
        time.sleep(0.2)
    with measured() as busy:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
    assert idle.cpu_seconds < 0.1 <= busy.cpu_seconds


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_the_peak_is_of_the_block_alone() -> None:
    with measured() as large:
        np.ones(25_000_000).sum()  # 200 MB
    with measured() as small:
        np.ones(1_000).sum()
    assert not math.isnan(large.peak_memory)
    assert large.peak_memory - small.peak_memory > 150e6


def test_what_the_system_does_not_tell_is_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sedbench.usage._reset", lambda: False)
    with measured() as usage:
        pass
    assert math.isnan(usage.peak_memory)
    assert usage.cpu_seconds >= 0
