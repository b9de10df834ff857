"""A clip of which some frames are masked, as the classifier hears it.

What is masked are frames of the task's grid, 100 ms each. They are cut out of the classifier's
*features*: a feature frame belongs to the grid's frame that its middle is in, so that nothing of
a masked sound leaks through a window that reaches over the cut. Where features are coarser than
the grid, the samples of the *waveform* are masked instead.

What stands for the masked:

``silence``   features of the zero waveform, or zeros
``mean``      the training split's mean feature frame; there is none of a waveform
``noise``     white noise at the clip's own level (RMS), or its features; one draw a clip
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench.types import BoolArray, FrameGrid

Domain = Literal["features", "waveform"]
BATCH = 16  # masked clips in one pass
LEAST_RMS = 1e-5  # of the noise, where the clip is silent


def frame_owners(edges: NDArray[np.float64], grid: FrameGrid) -> NDArray[np.int64]:
    """The grid's frame that each feature frame (or sample) belongs to, by its middle.

    Parameters
    ----------
    edges : ndarray, shape (frames + 1,)
        Seconds.
    grid : FrameGrid

    Returns
    -------
    ndarray of int64, shape (frames,)
        What lies before the first or behind the last frame belongs to that one.
    """
    middles = (edges[:-1] + edges[1:]) / 2
    return np.clip(np.searchsorted(grid.edges, middles, "right") - 1, 0, grid.n_frames - 1)


class MaskableClip:
    """A clip that can be heard through masks.

    Parameters
    ----------
    net : Classifier
        In eval mode.
    waveform : ndarray, shape (samples,), float32
    grid : FrameGrid
    device : str

    Attributes
    ----------
    domain : {"features", "waveform"}
        What is masked.
    """

    def __init__(
        self, net: Classifier, waveform: NDArray[np.float32], grid: FrameGrid, device: str = "cpu"
    ) -> None:
        self.net, self.grid = net, grid
        self._wave = torch.from_numpy(np.array(waveform, np.float32)[None]).to(device)
        edges = net.feature_edges(len(waveform))
        owner = frame_owners(edges, grid)
        self.domain: Domain = "features"
        if len(np.unique(owner)) < grid.n_frames:
            self.domain = "waveform"
            owner = frame_owners(np.arange(len(waveform) + 1) / net.sample_rate, grid)
        self._owner = torch.from_numpy(owner).to(device)
        with torch.no_grad():
            self._heard = self._given(self._wave)

    def _given(self, wave: Tensor) -> Tensor:
        return self.net.features(wave) if self.domain == "features" else wave

    @torch.no_grad()
    def replacement(self, content: str, rng: np.random.Generator) -> Tensor:
        """What stands for the masked.

        Parameters
        ----------
        content : {"silence", "mean", "noise"}
        rng : numpy.random.Generator
            Draws the noise.

        Raises
        ------
        NotApplicable
            The model keeps no mean, or its waveform is masked.
        """
        if content == "mean":
            if self.domain == "waveform":
                raise NotApplicable("the waveform is masked, which has no mean frame")
            mean = self.net.feature_mean()[None, :, None].to(self._heard)
            return mean.expand_as(self._heard).contiguous()
        if content == "silence":
            return self._given(torch.zeros_like(self._wave))
        level = max(LEAST_RMS, float(self._wave.double().square().mean().sqrt()))
        drawn = (rng.standard_normal(tuple(self._wave.shape)) * level).astype(np.float32)
        return self._given(torch.from_numpy(drawn).to(self._wave))

    @torch.no_grad()
    def logits(self, shown: BoolArray, replacement: Tensor) -> NDArray[np.float64]:
        """Clip logits under masks; masks that are the same are passed once.

        Parameters
        ----------
        shown : ndarray, shape (masks, frames), bool
            Frames of the grid that are left as they are.
        replacement : Tensor
            From :meth:`replacement`.

        Returns
        -------
        ndarray of float64, shape (masks, classes)
        """
        packed, which = np.unique(np.packbits(shown, axis=1), axis=0, return_inverse=True)
        masks = np.unpackbits(packed, axis=1, count=shown.shape[1]).astype(bool)
        parts = [
            self._passed(masks[start : start + BATCH], replacement)
            for start in range(0, len(masks), BATCH)
        ]
        return np.concatenate(parts)[which.reshape(-1)]

    def _passed(self, masks: BoolArray, replacement: Tensor) -> NDArray[np.float64]:
        chosen = torch.from_numpy(masks).to(self._heard.device)[:, self._owner]
        if self.domain == "features":
            found = self.net.logits(torch.where(chosen[:, None], self._heard, replacement))
        else:
            found = self.net(torch.where(chosen, self._heard, replacement))
        return np.asarray(found.double().cpu().numpy())
