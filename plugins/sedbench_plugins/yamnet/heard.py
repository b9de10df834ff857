"""Which backgrounds of a soundbank YAMNet itself hears as one of a task's classes.

A background that sounds like a target is no mistake of whoever is measured on it, but it has to
be known. Each background recording is scored as published, in patches of 0.96 s with half of it
as hop. ``clip`` is the mean over the patches, the published score of a recording; ``highest`` is
the best patch: heard somewhere. A class whose ``highest`` exceeds the threshold is listed.

The outcome for a soundbank ships as ``heard/<bank>.json`` beside this module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sedbench.data.soundbank import Soundbank
from sedbench.errors import DataError
from sedbench_plugins.yamnet.labels import known, outputs

THRESHOLD = 0.3
_FOLDER = Path(__file__).with_name("heard")


def listen(bank: Soundbank, classes: Sequence[str], threshold: float = THRESHOLD) -> dict[str, Any]:
    """Score every background recording of a soundbank.

    Parameters
    ----------
    bank : Soundbank
        Its audio, and YAMNet's weights, must have been fetched.
    classes : sequence of str
        Labels. Those that mean nothing to YAMNet are listed as ``unknown``.
    threshold : float
        Probability.

    Returns
    -------
    dict
        ``bank, fingerprint, threshold, backgrounds`` (how many were heard), ``classes``,
        ``unknown``, and ``heard``: for each recording with a class above the threshold its id,
        and for each such class ``clip`` and ``highest``.
    """
    import torch

    from sedbench_plugins.yamnet.family import YamnetFamily
    from sedbench_plugins.yamnet.frontend import RATE

    asked = tuple(label for label in classes if known(label))
    model = YamnetFamily().build("classifier", asked, RATE)
    model.load_trained({})
    model = model.eval().for_inference()
    found, count = [], 0
    for recording in bank.recordings():
        if recording.role != "background":
            continue
        count += 1
        with torch.no_grad():
            scores = model.patch_scores(torch.from_numpy(bank.audio(recording.id, RATE)))
        clip, highest = scores.mean(0), scores.amax(0)
        heard = {
            label: {"clip": _figure(clip, own), "highest": _figure(highest, own)}
            for label, own in zip(asked, outputs(asked), strict=True)
            if float(highest[list(own)].max()) > threshold
        }
        if heard:
            found.append({"recording": recording.id, "classes": heard})
    return {
        "bank": bank.name,
        "fingerprint": bank.fingerprint(),
        "threshold": threshold,
        "backgrounds": count,
        "classes": list(asked),
        "unknown": [label for label in classes if not known(label)],
        "heard": found,
    }


def _figure(scores: Any, own: tuple[int, ...]) -> float:
    return round(float(scores[list(own)].max()), 3)


def shipped(bank: str, classes: Sequence[str] = ()) -> dict[str, Any] | None:
    """Read what was found for a soundbank; None where nobody has listened to it.

    Parameters
    ----------
    bank : str
        Its registered name.
    classes : sequence of str
        Only these labels; all of them unless given.
    """
    path = _FOLDER / f"{bank}.json"
    if not path.is_file():
        return None
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            {**row, "classes": {k: v for k, v in row["classes"].items() if k in classes}}
            for row in facts["heard"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read {path}: {error}", "reinstall sedbench") from error
    if classes:
        facts["heard"] = [row for row in rows if row["classes"]]
    return facts
