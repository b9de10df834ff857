"""The contract of a task: a sound one keeps it, and each mistake fails its own check."""

from __future__ import annotations

import dataclasses

from sedbench.testing import task_contract
from sedbench.types import TaskInfo


def failed(contract):
    return {o.check: o.reason for o in contract.outcomes() if o.status == "fail"}


def test_a_task(world):
    info = TaskInfo("tones", "two tones in noise")

    def build():
        return world.task

    assert failed(task_contract(info, build)) == {}
    other = dataclasses.replace(info, name="another")
    assert set(failed(task_contract(other, build))) == {"file"}
    index = world.task.parent / "test.csv"
    before = index.read_text()
    index.write_text(before.replace("test-0003", "test-0004"))
    assert set(failed(task_contract(info, build))) == {"indices"}
    index.write_text(before)
    text = world.task.read_text()
    world.task.write_text(text.replace("[splits.validation]", "[splits.development]"))
    assert set(failed(task_contract(info, build))) == {"splits"}
    world.task.write_text("name = 3")
    assert set(failed(task_contract(info, build))) == {"file"}
