"""Surrogates of the clip's log-odds, fitted to masked waveforms, after Bolanos et al.

The waveform is cut into segments of 100 ms. A mask replaces spans of ``window`` neighbouring
segments, laid anywhere (they may overlap), by zeros or by noise at the clip's own level, until
20-40 % of the clip are gone, a share that is drawn anew for each mask. A model of the logit, which
is the log-odds of the class, is fitted to which segments are there: a random forest of 100 trees,
or a linear regression. Masks, and passes, are the same for all target classes of a clip.

What is scored
--------------
``forest``: the impurity importance of each segment (scikit-learn's ``feature_importances_``), as in
the authors' code. It has no sign: a segment counts whichever way it moves the class, which
``sign=abs`` leaves so. For ``positive`` and ``signed`` it is given the sign of the covariance
between the segment's presence and the logit.
``linear``: the coefficient, of which ``sign`` takes what it says.

Differences from the paper
--------------------------
- The paper fits to 3,000 masks a clip; ``masks`` has a default that costs seconds a clip and was
  chosen for that alone. Spans of three segments leave many masks alike within a second, of which a
  network that looks at a second at a time needs one pass.
- There are more segments than a few hundred masks settle, so that the linear regression has a ridge
  penalty (``alpha``); the authors' is next to none.
- Masks are drawn under one setting, and no mask weighs more than another.

References
----------
.. [1] C. Bolanos, L. Pepino, M. Meza, L. Ferrer, "Benchmarking time-localized explanations for
   audio classification models", Interspeech 2025, arXiv 2506.04391.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.contract import Classifier
from sedbench.types import Query
from sedbench_plugins.masking.clip import MaskedClip
from sedbench_plugins.masking.content import in_waveform
from sedbench_plugins.masking.cuts import Cut, of_samples
from sedbench_plugins.perturbation.walk import PerSegment

SHARE = (0.2, 0.4)  # of the clip that is masked
TREES = 100


@dataclass(frozen=True)
class Surrogate(PerSegment):
    """The method.

    Attributes
    ----------
    model : {"forest", "linear"}
    window : int
        Segments that are masked together.
    masks : int
    alpha : float
        Strength of the linear model's ridge penalty.
    """

    model: str = "forest"
    window: int = 3
    masks: int = 250
    alpha: float = 1.0

    def cut(self, net: Classifier, query: Query) -> Cut:
        """Segments of the clips: whole samples."""
        return of_samples(query.waveforms.shape[1], query.sample_rate, self.segment)

    def ends(self, query: Query, clip: int, net: Classifier, device: str) -> tuple[Tensor, Tensor]:
        """Waveforms."""
        return in_waveform(query, clip, device, self.content)

    def attribute(
        self, clip: MaskedClip, targets: list[int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Importances of the surrogate of each class."""
        shown = spans(clip.cut.count, self.masks, self.window, rng)
        seed = int(rng.integers(2**31))
        logits, there = clip(shown), shown.astype(np.float64)
        if self.model == "linear":
            from sklearn.linear_model import Ridge

            coefficients = Ridge(alpha=self.alpha).fit(there, logits).coef_
            return np.asarray(coefficients.reshape(-1, clip.cut.count)[targets], np.float64)
        return np.array([self._forest(there, logits[:, target], seed) for target in targets])

    def _forest(
        self, there: NDArray[np.float64], logits: NDArray[np.float64], seed: int
    ) -> NDArray[np.float64]:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(TREES, random_state=seed, n_jobs=1)
        importance = np.asarray(forest.fit(there, logits).feature_importances_, np.float64)
        if self.sign == "abs":
            return importance
        direction = (there - there.mean(0)).T @ (logits - logits.mean())
        return np.asarray(importance * np.sign(direction))


def spans(count: int, masks: int, window: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Masks (masks, segments) of which spans are gone, each mask another share of the clip.

    Parameters
    ----------
    count : int
        Segments.
    masks : int
    window : int
        Segments of a span.
    rng : numpy.random.Generator
    """
    shown = np.ones((masks, count), bool)
    length = min(window, count)
    for row in shown:
        least = rng.uniform(*SHARE) * count
        while count - row.sum() < min(least, count - 1):
            at = rng.integers(count - length + 1)
            row[at : at + length] = False
    return shown
