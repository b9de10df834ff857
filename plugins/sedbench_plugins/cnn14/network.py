"""The network: CNN14 in modules, with time as the last axis.

Shapes of 10 s: log-mel (batch, 64, 1001) -> ``bn0`` over the mel bands -> six blocks of two
3 x 3 convolutions, each with BatchNorm and ReLU, and average pooling 2 x 2 (the last 1 x 1)
-> mean over the two bands that are left -> frames (batch, 2048, 31) -> maximum plus mean over
time -> ``fc1`` and ReLU -> embedding (batch, 2048).

Parameters are named as in the published checkpoint. There the image is (time, mel); here it
is (mel, time), so kernels are transposed when they are loaded. The dropout of the published
training is left out, since the trunk is never trained here; ``bn0`` stays a module of its own
when the other BatchNorms are folded, because the zero padding of the first convolution comes
behind it. All rectifiers and poolings are modules that are used once.

References
----------
.. [1] Q. Kong et al., "PANNs: large-scale pretrained audio neural networks for audio pattern
   recognition", IEEE/ACM TASLP 28, 2020, arXiv 1912.10211.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sedbench_plugins.cnn14.frontend import BANDS

WIDTHS = (64, 128, 256, 512, 1024, 2048)
STRIDE = 32  # mel frames in a frame of the trunk: five poolings by two

# Where an untrained network takes log-mel in dB to lie, so that its first layer sees numbers
# of about unit size, as the trained one does.
_TYPICAL_MEAN, _TYPICAL_DEVIATION = -30.0, 20.0


class ConvBlock(nn.Sequential):
    """Two convolutions with BatchNorm and ReLU, then average pooling.

    Parameters
    ----------
    before, width : int
        Channels that come in and go out.
    pool : int
        Mel bands and frames that are averaged.
    """

    def __init__(self, before: int, width: int, pool: int) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, into in ((1, before), (2, width)):
            conv = nn.Conv2d(into, width, 3, padding=1, bias=False)
            nn.init.xavier_uniform_(conv.weight)
            layers |= {f"conv{i}": conv, f"bn{i}": nn.BatchNorm2d(width), f"relu{i}": nn.ReLU()}
        super().__init__(OrderedDict(layers, pool=nn.AvgPool2d(pool)))

    def fold(self) -> None:
        """Fold each BatchNorm into the convolution before it, for good."""
        for i in (1, 2):
            conv, norm = self.get_submodule(f"conv{i}"), self.get_submodule(f"bn{i}")
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            with torch.no_grad():
                scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                weight = conv.weight * scale[:, None, None, None]
                bias = norm.bias - norm.running_mean * scale
            conv.weight = nn.Parameter(
                weight.contiguous(memory_format=torch.channels_last), requires_grad=False
            )
            conv.bias = nn.Parameter(bias, requires_grad=False)
            setattr(self, f"bn{i}", nn.Identity())


class Body(nn.Module):
    """Everything of CNN14 before its output layer.

    Parameters
    ----------
    widths : sequence of int
        Channels of the six blocks; other than the published ones only in tests.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm1d(BANDS)
        assert self.bn0.running_mean is not None
        assert self.bn0.running_var is not None
        self.bn0.running_mean.fill_(_TYPICAL_MEAN)
        self.bn0.running_var.fill_(_TYPICAL_DEVIATION**2)
        for i, (before, width) in enumerate(zip((1, *widths), widths, strict=False), start=1):
            setattr(self, f"conv_block{i}", ConvBlock(before, width, 2 if i < len(widths) else 1))
        self.depth = len(widths)
        self.mel_mean = nn.AdaptiveAvgPool2d((1, None))
        self.time_max = nn.AdaptiveMaxPool1d(1)
        self.time_mean = nn.AdaptiveAvgPool1d(1)
        self.fc1 = nn.Linear(widths[-1], widths[-1])
        self.relu = nn.ReLU()
        nn.init.xavier_uniform_(self.fc1.weight)
        nn.init.zeros_(self.fc1.bias)

    @property
    def width(self) -> int:
        """Channels of the embedding."""
        return self.fc1.out_features

    def blocks(self) -> list[ConvBlock]:
        """The blocks, in order of execution."""
        found = [self.get_submodule(f"conv_block{i}") for i in range(1, self.depth + 1)]
        return [block for block in found if isinstance(block, ConvBlock)]

    def frames(self, features: Tensor) -> Tensor:
        """Frames of 0.32 s (batch, width, frames // 32) of log-mel (batch, 64, frames)."""
        x: Tensor = self.bn0(features)[:, None].contiguous(memory_format=torch.channels_last)
        for block in self.blocks():
            x = block(x)
        return self.mel_mean(x).squeeze(2)  # type: ignore[no-any-return]

    def clip_embedding(self, frames: Tensor) -> Tensor:
        """Embedding (batch, width) of a whole clip: maximum plus mean over time, ``fc1``."""
        pooled = self.time_max(frames).squeeze(2) + self.time_mean(frames).squeeze(2)
        return self.relu(self.fc1(pooled))  # type: ignore[no-any-return]

    def frame_embeddings(self, frames: Tensor) -> Tensor:
        """Embeddings (batch, frames, width), each as if its frame were the whole clip.

        The maximum plus the mean of a single frame is twice the frame: so ``fc1`` sees what
        it was trained on.
        """
        return self.relu(self.fc1(2.0 * frames.transpose(1, 2)))  # type: ignore[no-any-return]

    def load_published(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over tensors named and shaped as in the published checkpoint.

        Raises
        ------
        RuntimeError
            They are not those of this network.
        """
        own = {k for k in self.state_dict() if not k.endswith("num_batches_tracked")}
        counters = {k: v for k, v in self.state_dict().items() if k not in own}
        taken = {k: v.transpose(2, 3) if v.ndim == 4 else v for k, v in tensors.items()}
        self.load_state_dict(counters | {k: v for k, v in taken.items() if k in own})
