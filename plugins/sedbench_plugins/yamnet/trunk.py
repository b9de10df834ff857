"""YAMNet's trunk: MobileNet v1 on log-mel, patch by patch, as it was trained.

One convolution and thirteen depthwise-separable blocks; each convolution is followed by
BatchNorm (a bias, no scale; epsilon 1e-4) and a ReLU module of its own. Five of them halve both
axes, so that 64 bands become 2 and 32 log-mel frames (0.32 s) become one: 1,024 channels each.

Patches
-------
The network was trained on patches of 96 log-mel frames (0.96 s), and it counts on their edges:
zeros are all that it hears beyond them. Run over a whole clip in one piece, it hears sound there
instead and is a worse classifier: on the validation clips of ``domestic-real`` 1 the same linear
head reached a clip micro F1 of .60 rather than .74, with max pooling .76 rather than .80. So a
clip is cut into patches that neither overlap nor leave a gap, the last completed with silence,
and their outputs are laid side by side again: 11 patches of 10 s give 33 frames. ``whole=True``
runs the clip in one piece.

When the frames are
-------------------
In patches: frame ``j`` is the ``j``-th 0.32 s, from ``7.5 + 320 j`` ms on. Each hears all of its
patch (the receptive field is 315 log-mel frames), so that its time is a matter of emphasis.

In one piece: TensorFlow's 'same' padding of a stride of two has nothing before and one zero
after, so output ``i`` is centred on input ``2 i + 1``, and the last layer's frame ``j`` on log-mel
frame ``32 j + 31``: the end of the 32 frames that it strides over. 24 frames of silence in front
undo that. Frame ``j`` is then centred at ``82.5 + 320 j`` ms; 10 s (1,000 log-mel frames) give
exactly 32 frames, from -77.5 ms to 10.1625 s.

References
----------
.. [1] M. Plakal, D. Ellis, "YAMNet", in the TensorFlow model garden, 2019 (Apache-2.0).
.. [2] A. Howard et al., "MobileNets", arXiv 1704.04861, 2017.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench_plugins.yamnet.frontend import BANDS, CENTRE, SILENCE, STEP

CHANNELS = 1024
STRIDE = 32  # log-mel frames
PATCH = 96  # log-mel frames
LEAD = 24  # frames of silence in front of a clip in one piece
EPSILON = 1e-4
# Stride and channels of each block; the first is an ordinary convolution.
BLOCKS = (
    (2, 32),
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *[(1, 512)] * 5,
    (2, 1024),
    (1, 1024),
)


class Trunk(nn.Module):
    """Log-mel (batch, 64, frames) to embeddings (batch, 1024, 2, frames of 0.32 s).

    Parameters
    ----------
    whole : bool
        Run over the clip in one piece instead of patch by patch.

    Notes
    -----
    Inside, time is the height of an image, and patches are images of their own. In the
    channels-last layout that costs nothing: both are views. ``views`` are where each block's
    output has the clip's time as its last axis, for whoever looks inside.

    Its initial weights keep the scale of what passes through (He et al., ICCV 2015), so that an
    untrained trunk still answers to its input.
    """

    def __init__(self, whole: bool = False) -> None:
        super().__init__()
        self.whole = whole
        self.blocks = nn.ModuleDict()
        self.views = nn.ModuleDict()
        before = 1
        for i, (stride, channels) in enumerate(BLOCKS, start=1):
            parts = OrderedDict(_block(before, channels, stride))
            self.blocks[f"layer{i}"] = nn.Sequential(parts)
            self.views[f"layer{i}"] = nn.Identity()
            before = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings of log-mel spectrograms."""
        clips = len(features)
        seen = features
        x = self.place(features).mT
        x = x.reshape(-1, 1, x.shape[1] if self.whole else PATCH, BANDS)
        x = x.contiguous(memory_format=torch.channels_last)
        for name, block in self.blocks.items():
            y = block(x)
            images, channels, height, width = y.shape
            lined_up = y.permute(0, 2, 3, 1).reshape(clips, -1, width, channels)
            seen = self.views[name](lined_up.permute(0, 3, 2, 1))
            x = seen.permute(0, 3, 2, 1).reshape(images, height, width, channels)
            x = x.permute(0, 3, 1, 2)
        return seen

    def place(self, features: Tensor) -> Tensor:
        """Put silence around log-mel (batch, 64, frames), as the module's docstring says."""
        lead, unit = (LEAD, STRIDE) if self.whole else (0, PATCH)
        missing = -(features.shape[-1] + lead) % unit
        return nn.functional.pad(features, (lead, missing), value=SILENCE)

    def edges(self, n_frames: int) -> NDArray[np.float64]:
        """Time edges, in seconds, of the embeddings of so many log-mel frames."""
        lead, unit = (LEAD, STRIDE) if self.whole else (0, PATCH)
        count = (n_frames + lead + -(n_frames + lead) % unit) // STRIDE
        step, centre = self._time(STRIDE)
        return np.asarray(centre - step / 2 + step * np.arange(count + 1, dtype=np.float64))

    def times(self) -> Mapping[str, tuple[nn.Module, float, float]]:
        """Each block's view, with the stride and the first centre of its frames in seconds."""
        found, stride = {}, 1
        for (name, view), (step, _) in zip(self.views.items(), BLOCKS, strict=True):
            stride *= step
            found[name] = (view, *self._time(stride))
        return found

    def _time(self, stride: int) -> tuple[float, float]:
        if self.whole:
            return stride * STEP, CENTRE + (stride - 1 - LEAD) * STEP
        return stride * STEP, CENTRE + (stride - 1) / 2 * STEP

    def convolutions(self) -> Iterator[tuple[str, nn.Conv2d, str, nn.Module]]:
        """Each convolution and what follows it, with names: a BatchNorm until it is folded."""
        for layer, block in self.blocks.items():
            names = [name for name, _ in block.named_children()]
            for name, after in pairwise(names):
                conv, norm = block.get_submodule(name), block.get_submodule(after)
                if isinstance(conv, nn.Conv2d):
                    yield f"blocks.{layer}.{name}", conv, f"blocks.{layer}.{after}", norm

    def fold(self) -> None:
        """Fold each BatchNorm into the convolution before it, for inference."""
        for name, conv, after, norm in list(self.convolutions()):
            if isinstance(norm, nn.BatchNorm2d):
                self.set_submodule(name, nn.utils.fusion.fuse_conv_bn_eval(conv, norm))
                self.set_submodule(after, nn.Identity())


def _block(before: int, channels: int, stride: int) -> Iterator[tuple[str, nn.Module]]:
    if before == 1:
        yield from _convolution("", nn.Conv2d(1, channels, 3, stride, bias=False))
        return
    depthwise = nn.Conv2d(before, before, 3, stride, 2 - stride, groups=before, bias=False)
    yield from _convolution("_depthwise", depthwise)
    yield from _convolution("", nn.Conv2d(before, channels, 1, bias=False))


def _convolution(name: str, conv: nn.Conv2d) -> Iterator[tuple[str, nn.Module]]:
    if conv.stride == (2, 2):
        yield f"pad{name}", nn.ZeroPad2d((0, 1, 0, 1))
    yield f"conv{name}", conv
    norm = nn.BatchNorm2d(conv.out_channels, eps=EPSILON)
    norm.weight.requires_grad_(False)  # stays one: the published network has no scale
    yield f"bn{name}", norm
    yield f"relu{name}", nn.ReLU()


def trunk_state(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Name and turn the published arrays as the trunk's state.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        ``00.kernel``, ``01.beta`` ...: convolution and BatchNorm in turn. TensorFlow's axes are
        (time, frequency, in, out), PyTorch's (out, in, time, frequency).
    """
    state: dict[str, Tensor] = {}
    for i, (name, conv, after, _) in enumerate(Trunk().convolutions()):
        kernel = "kernel" if conv.groups == 1 else "depthwise_kernel"
        axes = (3, 2, 0, 1) if conv.groups == 1 else (2, 3, 0, 1)
        state[f"{name}.weight"] = tensor(arrays[f"{2 * i:02d}.{kernel}"].transpose(axes))
        norm = f"{2 * i + 1:02d}"
        state[f"{after}.weight"] = torch.ones(conv.out_channels)
        state[f"{after}.bias"] = tensor(arrays[f"{norm}.beta"])
        state[f"{after}.running_mean"] = tensor(arrays[f"{norm}.moving_mean"])
        state[f"{after}.running_var"] = tensor(arrays[f"{norm}.moving_variance"])
        state[f"{after}.num_batches_tracked"] = torch.zeros((), dtype=torch.long)
    return state


def tensor(array: NDArray[np.float32]) -> Tensor:
    """A copy of an array as a tensor."""
    return torch.from_numpy(np.array(array, np.float32, order="C"))
