"""LIME and KernelSHAP: linear models of the logit under masks over segments of time.

LIME fits a ridge regression to the logits under random masks, half of the segments shown, each
weighted by how like the clip it is: ``sqrt(exp(-d^2 / width^2))``, where ``d`` is the cosine
distance of the mask from the one that shows everything, as for images in the authors' package. A
segment's score is its coefficient. Captum's ``Lime`` has a Lasso as its default model, whose
penalty does not scale with the logits: where masking a segment moves them by a few hundredths,
every coefficient is zero. A ridge penalty only shrinks them together.

KernelSHAP fits the linear model whose coefficients are Shapley values when every mask is tried:
each mask of ``k`` of ``n`` segments has the weight ``(n - 1) / (C(n, k) k (n - k))``, and the
coefficients add up to the logit's rise over the masked clip, exactly, which is built into the fit.
Where there are more masks than the budget allows, sizes are taken whole from the outside in (one
segment shown, one hidden, two ...) as long as the budget lasts; of the others masks are drawn,
each together with its complement, by the weight that their sizes have together.

Both are fitted to all classes at once: a class does not depend on its company.

References
----------
.. [1] M. Ribeiro, S. Singh, C. Guestrin, "'Why should I trust you?'", KDD 2016,
   doi 10.1145/2939672.2939778.
.. [2] S. Lundberg, S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS
   2017, arXiv 1705.07874.
.. [3] I. Covert, S.-I. Lee, "Improving KernelSHAP: practical Shapley value estimation via linear
   regression", AISTATS 2021, arXiv 2012.01536: complements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench_plugins.masking.clip import MaskedClip
from sedbench_plugins.perturbation.walk import PerSegment


@dataclass(frozen=True)
class Lime(PerSegment):
    """LIME over segments of time.

    Attributes
    ----------
    masks : int
    width : float
        Of the kernel.
    alpha : float
        Strength of the ridge penalty.
    """

    masks: int = 500
    width: float = 0.25
    alpha: float = 1.0

    def attribute(
        self, clip: MaskedClip, targets: list[int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Coefficients of the ridge regression."""
        from sklearn.linear_model import Ridge

        shown = rng.random((self.masks, clip.cut.count)) < 0.5
        shown[0] = True  # the clip itself, as in the authors' package
        distance = 1 - np.sqrt(shown.mean(1))
        weights = np.sqrt(np.exp(-np.square(distance / self.width)))
        model = Ridge(alpha=self.alpha).fit(shown.astype(np.float64), clip(shown), weights)
        return np.asarray(model.coef_.reshape(-1, clip.cut.count)[targets], np.float64)


@dataclass(frozen=True)
class KernelShap(PerSegment):
    """KernelSHAP over segments of time.

    Attributes
    ----------
    masks : int
        At most; twice the number of segments at least.
    """

    masks: int = 500

    additive: ClassVar[bool] = True

    def attribute(
        self, clip: MaskedClip, targets: list[int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Coefficients of the constrained fit.

        Raises
        ------
        UsageError
            Fewer masks than it takes to tell so many segments apart.
        """
        count = clip.cut.count
        if self.masks < min(2 * count, 2**count - 2):
            raise UsageError(
                f"masks={self.masks} are too few for the {count} segments of "
                f"segment={self.segment}",
                f"use masks={2 * count} or more, or longer segments",
            )
        shown, weights = coalitions(count, self.masks, rng)
        every = np.concatenate([np.ones((1, count), bool), np.zeros((1, count), bool), shown])
        logits = clip(every)
        return constrained(shown, weights, logits)[targets]


def coalitions(
    count: int, budget: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Masks and their weights for a KernelSHAP fit; neither of them shows all or nothing.

    Parameters
    ----------
    count : int
        Segments.
    budget : int
        Masks at most.
    rng : numpy.random.Generator

    Returns
    -------
    masks : ndarray, shape (masks, segments), bool
    weights : ndarray, shape (masks,)
    """
    mass = {k: (count - 1) / (k * (count - k)) for k in range(1, count)}
    rows: list[NDArray[np.bool_]] = []
    weights: list[float] = []
    smallest = 1
    # A size and its complement are taken whole while they fit.
    while smallest <= count // 2:
        sizes = {smallest, count - smallest}
        if sum(math.comb(count, k) for k in sizes) > budget - len(rows):
            break
        for k in sizes:
            for chosen in combinations(range(count), k):
                rows.append(np.isin(np.arange(count), chosen))
                weights.append(mass[k] / math.comb(count, k))
        smallest += 1
    left = list(range(smallest, count - smallest + 1))
    pairs = (budget - len(rows)) // 2
    if left and pairs:
        share = np.array([mass[k] for k in left])
        sizes_drawn = rng.choice(left, size=pairs, p=share / share.sum())
        for k in sizes_drawn.tolist():
            row = np.zeros(count, bool)
            row[rng.permutation(count)[:k]] = True
            rows += [row, ~row]
            weights += [float(share.sum()) / (2 * pairs)] * 2
    return np.array(rows, bool).reshape(-1, count), np.array(weights)


def constrained(
    shown: NDArray[np.bool_], weights: NDArray[np.float64], logits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Least squares whose coefficients add up to the rise.

    Parameters
    ----------
    shown : ndarray, shape (masks, segments)
    weights : ndarray, shape (masks,)
    logits : ndarray, shape (2 + masks, classes)
        Of everything, of nothing, and under the masks.

    Returns
    -------
    ndarray, shape (classes, segments)
    """
    rise = logits[0] - logits[1]
    masks = shown.astype(np.float64)
    if masks.shape[1] == 1:
        return np.asarray(rise[:, None])
    # The last coefficient is what the others leave of the rise.
    design = masks[:, :-1] - masks[:, -1:]
    values = logits[2:] - logits[1] - masks[:, -1:] * rise
    root = np.sqrt(weights)[:, None]
    found = np.linalg.lstsq(root * design, root * values, rcond=None)[0]
    return np.asarray(np.concatenate([found, (rise - found.sum(0))[None]]).T)
