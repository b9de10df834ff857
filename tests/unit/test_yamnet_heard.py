"""Backgrounds that YAMNet hears as a target: what is listed, and what ships."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sedbench.data.soundbank import Recording
from sedbench_plugins import domestic_real
from sedbench_plugins.yamnet import heard
from sedbench_plugins.yamnet.models import Yamnet


class Bank:
    """Three backgrounds and a foreground; the third background is of ``loud`` patches."""

    name = "three"

    def recordings(self) -> tuple[Recording, ...]:
        ids = (
            "background/a/0.wav",
            "background/a/1.wav",
            "background/b/2.wav",
            "foreground/c/3.wav",
        )
        return tuple(
            Recording(i, i.split("/")[0], i.split("/")[1], "train", 2.0, i)  # type: ignore[arg-type]
            for i in ids
        )

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        assert not recording_id.startswith("foreground")
        return np.full(sample_rate, float(recording_id[-5]), np.float32)

    def fingerprint(self) -> str:
        return "0" * 64


def test_a_background_is_listed_where_a_patch_of_it_exceeds_the_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def patch_scores(self: Yamnet, waveform: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(2, 521)
        scores[0, 0] = 0.04 + 0.12 * waveform[0]  # Speech: .04, .16 and .28 in one of two patches
        return scores

    monkeypatch.setattr(Yamnet, "patch_scores", patch_scores)
    monkeypatch.setattr(Yamnet, "load_trained", lambda self, state: None)
    facts = heard.listen(Bank(), ("Speech", "Dog", "No such label"), threshold=0.2)
    assert facts["backgrounds"] == 3
    assert facts["classes"] == ["Speech", "Dog"]
    assert facts["unknown"] == ["No such label"]
    assert facts["heard"] == [
        {"recording": "background/b/2.wav", "classes": {"Speech": {"clip": 0.14, "highest": 0.28}}}
    ]


def test_what_ships_is_about_the_soundbank_that_ships() -> None:
    facts = heard.shipped("domestic-real")
    assert facts is not None
    bank = domestic_real.build()
    backgrounds = {r.id for r in bank.recordings() if r.role == "background"}
    assert facts["fingerprint"] == bank.fingerprint()
    assert facts["backgrounds"] == len(backgrounds)
    assert {row["recording"] for row in facts["heard"]} <= backgrounds
    for row in facts["heard"]:
        for score in row["classes"].values():
            assert facts["threshold"] < score["highest"] <= 1
            assert score["clip"] <= score["highest"]
    only = heard.shipped("domestic-real", ("Frying", "Dog"))
    assert only is not None
    assert 0 < len(only["heard"]) < len(facts["heard"])
    assert {k for row in only["heard"] for k in row["classes"]} == {"Frying", "Dog"}
    assert heard.shipped("no such bank") is None
