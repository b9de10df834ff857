"""Asking a method: chunks, the cache, and what is no answer."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sedbench import answers
from sedbench.answers import CHUNK, Answers
from sedbench.errors import DataError, NotApplicable, SedbenchError
from sedbench.refs import MethodRef, ModelRef
from sedbench.types import Answer, Cost, FrameGrid, FrameScores, MethodInfo, Query

CLASSES = ("Dog", "Cat", "Blender")
GRID = FrameGrid(1.0, 0.1)
CLIPS = 2 * CHUNK + 3
IDS = tuple(f"test-{i:04d}" for i in range(CLIPS))
WAVES = np.random.default_rng(0).uniform(-1, 1, (CLIPS, 100)).astype(np.float32)
# The middle chunk has no pair at all.
PAIRS = np.array([[0, 1], [0, 2], [3, 0], [7, 1], [17, 0], [18, 2]])
MODEL = ModelRef(
    name="net", canonical="net", task="toy", classes=CLASSES, sample_rate=100, seed=0,
    device="cpu", variants=("classifier", "framewise"), factory=dict,
    weights=(("classifier", "aa"), ("framewise", "bb")),
)  # fmt: skip
INFO = MethodInfo("loudest", "", needs=frozenset({"model"}))


class Loudest:
    """Answers with a number that tells clip, class and frame apart, and counts its calls."""

    asked: ClassVar[list[Query]] = []

    def __init__(self, **params: Any) -> None:
        self.params = params

    def answer(self, query: Query, model: Any) -> Answer:
        self.asked.append(query)
        level = query.waveforms.mean(1)[query.pairs[:, 0]] + query.pairs[:, 1]
        values = level[:, None] + np.arange(5) * self.params.get("step", 1)
        return Answer(
            FrameScores(values.astype(np.float32), np.linspace(0, 1, 6)),
            resolution=0.2,
            diagnostics={"error": level},
            cost=Cost(len(query.waveforms), 2 * len(query.pairs), 0.5),
        )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path))
    Loudest.asked.clear()
    yield tmp_path / "answers"


def ref(factory: Callable[..., Any] = Loudest, info: MethodInfo = INFO, **params: Any) -> MethodRef:
    text = info.name + "".join(f"[{k}={v}]" for k, v in params.items())
    return MethodRef(info, text, params, factory)


def ask(
    method: MethodRef | None = None, model: ModelRef = MODEL, *, clips: int = CLIPS, **options: Any
) -> Answers:
    pairs: NDArray[np.int64] = options.pop("pairs", PAIRS[PAIRS[:, 0] < clips])
    settings: dict[str, Any] = {"grid": GRID, "truth": None, "seed": 0, "data": "d", **options}
    return answers.ask(
        method or ref(), model, clip_ids=IDS[:clips], waveforms=WAVES[:clips], pairs=pairs,
        **settings,
    )  # fmt: skip


def same(one: Answers, other: Answers) -> bool:
    return (
        one.scores.tobytes() == other.scores.tobytes()
        and one.diagnostics["error"].tobytes() == other.diagnostics["error"].tobytes()
        and (one.forward, one.backward, one.seconds, one.resolution)
        == (other.forward, other.backward, other.seconds, other.resolution)
    )


def test_one_row_a_pair_on_the_grid() -> None:
    got = ask()
    level = WAVES.mean(1)[PAIRS[:, 0]] + PAIRS[:, 1]
    expected = level[:, None] + np.repeat(np.arange(5), 2)
    np.testing.assert_allclose(got.scores, expected, rtol=2**-10, atol=1e-6)
    np.testing.assert_allclose(got.diagnostics["error"], level, rtol=1e-6)
    # Clips of the middle chunk, which nobody asked about, were not passed.
    assert (got.forward, got.backward) == (CHUNK + 3, 2 * len(PAIRS))
    assert (got.seconds, got.resolution) == (1.0, 0.2)
    assert got.mask is got.own is None


def test_what_it_took_is_kept_with_the_answer(cache: Path) -> None:
    first, again = ask(), ask()
    assert first.cpu_seconds is not None and first.cpu_seconds >= 0
    assert (again.cpu_seconds, again.peak_memory) == (first.cpu_seconds, first.peak_memory)
    # Chunks that were kept before this was measured are answers all the same.
    for path in cache.rglob("*.npz"):
        with np.load(path) as file:
            parts = {name: file[name] for name in file.files if name not in {"usage", "equals"}}
        np.savez_compressed(path, **parts)
    old = ask()
    assert (old.cached, old.cpu_seconds, old.peak_memory, old.equals) == (2, None, None, "")


@pytest.mark.parametrize(("names", "said"), [(("same",), "same"), (("same", "other"), "")])
def test_what_scores_equal_is_said_where_all_chunks_say_it(
    names: tuple[str, ...], said: str
) -> None:
    class Equal(Loudest):
        def answer(self, query: Query, model: Any) -> Answer:
            later = int(query.clip_ids[0] != IDS[0])
            return replace(super().answer(query, model), equals=names[later % len(names)])

    assert ask(ref(Equal)).equals == said


def test_a_chunk_holds_its_own_clips_and_pairs() -> None:
    ask()
    first, last = Loudest.asked
    assert first.clip_ids == IDS[:CHUNK]
    assert last.clip_ids == IDS[2 * CHUNK :]
    assert last.pairs.tolist() == [[1, 0], [2, 2]]
    assert np.array_equal(last.waveforms, WAVES[2 * CHUNK :])


def test_a_second_time_has_the_same_bits_and_computes_nothing() -> None:
    one = ask()
    count = len(Loudest.asked)
    other = ask()
    assert len(Loudest.asked) == count == 2
    assert (one.cached, other.cached) == (0, 2)
    assert same(one, other)


def test_fresh_computes_again() -> None:
    one = ask()
    other = ask(fresh=True)
    assert (len(Loudest.asked), other.cached) == (4, 0)
    assert same(one, other)


def test_whole_chunks_of_a_limited_run_are_used_again() -> None:
    ask(clips=CHUNK)
    assert ask().cached == 1
    assert ask(clips=CHUNK + 1).cached == 1


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_chunk_is_made_again(cache: Path, damage: bytes | None) -> None:
    one = ask()
    paths = sorted(cache.rglob("*.npz"))
    assert len(paths) == 2
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) // 2] if damage is None else damage)
    other = ask()
    assert (other.cached, len(Loudest.asked)) == (1, 3)
    assert same(one, other)
    assert ask().cached == 2


def test_an_archive_without_its_parts_is_made_again(cache: Path) -> None:
    one = ask()
    buffer = io.BytesIO()
    np.savez(buffer, scores=np.zeros((1, 10), np.float32))
    sorted(cache.rglob("*.npz"))[0].write_bytes(buffer.getvalue())
    other = ask()
    assert other.cached == 1
    assert same(one, other)


def test_a_pickle_in_the_cache_is_never_loaded(cache: Path) -> None:
    ask()
    buffer = io.BytesIO()
    np.savez(buffer, scores=np.array([{"a": 1}], object), allow_pickle=True)
    sorted(cache.rglob("*.npz"))[0].write_bytes(buffer.getvalue())
    assert ask().cached == 1


# --- what decides an answer -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "model", "options"),
    [
        (ref(step=2), MODEL, {}),
        (ref(info=replace(INFO, version=2)), MODEL, {}),
        (ref(), replace(MODEL, canonical="net[seed=1]"), {}),
        (ref(), replace(MODEL, weights=(("classifier", "cc"), ("framewise", "bb"))), {}),
        (ref(), replace(MODEL, device="cuda"), {}),
        (ref(), MODEL, {"data": "other"}),
        (ref(), MODEL, {"grid": FrameGrid(1.0, 0.2)}),
        (ref(), MODEL, {"pairs": PAIRS[::2]}),
    ],
)
def test_another_question_is_asked_again(
    method: MethodRef, model: ModelRef, options: dict[str, Any]
) -> None:
    ask()
    assert ask(method, model, **options).cached == 0
    assert ask().cached == 2


def test_the_seed_counts_where_it_changes_the_answer() -> None:
    ask(seed=0)
    assert ask(seed=1).cached == 2
    dice = ref(info=replace(INFO, stochastic=True))
    ask(dice, seed=0)
    assert ask(dice, seed=1).cached == 0
    assert ask(dice, seed=0).cached == 2


def test_weights_count_where_they_are_used() -> None:
    retrained = replace(MODEL, weights=(("classifier", "aa"), ("framewise", "cc")))
    ask()
    assert ask(model=retrained).cached == 2  # the explained classifier is the same
    detector = ref(info=replace(INFO, needs=frozenset({"detector"})))
    ask(detector)
    assert ask(detector, retrained).cached == 0
    blind = ref(info=replace(INFO, needs=frozenset()))
    ask(blind)
    assert ask(blind, replace(MODEL, canonical="other", weights=())).cached == 2


SOURCE = '''
"""A plugin."""
import numpy as np
from sedbench.types import Answer, FrameScores

class Method:
    """Constant."""
    def answer(self, query, model):
        """Answer."""
        values = np.full((len(query.pairs), 1), 1.0)
        return Answer(FrameScores(values, np.array([0.0, 1.0])), 1.0)
'''


def plugin(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> MethodRef:
    folder.mkdir()
    path = folder / "made_up.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(f"made_up_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, spec.name, module)
    return ref(module.Method)


def test_an_answer_depends_on_the_code_but_not_on_its_prose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = plugin(tmp_path / "a", SOURCE, monkeypatch)
    prose = SOURCE.replace("Constant.", "Some constant.").replace("A plugin", "Mine")
    prose = prose.replace("1.0)\n        return", "1.0)  # why\n\n        return")
    assert prose != SOURCE
    other = plugin(tmp_path / "c", SOURCE.replace("1), 1.0)", "1), 2.0)"), monkeypatch)
    assert plain.code() == plugin(tmp_path / "b", prose, monkeypatch).code() != other.code()
    ask(plain)
    assert ask(plugin(tmp_path / "d", prose, monkeypatch)).cached == 2
    again = ask(other)
    assert again.cached == 0
    assert (again.scores == 2).all()


# --- who is asked what ------------------------------------------------------------------------


class Detector(Loudest):
    """Decides by itself, and gives a mask."""

    def answer(self, query: Query, model: Any) -> Answer:
        got = super().answer(query, model)
        number = [int(name[-4:]) / 100 for name in query.clip_ids]
        own = np.repeat(np.array(number)[:, None], 3, axis=1)
        return replace(got, decisions=own, mask=got.scores.values > 2)


def test_detectors_are_asked_about_clips_without_pairs() -> None:
    got = ask(ref(Detector, replace(INFO, kind="detector")))
    assert [len(q.clip_ids) for q in Loudest.asked] == [CHUNK, CHUNK, 3]
    assert got.own is not None
    np.testing.assert_allclose(got.own[:, 0], np.arange(CLIPS) / 100, rtol=1e-6)
    assert got.mask is not None
    assert got.mask.shape == got.scores.shape == (len(PAIRS), 10)
    Loudest.asked.clear()
    ask(ref(Detector, replace(INFO, name="another", kind="baseline")))
    assert [len(q.clip_ids) for q in Loudest.asked] == [CHUNK, 3]


def test_no_pair_at_all() -> None:
    nobody = np.zeros((0, 2), np.int64)
    got = ask(pairs=nobody)
    assert got.scores.shape == (0, 10)
    assert (got.own, Loudest.asked) == (None, [])


def test_truth_is_for_those_who_declare_it() -> None:
    truth = np.random.default_rng(0).random((len(PAIRS), 10)) < 0.5
    ask(truth=truth)
    assert all(q.truth is None for q in Loudest.asked)
    Loudest.asked.clear()
    ask(ref(info=replace(INFO, needs=frozenset({"truth"}))), truth=truth)
    seen = [q.truth for q in Loudest.asked if q.truth is not None]
    assert np.array_equal(np.concatenate(seen), truth)


def test_progress_counts_every_clip_once() -> None:
    for _ in range(2):  # computed, then cached
        steps: list[int] = []
        ask(advance=steps.append)
        assert sum(steps) == CLIPS


# --- what is no answer ------------------------------------------------------------------------


class Wrong:
    """Answers with what a test says."""

    def __init__(self, change: Callable[[Answer], Any]) -> None:
        self.change = change

    def answer(self, query: Query, model: Any) -> Any:
        shape = (len(query.pairs), 10)
        scores = FrameScores(np.zeros(shape, np.float32), GRID.edges)
        return self.change(Answer(scores, 0.1))


def with_scores(values: Any) -> Callable[[Answer], Answer]:
    return lambda a: replace(a, scores=FrameScores(values(a.scores.values), GRID.edges))


def spoil(values: NDArray[Any]) -> NDArray[Any]:
    values[1, 4] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: None, "NoneType"),
        (lambda a: a.scores.values, "ndarray"),
        (with_scores(lambda v: v[1:]), r"4 pairs .*scores of shape \(3, 10\)"),
        (with_scores(spoil), "not finite: clip test-0000, class Blender, frame 4"),
        (lambda a: replace(a, mask=np.ones((4, 9), bool)), r"mask of shape \(4, 9\)"),
        (lambda a: replace(a, decisions=np.ones((4, 3))), r"decisions of shape \(4, 3\)"),
        (lambda a: replace(a, decisions=np.full((8, 3), np.nan)), "decisions that are not finite"),
        (lambda a: replace(a, diagnostics={"e": np.ones(3)}), r"diagnostic 'e' of shape \(3,\)"),
        (lambda a: replace(a, diagnostics={"e": np.full(4, np.inf)}), "'e' that are not finite"),
    ],
)
def test_what_is_no_answer_is_a_clear_error_and_never_kept(
    cache: Path, change: Callable[[Answer], Any], message: str
) -> None:
    wrong = MethodRef(INFO, "wrong", {}, lambda: Wrong(change))
    for _ in range(2):
        with pytest.raises(SedbenchError, match=message) as caught:
            ask(wrong)
        assert "wrong" in caught.value.message
    assert not list(cache.rglob("*"))


def test_what_failed_is_not_kept_and_what_was_done_is(cache: Path) -> None:
    failing = True

    class Moody(Loudest):
        def answer(self, query: Query, model: Any) -> Answer:
            if failing and query.clip_ids[0] != IDS[0]:
                raise ZeroDivisionError("now and then")
            return super().answer(query, model)

    with pytest.raises(ZeroDivisionError):
        ask(ref(Moody))
    assert len(list(cache.rglob("*.npz"))) == 1
    failing = False
    got = ask(ref(Moody))
    assert got.cached == 1
    assert len(Loudest.asked) == 2
    assert same(got, ask(ref(Moody)))


def test_not_applicable_passes_through() -> None:
    class Picky:
        def answer(self, query: Query, model: Any) -> Answer:
            raise NotApplicable("it has no layers")

    with pytest.raises(NotApplicable, match="no layers"):
        ask(ref(Picky))


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot write") as caught:
        ask()
    assert "SEDBENCH_CACHE" in caught.value.hint
