"""The contract of a family of classifiers: from waveform to logits, with times that hold together.

Networks are built with random weights, so that nothing has to be fetched or trained. One that is
only itself with fetched weights is checked as far as that goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.contract import Classifier, Recipe
from sedbench.models.store import initialise
from sedbench.spec import NAME
from sedbench.testing.checks import (
    Broken,
    Contract,
    Mark,
    Outcome,
    Skipped,
    check,
    need,
    need_words,
)
from sedbench.testing.material import LOUD, bursts
from sedbench.testing.planted import CLASSES
from sedbench.testing.watching import Restored, changed, generators, structure
from sedbench.types import ModelInfo

RATE = 16000  # Hz
LENGTHS = (1.6, 2.13)  # seconds; the second is no whole number of frames
CLOSE = 1e-4


class ModelContract(Contract):
    """Every check of a family of classifiers; see :func:`sedbench.testing.model_contract`."""

    kind = "model"

    def __init__(
        self, info: ModelInfo, factory: Callable[..., Any], classes: Sequence[str] = ()
    ) -> None:
        self.info, self.factory = info, factory
        self.chosen = tuple(classes) or CLASSES
        self.params = {p.name: p.default for p in info.params if p.name != "seed"}
        self._built: dict[str, Classifier] = {}
        super().__init__(info.name)

    def _run(self, mark: Mark, function: Callable[..., None]) -> Outcome:
        with Restored():
            return super()._run(mark, function)

    def family(self) -> Any:
        """What the factory returns."""
        return self.factory(**self.params)

    def build(self, variant: str, seed: int = 0) -> Classifier:
        """Build a network with random weights, in eval mode."""
        try:
            return initialise(self.family(), variant, self.chosen, RATE, seed).eval()
        except UnknownNameError as error:
            raise Skipped(
                f"it knows only classes of its own: {error.message}; name some of them"
            ) from error

    def nets(self) -> Iterator[tuple[str, Classifier]]:
        """Every variant, built once."""
        for variant in self.info.variants:
            if variant not in self._built:
                self._built[variant] = self.build(variant)
            yield variant, self._built[variant]

    def waves(self, seconds: float = LENGTHS[0], clips: int = 2) -> Tensor:
        """Noise with bursts, (clips, samples)."""
        made = [bursts(RATE, seconds, (0.45, 0.9 + clip / 4), seed=clip) for clip in range(clips)]
        soft = np.random.default_rng(1).standard_normal((clips, made[0].shape[0]))
        return torch.from_numpy((np.stack(made) + 0.02 * soft).astype(np.float32))

    @check("its metadata is whole")
    def declared(self) -> None:
        """Name, summary, variants, and words for the cards of weights that ship."""
        info = self.info
        need(NAME.match(info.name) is not None, f"{info.name!r} is no name")
        need(bool(info.summary.strip()) and "\n" not in info.summary, "the summary is one line")
        need(bool(info.variants), "it declares no variant")
        need(len(set(info.variants)) == len(info.variants), "a variant is declared twice")
        for name, digest in info.pretrained:
            need(len(digest) == 64, f"{name}: {digest!r} is no sha256")
        need(not info.pretrained or bool(info.fetch), "it needs fetched files; fetch says how")
        need_words(info)

    @check("every variant is a Classifier with the classes and rate it was built for", "declared")
    def builds(self) -> None:
        """Build them all."""
        for variant, net in self.nets():
            need(isinstance(net, Classifier), f"{variant}: a {type(net).__name__} is no Classifier")
            need(
                tuple(net.classes) == self.chosen,
                f"{variant}: classes {net.classes} instead of {self.chosen}",
            )
            need(net.sample_rate == RATE, f"{variant}: sample_rate {net.sample_rate}, not {RATE}")

    @check("an unknown variant is refused", "builds")
    def unknown(self) -> None:
        """Build something that is not declared."""
        try:
            self.family().build("no-such-variant", self.chosen, RATE)
        except Exception:
            return
        raise Broken("it builds 'no-such-variant' as if it had declared it")

    @check("the same seed gives the same weights, drawn from torch's generator", "builds")
    def seed(self) -> None:
        """Build one twice."""
        variant = self.info.variants[0]
        one, two = (structure_of(self.build(variant, 3)) for _ in range(2))
        need(one == two, "built twice from one seed, the weights differ")

    @check("features are (batch, bands, frames), with time edges that cover the clip", "builds")
    def features(self) -> None:
        """On clips of two lengths."""
        for variant, net in self.nets():
            for seconds in LENGTHS:
                waves = self.waves(seconds)
                with torch.no_grad():
                    x = net.features(waves)
                need(
                    x.ndim == 3 and len(x) == len(waves),
                    f"{variant}: features have shape {tuple(x.shape)}",
                )
                need(bool(torch.isfinite(x).all()), f"{variant}: features are not all finite")
                self._edges(variant, "feature_edges", net.feature_edges(waves.shape[1]), x, seconds)

    def _edges(self, variant: str, name: str, edges: Any, frames: Tensor, seconds: float) -> None:
        edges = np.asarray(edges, np.float64)
        need(
            edges.shape == (frames.shape[-1] + 1,),
            f"{variant}: {name} has shape {edges.shape} for {frames.shape[-1]} frames of a clip of "
            f"{seconds:g} s; frames + 1 are wanted",
        )
        need(bool(np.all(np.diff(edges) > 0)), f"{variant}: {name} do not increase")
        # The last, cut frame is left out by most: there may be as much behind the edges.
        slack = 1.5 * float(np.diff(edges).max()) + 1e-6
        need(
            abs(edges[0]) <= slack and abs(edges[-1] - seconds) <= slack,
            f"{variant}: {name} go from {edges[0]:g} to {edges[-1]:g} s in a clip of {seconds:g} s",
        )

    @check("logits are (batch, classes), and what the model returns", "features")
    def logits(self) -> None:
        """Features to logits is the same as waveform to logits."""
        for variant, net in self.nets():
            waves = self.waves()
            with torch.no_grad():
                got, whole = net.logits(net.features(waves)), net(waves)
            shape = (len(waves), len(self.chosen))
            need(tuple(got.shape) == shape, f"{variant}: logits {tuple(got.shape)}, not {shape}")
            need(bool(torch.isfinite(got).all()), f"{variant}: logits are not all finite")
            self._near(f"{variant}: model(waveform) is not logits(features(waveform))", got, whole)

    def _near(self, otherwise: str, got: Tensor, wanted: Tensor) -> None:
        need(got.shape == wanted.shape, f"{otherwise}: {tuple(got.shape)}, {tuple(wanted.shape)}")
        scale = max(float(wanted.abs().max()), 1e-3)
        by = float((got - wanted).abs().max()) / scale
        need(by <= CLOSE, f"{otherwise} (by {by:.1e} of the largest)")

    @check("frame logits are (batch, classes, frames), with edges; or say they are none", "logits")
    def frame_logits(self) -> None:
        """Of every variant that has them; a detector has."""
        refused = []
        for variant, net in self.nets():
            waves = self.waves(LENGTHS[1])
            try:
                with torch.no_grad():
                    got = net.frame_logits(net.features(waves))
            except NotApplicable as error:
                need(
                    variant == self.info.variants[0],
                    f"{variant} is a framewise detector and has no frame logits: {error.message}",
                )
                refused.append(error.message)
                continue
            need(
                got.ndim == 3 and tuple(got.shape[:2]) == (len(waves), len(self.chosen)),
                f"{variant}: frame logits have shape {tuple(got.shape)}",
            )
            edges = net.frame_edges(waves.shape[1])
            self._edges(variant, "frame_edges", edges, got, LENGTHS[1])
        if refused and len(self.info.variants) == 1:
            raise Skipped(refused[0])

    @check("a clip has the same logits alone and in a batch, in eval mode", "logits")
    def batch(self) -> None:
        """Dropout and batch statistics are off."""
        for variant, net in self.nets():
            waves = self.waves()
            with torch.no_grad():
                whole, again = net(waves), net(waves)
                alone = torch.cat([net(wave[None]) for wave in waves])
            need(bool(torch.equal(whole, again)), f"{variant}: asked twice, it says something else")
            self._near(f"{variant}: logits depend on the batch", alone, whole)

    @check("silence and a single click have finite logits", "logits")
    def silence(self) -> None:
        """Zeros, and zeros with one sample of one half."""
        waves = torch.zeros(2, round(LENGTHS[0] * RATE))
        waves[1, waves.shape[1] // 2] = LOUD
        for variant, net in self.nets():
            with torch.no_grad():
                got = net(waves)
            need(bool(torch.isfinite(got).all()), f"{variant}: logits are not all finite")

    @check("logits can be differentiated down to the waveform", "logits")
    def differentiable(self) -> None:
        """The gradient is there, finite, and not zero; parameters need none."""
        for variant, net in self.nets():
            net.requires_grad_(False)
            waves = self.waves().requires_grad_()
            total = net(waves).sum()
            need(total.requires_grad, f"{variant}: the logits do not hang on the waveform")
            [slope] = torch.autograd.grad(total, waves)
            need(bool(torch.isfinite(slope).all()), f"{variant}: the gradient is not finite")
            need(
                bool((slope.abs().amax(1) > 0).all()),
                f"{variant}: the gradient is zero everywhere",
            )

    @check(
        "layers are modules of the network, with time as the last axis of what they give", "logits"
    )
    def layers(self) -> None:
        """Frames times stride are about the clip's length."""
        some = False
        for variant, net in self.nets():
            own = {id(module) for module in net.modules()}
            layers = net.layers()
            some = some or bool(layers)
            with _outputs([layer.module for layer in layers.values()]) as seen, torch.no_grad():
                net.logits(net.features(self.waves()))
            for name, layer in layers.items():
                where = f"{variant}: layer {name!r}"
                need(id(layer.module) in own, f"{where} is no module of the network")
                outputs = seen[id(layer.module)]
                need(len(outputs) == 1, f"{where} is passed {len(outputs)} times, not once")
                need(layer.stride > 0, f"{where} has a stride of {layer.stride}")
                need(outputs[0].ndim >= 2, f"{where} gives {tuple(outputs[0].shape)}")
                length = outputs[0].shape[-1] * layer.stride
                need(
                    abs(length - LENGTHS[0]) <= 2.5 * layer.stride + abs(layer.offset),
                    f"{where}: {outputs[0].shape[-1]} frames of {layer.stride:g} s are "
                    f"{length:g} s of a clip of {LENGTHS[0]:g} s",
                )
        if not some:
            raise Skipped("it names no layers: class activation maps will not apply to it")

    @check("every ReLU is a module of its own, used once and not in place", "logits")
    def rectifiers(self) -> None:
        """Attribution libraries are silently wrong about others."""
        for variant, net in self.nets():
            found = {n: m for n, m in net.named_modules() if isinstance(m, nn.ReLU | nn.ReLU6)}
            with _outputs(list(found.values())) as seen, torch.no_grad():
                net.logits(net.features(self.waves()))
            for name, module in found.items():
                need(not module.inplace, f"{variant}: {name} works in place")
                times = len(seen[id(module)])
                need(times <= 1, f"{variant}: {name} is used {times} times; give each its own")

    @check("for_inference gives the same logits, and leaves the model as it is", "logits")
    def inference(self) -> None:
        """Folding BatchNorm changes nothing but the time that it takes."""
        for variant, net in self.nets():
            waves = self.waves()
            before = structure(net)
            fast = net.for_inference().eval()
            found = [] if fast is net else changed(before, structure(net))
            need(not found, f"{variant}: it changed {', '.join(found)}; return a copy")
            with torch.no_grad():
                self._near(f"{variant}: other logits", fast(waves), net(waves))

    @check("passing a clip changes nothing: weights, hooks, mode, global generators", "logits")
    def unchanged(self) -> None:
        """Compare before and after."""
        for variant, net in self.nets():
            before = structure(net) | generators()
            with torch.no_grad():
                net(self.waves())
            found = changed(before, structure(net) | generators())
            need(not found, f"{variant}: changed: {', '.join(found)}")

    @check("each variant that is trained has a recipe", "builds")
    def recipe(self) -> None:
        """Clip labels or frame labels, and numbers that can be."""
        family = self.family()
        for variant in self.info.variants if self.info.trains else ():
            found = family.recipe(variant)
            need(isinstance(found, Recipe), f"{variant}: a {type(found).__name__} is no Recipe")
            need(min(found.epochs, found.batch) > 0, f"{variant}: {found} cannot be")
        if not self.info.trains:
            raise Skipped("it declares that it is not trained")


def structure_of(net: nn.Module) -> dict[str, Any]:
    """Digests of the weights alone."""
    return {name: value for name, value in structure(net).items() if name.startswith("weights ")}


@contextmanager
def _outputs(modules: list[nn.Module]) -> Iterator[dict[int, list[Tensor]]]:
    seen: dict[int, list[Tensor]] = {id(module): [] for module in modules}
    handles = [
        module.register_forward_hook(lambda own, _, out: seen[id(own)].append(out))
        for module in modules
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
