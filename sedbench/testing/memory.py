"""The most memory that a function held at once: of torch and of NumPy, in bytes.

Torch's profiler reports every allocation of a tensor's storage and every release; their running sum
is what was held. NumPy reports to ``tracemalloc``. Neither counts what was there before.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def peak_bytes(function: Callable[[], object]) -> int:
    """Run a function and tell how many bytes it held at most."""
    from torch.autograd.profiler import profile

    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        with _quiet_stderr(), profile(use_kineto=True, profile_memory=True) as profiled:
            function()
        numpy = tracemalloc.get_traced_memory()[1] - before
    finally:
        if not tracing:
            tracemalloc.stop()
    results = profiled.kineto_results
    if results is None:
        return int(numpy)
    events = [(e.start_ns(), e.nbytes()) for e in results.events() if e.name() == "[memory]"]
    held = most = 0
    for _, size in sorted(events, key=lambda event: event[0]):
        held += size
        most = max(most, held)
    return int(most + max(0, numpy))


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    # Some builds of the profiler write a line when they start and stop, past sys.stderr.
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
