"""List the backgrounds of ``domestic-real`` that YAMNet hears as a target; writes the shipped JSON.

    python tests/tools/list_heard_backgrounds.py

Needs ``sedbench fetch domestic-real --from DIR`` and ``sedbench fetch yamnet``. Every label of
the bank's foreground is asked for, so that the list serves any task on it.
"""

from __future__ import annotations

import json

import torch

from sedbench_plugins import domestic_real
from sedbench_plugins.yamnet import heard


def main() -> None:
    """Listen, and write ``heard/domestic-real.json`` in the plugin's folder."""
    torch.set_num_threads(1)
    bank = domestic_real.build()
    labels = sorted({r.label for r in bank.recordings() if r.role == "foreground"})
    facts = {"by": "yamnet", **heard.listen(bank, labels)}
    target = heard._FOLDER / f"{bank.name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{len(facts['heard'])} of {facts['backgrounds']} backgrounds -> {target}")


if __name__ == "__main__":
    main()
