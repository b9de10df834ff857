"""Dealing groups out to splits, so that every label is heard in every split that it can be.

A *group* is whatever two recordings must not share across splits: an author, or the original
that both were cut from. Groups are dealt label by label, those with the fewest groups first,
in the order of their names' sha256: first test, then validation (at least one group of the
label each, else a share of them), and what is left to train. A group that another label had
before keeps its split. Two labels with one group between them therefore never tear it apart.

The same names always give the same deal; another name more may change it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from sedbench.types import Split

SHARES: Mapping[Split, float] = {"test": 0.15, "validation": 0.15}
# The number of a cut: behind a sign or a letter (a bare number is a name).
_CUT = re.compile(r"(?:(?<=.)[-_ ]|(?<=[^\W\d_]))\d+\Z")


def original(stem: str) -> str:
    """The original recording that a file seems to be cut from, by its name.

    >>> original("kitchen-3"), original("kitchen"), original("1203_2"), original("1203")
    ('kitchen', 'kitchen', '1203', '1203')
    """
    return _CUT.sub("", stem)


def deal(
    members: Mapping[str, Iterable[str]],
    shares: Mapping[Split, float] = SHARES,
    settled: Mapping[str, Split] | None = None,
) -> dict[str, Split]:
    """Deal groups out.

    Parameters
    ----------
    members : mapping of str to iterable of str
        The groups of each label.
    shares : mapping of str to float, optional
        Of a label's groups, in the order in which the splits choose; the rest is for train.
    settled : mapping of str to str, optional
        Groups whose split is known already.

    Returns
    -------
    dict of str to str
        The split of every group.
    """
    splits = dict(settled or {})
    groups = {label: sorted(set(names), key=_chance) for label, names in members.items()}
    for label in sorted(groups, key=lambda label: (len(groups[label]), label)):
        mine = groups[label]
        for split, share in shares.items():
            wanted = max(1, round(share * len(mine)))
            wanted -= sum(splits.get(group) == split for group in mine)
            free = [group for group in mine if group not in splits]
            splits |= dict.fromkeys(free[: max(wanted, 0)], split)
        for group in mine:
            splits.setdefault(group, "train")
    return splits


def _chance(group: str) -> bytes:
    return hashlib.sha256(group.encode()).digest()
