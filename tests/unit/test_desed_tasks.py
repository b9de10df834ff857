"""The tasks on DESED's data, from the archive to results, on stand-ins of its layout."""

from __future__ import annotations

import io
import json
import tarfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

import sedbench_tasks
from sedbench import api, hookimpl, learn, lookup, registry
from sedbench.cli import main
from sedbench.data.drawn import drawn_folder
from sedbench.models.contract import Classifier
from sedbench.registry import BUILT_IN, Source, build
from sedbench.report.columns import record
from sedbench.results import from_json
from sedbench.schema import SCHEMA_VERSION
from sedbench.types import ModelInfo
from sedbench_plugins import baselines, bounds, detectors, integrated_gradients, soundbanks
from sedbench_plugins.desed import public_eval, soundbank

RATE = 8000
HEADER = {"schema_version": SCHEMA_VERSION}
HEAD = "filename\tid\tdataset\tdownload\tlicense\tname\tusername\n"


class Hopeful(Classifier):
    """Detects every class in every clip; what is loud is likely."""

    def __init__(self, classes: tuple[str, ...], sample_rate: int) -> None:
        super().__init__()
        self.classes, self.sample_rate = classes, sample_rate

    def features(self, waveform: Tensor) -> Tensor:
        frames = waveform.reshape(len(waveform), 1, -1, self.sample_rate // 10)
        return torch.log(frames.square().mean(-1) + 1e-9)

    def frame_logits(self, features: Tensor) -> Tensor:
        return (features + 30).expand(-1, len(self.classes), -1)

    def logits(self, features: Tensor) -> Tensor:
        return self.frame_logits(features).amax(-1)

    def feature_edges(self, n_samples: int) -> np.ndarray:
        return np.arange(10 * n_samples // self.sample_rate + 1) / 10

    frame_edges = feature_edges


class Family:
    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Hopeful:
        return Hopeful(classes, sample_rate)


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped tasks, soundbanks and baselines, and a model that needs no weights."""

    @hookimpl
    def sedbench_register_models(register: Any) -> None:
        register(ModelInfo("hopeful", "all is there", trains=False), Family)

    model = types.SimpleNamespace(sedbench_register_models=sedbench_register_models)
    offered = (baselines, bounds, detectors, integrated_gradients, model)
    found = build(
        Source(f"p{i}", BUILT_IN, "1", lambda plugin=plugin: plugin)
        for i, plugin in enumerate((sedbench_tasks, soundbanks, *offered))
    )
    assert not found.broken
    for module in (api, learn, lookup, registry):
        monkeypatch.setattr(module, "registry", lambda: found)
    for name in ("cache", "data", "results"):
        monkeypatch.setenv(f"SEDBENCH_{name.upper()}", str(tmp_path / name))


def wav(seconds: float, seed: int, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate))
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two authors of a class to learn from, one to test; six backgrounds; a silent file."""
    members, training = {}, HEAD
    for k, label in enumerate(public_eval.CLASSES):
        for i in range(6):
            number = 10 * k + i
            path = f"audio/train/soundbank/foreground/{label}_nOn/{number}_0.wav"
            members[path] = wav(1.0, number)
            training += f"x/{number}_0.wav\t{number}\tfreesound\t\tCC0\tx\tauthor{i % 2}-{k}\n"
        for i in range(3):
            members[f"audio/eval/soundbank/foreground/{label}/{900 + k}_{i}.wav"] = wav(
                1.5, 3 * k + i
            )
    for i in range(6):
        place = "freesound" if i < 4 else "youtube"
        members[f"audio/eval/soundbank/background/{place}/{700 + i}.wav"] = wav(3.0, 700 + i)
    quiet = io.BytesIO()
    soundfile.write(quiet, np.zeros(RATE), RATE, format="WAV", subtype="PCM_16")
    members["audio/eval/soundbank/foreground/Cat/999_0.wav"] = quiet.getvalue()
    members["license_training.tsv"] = training.encode()
    return tar(tmp_path / soundbank.NAME, members)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Twelve annotated clips a little short of 10 s, and one that is too short."""
    members, table, licences = {}, "filename\tonset\toffset\tevent_label\n", "filename\tuploader\n"
    for i in range(13):
        name = f"video{i}_30.000_40.000.wav"
        members[f"audio/eval/public/{name}"] = wav(4.0 if i == 12 else 9.98, i)
        label = public_eval.CLASSES[i % 10]
        table += f"{name}\t{i % 5}.100\t{i % 5 + 2}.300\t{label}\n{name}\t3.000\t3.900\tSpeech\n"
        licences += f"{name}\tuploader {i}\n"
    members["metadata/eval/public.tsv"] = table.encode()
    members["license_public_eval.tsv"] = licences.encode()
    return tar(tmp_path / public_eval.NAME, members)


def scores(out: str) -> dict[str, float]:
    """The IoU of each method, from what ``--json`` prints."""
    found = {}
    for document in json.loads(out)["results"]:
        result = from_json(
            {k: v for k, v in document.items() if k != "origin"} | HEADER, "measured"
        )
        assert result.status == "ok", result.reason
        row = record(result, "iou", policy="chosen")
        assert row is not None
        found[result.spec] = row["value"]
    return found


def run(task: str) -> int:
    methods = [word for name in ("energy", "random", "oracle") for word in ("-m", name)]
    return main(["run", *methods, "-t", task, "--model", "hopeful", "--jobs", "1", "--json"])


def test_desed_from_the_archive_to_results(sounds: Path, capsys: pytest.CaptureFixture[str]):
    assert run("desed") == 4
    err = capsys.readouterr().err
    assert "its soundscapes were never drawn" in err
    assert "sedbench fetch desed-soundbank && sedbench soundscapes generate desed" in err
    assert main(["soundscapes", "generate", "desed"]) == 4  # nothing to draw from yet
    assert "sedbench fetch desed-soundbank" in capsys.readouterr().err
    assert not drawn_folder("desed").exists()

    assert main(["fetch", "desed-soundbank", "--from", str(sounds)]) == 0
    assert run("desed") == 4
    assert "\nhint: sedbench soundscapes generate desed\n" in capsys.readouterr().err
    shipped = lookup.find_task("desed").path
    before = shipped.read_bytes()
    assert main(["soundscapes", "generate", "desed", "--count", "6"]) == 0
    told = capsys.readouterr()
    assert f"frozen in {drawn_folder('desed')}" in told.out and shipped.read_bytes() == before
    assert "note: 1 file was left out" in told.err
    assert "foreground/Cat/eval-999_0.wav: silent" in told.err

    task = lookup.find_task("desed")
    assert task.frozen and task.path.parent == drawn_folder("desed")
    bank = {r.id: r for r in soundbank.build().recordings()}
    for split in ("train", "validation", "test"):
        clips = task.clips(split)
        used = {p.source_file for c in clips for p in (c.background, *c.events)}
        assert len(clips) == 6 and {bank[name].split for name in used} == {split}
    fingerprint = task.fingerprint()
    assert main(["soundscapes", "generate", "desed", "--count", "6"]) == 0  # for everybody the same
    assert "another draw" not in capsys.readouterr().out
    assert lookup.find_task("desed").fingerprint() == fingerprint

    assert run("desed") == 0
    found = scores(capsys.readouterr().out)
    assert found["oracle"] > 0.99 and 0 < found["random"] < found["oracle"] and "energy" in found


def test_desed_real_from_the_archive_to_results(scenes: Path, capsys: pytest.CaptureFixture[str]):
    assert run("desed-real") == 4
    err = capsys.readouterr().err
    assert "its windows were never cut" in err
    assert "sedbench fetch desed-public-eval && sedbench soundscapes generate desed-real" in err
    assert main(["fetch", "desed-public-eval", "--from", str(scenes)]) == 0
    assert main(["soundscapes", "generate", "desed-real"]) == 0
    told = capsys.readouterr()
    assert "recordings/video12_30.000_40.000.wav: no annotated stretch is half as long" in told.err
    task = lookup.find_task("desed-real")
    groups = {
        split: {public_eval.build().recording(clip.recording).group for clip in task.clips(split)}
        for split in ("validation", "test")
    }
    assert not groups["validation"] & groups["test"]
    assert sum(map(len, groups.values())) == sum(s.clips for s in task.splits.values()) == 12
    assert run("desed-real") == 0
    found = scores(capsys.readouterr().out)
    assert found["oracle"] > 0.99 and set(found) == {"energy", "random", "oracle"}


def test_a_draw_that_what_ships_no_longer_asks_for_is_not_used(sounds: Path):
    soundbank.build().bring(sounds)
    assert main(["soundscapes", "generate", "desed", "--count", "4", "--split", "test"]) == 0
    here = drawn_folder("desed") / "task.toml"
    assert lookup.find_task("desed").splits["test"].sha256
    assert lookup.find_task("desed").splits["train"].sha256 == ""
    here.write_text(here.read_text().replace("version = 1", "version = 7"))
    assert lookup.find_task("desed").splits["test"].sha256 == ""
    assert main(["soundscapes", "generate", "desed", "--count", "4", "--split", "test"]) == 0
    assert lookup.find_task("desed").splits["test"].sha256 and "version = 7" not in here.read_text()


@pytest.mark.parametrize("name", ["desed", "desed-real"])
def test_what_is_not_drawn_is_shown_and_noted(name: str, capsys: pytest.CaptureFixture[str]):
    assert main(["show", name, "--kind", "tasks", "--json"]) == 0
    task = json.loads(capsys.readouterr().out)["tasks"]
    assert task["to_draw"].endswith(f"sedbench soundscapes generate {name}")
    main(["doctor", "--json"])
    checks = {c["what"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks[f"task {name}"]["status"] == "note"
    assert checks[f"task {name}"]["hint"] == task["to_draw"]
