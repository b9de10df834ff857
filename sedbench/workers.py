"""Run independent jobs in processes of one thread each, in order, with the same bits.

Every job is computed with one thread, whether here or in a worker: sums then always happen
in the same order, so the number of workers changes the time and nothing else. Two threads
beside another busy process are far slower than two processes of one thread.

Workers (loky) need no ``if __name__ == "__main__"`` in the caller's script. They are started
with glibc's allocator told to keep its memory, which saves the page faults of large tensors.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from sedbench.errors import SedbenchError

Job = TypeVar("Job")
Out = TypeVar("Out")

_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2147483647",
    "MALLOC_TOP_PAD_": "67108864",
}


class JobTimeout(SedbenchError):  # noqa: N818 - a status of its own
    """A job took longer than it was given; its worker was stopped."""


def default_jobs() -> int:
    """One worker for each processor that this process may use, at most eight."""
    if hasattr(os, "sched_getaffinity"):
        return min(8, len(os.sched_getaffinity(0)))
    return min(8, os.cpu_count() or 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside the block; torch is left alone where it is not loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def shielded() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started inside the block.

    A terminal sends it to all of them, and each would print a traceback. They inherit the
    blocked signal; here it arrives as ever, at the latest at the end of the block, and
    whoever started them stops them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call(function: Callable[[Job], Out], job: Job) -> Out:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return function(job)


def run_jobs(
    function: Callable[[Job], Out],
    jobs: Sequence[Job],
    workers: int,
    timeout: float | None = None,
) -> Iterator[Out]:
    """Yield ``function(job)`` for every job, in the order of the jobs.

    Parameters
    ----------
    function : callable
        At module level; so are what its jobs hold.
    jobs : sequence
    workers : int
        Processes; with one, and no timeout, everything happens in this process.
    timeout : float, optional
        Seconds that one job may take, the start of its worker included.

    Raises
    ------
    JobTimeout
        A job took longer than ``timeout``.
    SedbenchError
        A worker died.
    """
    if timeout is None and (workers <= 1 or len(jobs) <= 1):
        for job in jobs:
            with one_thread():
                out = function(job)
            yield out
        return
    yield from _in_workers(function, jobs, workers, timeout)


def _result(future: Future[Out], timeout: float | None) -> Out:
    try:
        return future.result(timeout)
    except TimeoutError as error:
        if future.done():  # the job itself raised it
            raise
        raise JobTimeout(f"a batch took longer than {timeout:g} s") from error


def _in_workers(
    function: Callable[[Job], Out], jobs: Sequence[Job], workers: int, timeout: float | None
) -> Iterator[Out]:
    from loky import get_reusable_executor  # type: ignore[import-untyped]
    from loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]

    pool = get_reusable_executor(max_workers=workers, timeout=60, env=_ENVIRONMENT)
    waiting = deque(jobs)
    running: deque[Future[Out]] = deque()
    done = False
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:  # no more than the caller can take
                with shielded():
                    running.append(pool.submit(_call, function, waiting.popleft()))
            yield _result(running.popleft(), timeout)
        done = True
    except TerminatedWorkerError as error:
        raise SedbenchError(
            "a worker process died, most likely for lack of memory",
            "try --jobs 1, or free some memory",
        ) from error
    finally:
        if not done:  # nothing may go on computing after an error or an interruption
            for future in running:
                future.cancel()
            pool.shutdown(wait=False, kill_workers=True)
