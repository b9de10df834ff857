"""Jobs in processes: order, bits, errors, time limits, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from sedbench.errors import DataError, SedbenchError
from sedbench.workers import JobTimeout, default_jobs, one_thread, run_jobs

# A worker cannot import a test by name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def stop_workers() -> Iterator[None]:
    yield
    from loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def slow_first(job: int) -> tuple[int, int]:
    time.sleep(0.3 if job == 0 else 0.0)
    return job, os.getpid()


def bits(seed: int) -> bytes:
    import torch

    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, 300, 300, generator=generator)
    return bytes(torch.softmax(one @ other, 1).sum(0).numpy().tobytes())


def fail_at_three(job: int) -> int:
    if job == 3:
        raise DataError("the third is bad", "leave it out")
    return job


def raise_timeout(job: int) -> int:
    raise TimeoutError("a server did not answer")


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def die(job: int) -> None:
    os._exit(3)


def pid_of(job: Path) -> None:
    job.write_text(str(os.getpid()))
    time.sleep(60)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone_within(seconds: float, *pids: int) -> bool:
    limit = time.monotonic() + seconds
    while any(alive(pid) for pid in pids) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


def test_answers_come_in_the_order_of_the_jobs() -> None:
    found = list(run_jobs(slow_first, list(range(7)), 2))
    assert [job for job, _ in found] == list(range(7))
    assert os.getpid() not in {pid for _, pid in found}


def test_the_bits_do_not_depend_on_the_number_of_workers() -> None:
    jobs = list(range(4))
    assert list(run_jobs(bits, jobs, 1)) == list(run_jobs(bits, jobs, 2))


def test_one_worker_is_this_process_and_lazy() -> None:
    ran: list[int] = []

    def job(i: int) -> int:
        ran.append(i)
        return os.getpid()

    found = run_jobs(job, [1, 2, 3], 1)
    assert ran == []
    assert next(found) == os.getpid()
    assert ran == [1]
    assert list(run_jobs(job, [9], 2)) == [os.getpid()]  # a single job needs no processes either
    assert list(run_jobs(job, [], 2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_crosses_with_its_hint(workers: int) -> None:
    found = run_jobs(fail_at_three, list(range(6)), workers)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="the third is bad") as caught:
        next(found)
    assert caught.value.hint == "leave it out"
    assert caught.value.exit_code == 4


def test_a_job_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    list(run_jobs(slow_first, [1, 2], 2))  # the workers have started
    paths = [tmp_path / "0", tmp_path / "1"]
    with pytest.raises(JobTimeout, match="longer than 3 s"):
        list(run_jobs(pid_of, paths, 2, timeout=3))
    pids = [int(p.read_text()) for p in paths if p.exists()]
    assert pids
    assert gone_within(10, *pids)


def test_a_timeout_of_the_jobs_own_is_no_time_limit() -> None:
    with pytest.raises(TimeoutError, match="server") as caught:
        list(run_jobs(raise_timeout, [1, 2], 2))
    assert not isinstance(caught.value, SedbenchError)


def test_whoever_stops_listening_stops_the_workers() -> None:
    found = run_jobs(sleep, [0.0, 60.0, 60.0, 60.0], 2)
    pid = next(found)
    found.close()  # type: ignore[attr-defined]
    assert gone_within(10, pid)


def test_after_a_stop_there_are_new_workers() -> None:
    found = run_jobs(slow_first, [1, 2, 3], 2)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert [job for job, _ in run_jobs(slow_first, [4, 5], 2)] == [4, 5]


def test_a_worker_that_dies_is_an_error_with_a_hint() -> None:
    with pytest.raises(SedbenchError, match="died") as caught:
        list(run_jobs(die, [1, 2], 2))
    assert "--jobs 1" in caught.value.hint


def test_one_thread_is_given_back() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="x"), one_thread():
            raise ValueError("x")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_default_jobs_are_what_this_process_may_use() -> None:
    assert 1 <= default_jobs() <= 8
    if hasattr(os, "sched_getaffinity"):
        assert default_jobs() <= len(os.sched_getaffinity(0))


SCRIPT = """
from sedbench.workers import run_jobs

def square(job):
    return job * job

print(list(run_jobs(square, [1, 2, 3, 4], 2)))
"""


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("[1, 4, 9, 16]", 0), done.stderr


def test_arrays_cross_unchanged() -> None:
    array = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    for found in run_jobs(np.copy, [array, array[:, ::2]], 2):
        assert found.dtype == np.float32
        assert np.array_equal(found, array[:, :: 50 // found.shape[1]])
