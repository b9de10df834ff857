"""``docs/plugins.md`` has every hook, field, check and variable, and its code runs."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sedbench import hookspecs, info, testing, types
from sedbench.cli.new_plugin import KINDS as OFFERED
from sedbench.registry import KINDS, BrokenPlugin
from sedbench.scaffold import KINDS as WRITTEN
from sedbench.schema import result_schema
from sedbench.testing.methods import MethodContract

DOC = Path(__file__).parents[2] / "docs" / "plugins.md"
TEXT = DOC.read_text(encoding="utf-8")
HOOKS = {n: f for n, f in vars(hookspecs).items() if n.startswith("sedbench_register_")}


def quoted(name: str) -> bool:
    """Whether the text has it as code."""
    return re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", TEXT) is not None


def test_every_hook_and_argument_is_documented():
    assert set(HOOKS) == {f"sedbench_register_{kind}" for kind in KINDS}
    for name, hook in HOOKS.items():
        arguments = ", ".join(inspect.signature(hook).parameters)
        assert f"`{name}({arguments})`" in TEXT
        for argument in inspect.signature(hook).parameters:
            assert f"{argument} : " in (hook.__doc__ or ""), f"{name}: {argument} in its docstring"


@pytest.mark.parametrize("cls", [info.Param, *KINDS.values(), types.Query, types.Answer])
def test_every_field_is_documented(cls):
    # In the guide, and with its meaning in the docstring of the class that declares it.
    told = "".join(each.__doc__ or "" for each in cls.__mro__)
    for field in dataclasses.fields(cls):
        assert quoted(field.name), f"{cls.__name__}.{field.name} is not in {DOC.name}"
        assert re.search(rf"\b{field.name}\b[\w, ]* : ", told), f"{cls.__name__}.{field.name}"


def test_every_check_of_a_method_is_documented():
    contract = MethodContract(types.MethodInfo("x", "y"), object)
    for check in contract:
        assert f"`{check}`" in TEXT, f"the check {check} is not in {DOC.name}"


def test_every_phase_variable_kind_and_contract_is_documented():
    phases = re.search(r"phase : \{(.*?)\}", BrokenPlugin.__doc__ or "")
    assert phases is not None
    for phase in re.findall(r'"(\w+)"', phases[1]):
        assert f"| `{phase}` |" in TEXT
    source = inspect.getsource(inspect.getmodule(BrokenPlugin))
    for variable in set(re.findall(r"SEDBENCH_[A-Z_]+", source)):
        assert f"`{variable}=" in TEXT
    assert set(OFFERED) == set(WRITTEN)
    for kind in WRITTEN:
        assert f"`{kind}`" in TEXT
    for name in testing.__all__:
        if name.endswith("_contract"):
            assert f"`{name}`" in TEXT or f"import {name}" in TEXT


def test_the_code_runs_as_it_stands():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 6
    room: dict[str, object] = {"__name__": "plugins_md"}
    for block in blocks:
        exec(compile(block, str(DOC), "exec"), room)  # our own text
    network, classes, rate = room["build"]()  # type: ignore[operator]
    assert network(torch.zeros(2, rate)).shape == (2, len(classes))
    for check in list(room["contract"])[:3]:  # type: ignore[call-overload]
        check()
    found = []
    room["sedbench_register_metrics"](lambda *offer: found.append(offer))  # type: ignore[operator]
    assert testing.metric_contract(*found[0]).failed == []


def test_everything_that_a_metric_can_ask_for_is_documented():
    rows = re.findall(r"^\| (`.*?) \|.*?\| \(pairs", TEXT, re.M)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    info = types.MetricInfo("x", "y")
    assert told == set(testing.metric_contract(info, object).inputs())


def test_what_a_figure_of_a_metric_holds_is_documented():
    rule = result_schema()["properties"]["extra_metrics"]["additionalProperties"]
    assert rule["required"] == list(rule["properties"])
    section = TEXT.partition("## A metric\n")[2].partition("\n## ")[0]
    for name in {*rule["properties"]} - {"low", "high", "higher_is_better", "over"}:
        assert f"`{name}`" in section, name


def test_the_wrapper_for_transformers_runs_on_a_network_of_that_shape():
    class Tiny(nn.Module):
        config = SimpleNamespace(id2label={0: "Dog", 1: "Cat", 2: "Other"}, num_labels=3)

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 3)

        def forward(self, input_values):
            assert abs(float(input_values.std()) - 1) < 0.1
            return SimpleNamespace(logits=self.layer(input_values.abs().mean(-1, keepdim=True)))

    room: dict[str, object] = {"torch": torch, "nn": nn}
    [block] = re.findall(r"```python\n(class Heard.*?)```", TEXT, re.DOTALL)
    exec(compile(block, str(DOC), "exec"), room)
    network, classes, rate = room["wrap"](Tiny())  # type: ignore[operator]
    assert (classes, rate) == (("Dog", "Cat", "Other"), 16000)
    logits = network(torch.randn(2, rate))
    torch.testing.assert_close(torch.sigmoid(logits).sum(-1), torch.ones(2))


def test_links_lead_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings
        elif "://" not in target:
            assert (DOC.parent / target).exists(), target
