"""Pooling functions: how the frames of a detector that learns from clip labels become a clip.

A detector says for each frame how likely each class is, and is told of whole clips alone. What
joins the two decides what it learns about time. One file a function, each with a class ``Pool``:

=================  =====================================================================
``max``            the largest frame
``average``        the mean of the frame probabilities
``linear``         each frame weighs as much as its probability (linear softmax)
``exponential``    ... as the exponential of its probability (exponential softmax)
``auto``           ... as ``exp(alpha p)``; each class learns its ``alpha``
``attention``      weights over time that a second linear layer learns from the embeddings
``self-attention`` the same weights from tag tokens of a small transformer
=================  =====================================================================

A model family builds ``fw-ws-<pooling>`` by its name (:mod:`sedbench_plugins.poolings.lookup`),
and declares :data:`VARIANTS` and :data:`PARTS`. So one more pooling is a file here and a word in
:data:`POOLINGS`, and no stored result of another variant becomes stale.

References
----------
.. [1] Y. Wang, J. Li, F. Metze, "A comparison of five multiple instance learning pooling
   functions for sound event detection with weak labeling", ICASSP 2019, arXiv 1810.09050.
.. [2] B. McFee, J. Salamon, J. P. Bello, "Adaptive pooling operators for weakly labeled sound
   event detection", IEEE/ACM TASLP 26, 2018, arXiv 1804.10070.
.. [3] K. Miyazaki et al., "Weakly-supervised sound event detection with self-attention",
   ICASSP 2020.
"""

from __future__ import annotations

POOLINGS = ("linear", "max", "average", "exponential", "attention", "auto", "self-attention")
_SHIPPED = ("classifier", "fw-ws-linear", "fw-ws-max", "fw-ss")

# The explained classifier first; then the order in which the detectors came.
VARIANTS = (
    *_SHIPPED,
    *(f"fw-ws-{name}" for name in POOLINGS if f"fw-ws-{name}" not in _SHIPPED),
)


def _place(pooling: str) -> str:
    return f"{__name__}.{pooling.replace('-', '_')}:Pool"


# Which code beside a family's own decides what a variant answers: see ``ModelInfo.parts``.
PARTS = (
    *((f"fw-ws-{pooling}", _place(pooling)) for pooling in POOLINGS),
    ("fw-ss", _place("max")),
)
