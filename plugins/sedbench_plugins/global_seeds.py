"""Run a library that draws from global generators, without drawing from them oneself.

Captum's GradientShap and NoiseTunnel draw from NumPy's and PyTorch's global generators, SHAP's
explainers from NumPy's. Inside :func:`seeded_globals` these start from a given seed; afterwards
they are as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed NumPy's and PyTorch's global generators, and restore them.

    Parameters
    ----------
    seed : int
        In [0, 2**32).
    """
    kept = np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(kept)
