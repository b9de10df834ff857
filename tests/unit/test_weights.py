"""Weight files and their cards: what is found, verified and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.files import sha256
from sedbench.models import weights

STATE = {
    "conv.weight": torch.tensor([[1.0, -2.5], [1 / 3, 1e-4]]),
    "norm.num_batches_tracked": torch.tensor(7),
}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def save(root: Path, variant: str = "classifier", seed: int = 0, **card: object) -> Path:
    path = root / "toy" / f"{variant}-s{seed}.safetensors"
    weights.save(path, STATE, {"seed": seed, **card})
    return path


def find(shipped: Path | None = None, seed: int = 0) -> weights.Weights:
    return weights.find("net", shipped, "toy", "classifier", seed)


def test_round_trip_in_half_precision(data: Path) -> None:
    path = save(weights.local_root("net"), command="train it")
    assert path.is_relative_to(data)
    found = find()
    assert (found.path, found.origin, found.card["command"]) == (path, "local", "train it")
    assert found.sha256 == sha256(path.read_bytes())
    loaded = weights.load(found)
    assert loaded["conv.weight"].dtype == torch.float32
    assert loaded["conv.weight"].equal(STATE["conv.weight"].half().float())
    assert loaded["norm.num_batches_tracked"].equal(STATE["norm.num_batches_tracked"])
    assert list(path.parent.glob(".*")) == []  # nothing half-written stays behind


def test_the_same_weights_are_the_same_file(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "x-s0.safetensors", tmp_path / "b" / "x-s0.safetensors"
    weights.save(one, STATE, {"seed": 0})
    weights.save(other, dict(reversed(STATE.items())), {"seed": 0})  # as a resumed training has it
    assert one.read_bytes() == other.read_bytes()
    assert one.with_suffix(".json").read_bytes() == other.with_suffix(".json").read_bytes()


def test_another_file_than_the_card_records(tmp_path: Path) -> None:
    path = save(weights.local_root("net"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(HashMismatchError, match="classifier-s0") as caught:
        weights.load(find())
    assert caught.value.exit_code == 4
    assert caught.value.hint


@pytest.mark.parametrize("card", ["", "{", "[]", "{}", '{"sha256": 3}', '"text"'])
def test_a_card_that_cannot_be_read(card: str) -> None:
    path = save(weights.local_root("net"))
    path.with_suffix(".json").write_text(card)
    for look in (find, lambda: weights.available("net", None, "toy")):
        with pytest.raises(DataError, match=r"classifier-s0\.json") as caught:
            look()
        assert caught.value.exit_code == 4


def test_shipped_before_local(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    save(shipped, mark="shipped")
    save(weights.local_root("net"), mark="local")
    save(weights.local_root("net"), seed=1, mark="local")
    assert find(shipped).origin == find(shipped).card["mark"] == "shipped"
    assert find(shipped, seed=1).origin == "local"
    assert find().origin == "local"
    names = [(w.path.stem, w.origin) for w in weights.available("net", shipped, "toy")]
    assert names == [("classifier-s0", "shipped"), ("classifier-s1", "local")]


def test_missing_weights_come_with_the_line_to_type(tmp_path: Path) -> None:
    save(tmp_path / "shipped", seed=1)
    with pytest.raises(MissingDataError) as caught:
        find(tmp_path / "shipped", seed=2)
    assert caught.value.exit_code == 4
    command = "sedbench train classifier --model net --task toy --seed 2"
    assert command in caught.value.hint
    assert weights.available("net", None, "elsewhere") == []


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_half_of_a_pair_is_nothing(suffix: str) -> None:
    save(weights.local_root("net")).with_suffix(suffix).unlink()
    with pytest.raises(MissingDataError):
        find()
    assert weights.available("net", None, "toy") == []


def test_weights_that_overflow_half_precision_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "toy" / "x-s0.safetensors"
    with pytest.raises(DataError, match="half precision"):
        weights.save(path, {"w": torch.tensor([1e6])}, {})
    assert not path.exists()


def test_a_card_is_plain_json() -> None:
    path = save(weights.local_root("net"), validation={"micro_f1": 0.5})
    card = json.loads(path.with_suffix(".json").read_text())
    assert card == {"sha256": find().sha256, "seed": 0, "validation": {"micro_f1": 0.5}}
