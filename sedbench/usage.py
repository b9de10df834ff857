"""What a computation took of the machine: seconds of the processor, and memory at most.

Seconds on the wall grow when another program runs; those of the processor do not, which makes
them the fairer cost on a shared machine. Memory is that of the whole process at its highest,
libraries and model included; of a GPU, what PyTorch held there.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB", re.M)


@dataclass
class Usage:
    """Filled in at the end of :func:`measured`.

    Attributes
    ----------
    cpu_seconds : float
        Of all threads of the process.
    peak_memory : float
        Bytes; NaN where the system does not tell.
    """

    cpu_seconds: float = math.nan
    peak_memory: float = math.nan


@contextmanager
def measured(device: str = "cpu") -> Iterator[Usage]:
    """Measure what happens inside the block.

    Parameters
    ----------
    device : str
        Whose memory counts.
    """
    usage = Usage()
    torch: Any = sys.modules.get("torch")
    gpu = device.startswith("cuda") and torch is not None and torch.cuda.is_available()
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    began = gpu or _reset()
    clock = time.process_time()
    yield usage
    usage.cpu_seconds = time.process_time() - clock
    if gpu:
        usage.peak_memory = float(torch.cuda.max_memory_allocated(device))
    elif began:
        usage.peak_memory = _peak()


def _reset() -> bool:
    # Linux forgets the highest resident set when told so; elsewhere only that of the whole life of
    # the process is known, and says nothing of one method among others.
    try:
        Path("/proc/self/clear_refs").write_bytes(b"5")
    except OSError:
        return False
    return True


def _peak() -> float:
    try:
        found = _PEAK.search(Path("/proc/self/status").read_bytes())
    except OSError:
        return math.nan
    return math.nan if found is None else float(found[1]) * 1024
