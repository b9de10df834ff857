"""Every built-in product of the kind ``tasks`` keeps the contract that is asked of anyone's."""

from __future__ import annotations

from sedbench.registry import Entry
from sedbench.testing import contract

KIND = "tasks"


def test_it_keeps_its_contract(built_in: Entry) -> None:
    checked = contract(built_in.info, built_in.factory)
    assert not {o.check: o.reason for o in checked.outcomes() if o.status == "fail"}
