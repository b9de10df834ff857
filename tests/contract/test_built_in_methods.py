"""Every built-in method, detector and baseline keeps the contract that is asked of anyone's."""

from __future__ import annotations

from sedbench.registry import Entry
from sedbench.testing import method_contract

KIND = "methods"


def test_it_keeps_its_contract(built_in: Entry) -> None:
    contract = method_contract(built_in.info, built_in.factory)
    failed = {o.check: o.reason for o in contract.outcomes() if o.status == "fail"}
    assert not failed
    assert contract.outcome("frame-rate").status == "pass", "it was run, not only skipped"
