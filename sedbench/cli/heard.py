"""Backgrounds that a classifier itself hears as a target, for ``sedbench show``.

No method is to blame for finding a sound that is there: a fireplace that a classifier hears as
frying is a fact about the soundbank. The facts ship with a soundbank as JSON::

    {"by": "who listened", "threshold": 0.3, "backgrounds": 153,
     "heard": [{"recording": id, "classes": {label: {"clip": p, "highest": p}}}, ...]}

``highest`` is the best stretch of the recording, ``clip`` the whole of it; listed is what exceeds
the threshold somewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table


def heard(path: Path, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Read the facts of a soundbank, by background label.

    Parameters
    ----------
    path : Path
    classes : sequence of str
        Only these targets; all of them unless given.

    Returns
    -------
    dict
        ``by, threshold, backgrounds`` and ``labels``: for each background label the number of
        recordings in which a target is heard, and for each target its number of recordings and
        its highest score.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        labels: dict[str, Any] = {}
        for row in facts["heard"]:
            found = {
                k: float(v["highest"])
                for k, v in row["classes"].items()
                if not classes or k in classes
            }
            if not found:
                continue
            label = labels.setdefault(row["recording"].split("/")[1], {"recordings": 0, "as": {}})
            label["recordings"] += 1
            for target, score in found.items():
                told = label["as"].setdefault(target, {"recordings": 0, "highest": 0.0})
                told["recordings"] += 1
                told["highest"] = max(told["highest"], score)
        return {
            "by": str(facts["by"]),
            "threshold": float(facts["threshold"]),
            "backgrounds": int(facts["backgrounds"]),
            "labels": dict(sorted(labels.items())),
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(f"cannot read {path}: {error}", "reinstall the soundbank") from error


def heard_table(facts: dict[str, Any]) -> Table:
    """The facts as a table, one row a background label."""
    from rich.table import Table
    from rich.text import Text

    total = sum(label["recordings"] for label in facts["labels"].values())
    table = Table(
        title=(
            f"backgrounds that {facts['by']} hears as a target somewhere (above "
            f"{facts['threshold']:g}): {total} of {facts['backgrounds']}"
        ),
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for heading in ("background", "recordings", "heard as (recordings, highest score)"):
        table.add_column(heading, overflow="fold")
    for name, label in facts["labels"].items():
        ranked = sorted(label["as"].items(), key=lambda each: -each[1]["recordings"])
        told = ", ".join(f"{k} ({v['recordings']}, {v['highest']:.2f})" for k, v in ranked)
        table.add_row(*map(Text, (name, str(label["recordings"]), told)))
    return table
