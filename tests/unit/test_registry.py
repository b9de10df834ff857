"""Loading plugins: each alone, nothing that one does reaches another, names are unique."""

from __future__ import annotations

import re
import types

import pytest

from sedbench import hookimpl
from sedbench.errors import BrokenPluginError, UnknownNameError
from sedbench.hookspecs import HOOK_VERSION
from sedbench.registry import BUILT_IN, GROUP, Source, build, installed_sources
from sedbench.types import MethodInfo, ModelInfo


def offering(*infos: MethodInfo, factory=object) -> types.SimpleNamespace:
    """A plugin that offers these methods."""

    @hookimpl
    def sedbench_register_methods(register):
        for info in infos:
            register(info, factory)

    return types.SimpleNamespace(sedbench_register_methods=sedbench_register_methods)


def source(name: str, product, distribution: str = "acme", version: str = "1.0") -> Source:
    """An entry point; an exception as product is what importing it raises."""

    def load():
        if isinstance(product, BaseException):
            raise product
        return product

    return Source(name, distribution, version, load)


LOUDEST = MethodInfo("loudest", "where it is loudest")
SOUND = source("sound", offering(LOUDEST))


def wrong_signature():
    @hookimpl
    def sedbench_register_methods(register, everything):
        raise AssertionError("never called")

    return types.SimpleNamespace(sedbench_register_methods=sedbench_register_methods)


def unknown_hook():
    @hookimpl
    def sedbench_register_commands(register):
        raise AssertionError("never called")

    return types.SimpleNamespace(sedbench_register_commands=sedbench_register_commands)


def written_for(version: object) -> types.SimpleNamespace:
    plugin = offering(LOUDEST)
    plugin.sedbench_hooks = version
    return plugin


def raising(error: BaseException):
    @hookimpl
    def sedbench_register_methods(register):
        register(MethodInfo("early", "registered before it went wrong"), object)
        raise error

    return types.SimpleNamespace(sedbench_register_methods=sedbench_register_methods)


def test_what_a_plugin_offers():
    registry = build([SOUND])
    entry = registry.get("methods", "loudest")
    assert (entry.info, entry.factory, entry.plugin) == (LOUDEST, object, "sound")
    assert (entry.distribution, entry.version) == ("acme", "1.0")
    assert registry.plugins[0].offers == ("method loudest",)
    assert registry.names("methods") == ["loudest"] and registry.names("models") == []
    assert registry.broken == []


@pytest.mark.parametrize(
    ("product", "phase", "error"),
    [
        (ImportError("no module named x"), "import", "ImportError: no module named x"),
        (SyntaxError("bad"), "import", "SyntaxError: bad"),
        (SystemExit(3), "import", "SystemExit: 3"),
        (RuntimeError("one\ntwo"), "import", "RuntimeError: one"),
        (RecursionError(), "import", "RecursionError: "),
        (None, "check", "TypeError: the entry point 'bad' names nothing"),
        (types.SimpleNamespace(), "check", "TypeError: it implements no sedbench hook"),
        (wrong_signature(), "check", "PluginValidationError: Plugin 'bad' for hook "),
        (written_for(2), "version", "TypeError: it was written for version 2 of the hooks, and "),
        (AttributeError("module 'bad' has no attribute 'x'"), "import", "AttributeError: module"),
        (ModuleNotFoundError("No module named 'y'", name="y"), "import", "ModuleNotFoundError: "),
        (unknown_hook(), "check", "PluginValidationError: "),
        (raising(ValueError("oh")), "register", "ValueError: oh"),
        (raising(SystemExit(0)), "register", "SystemExit: 0"),
        (offering(ModelInfo("m", "of the wrong kind")), "register", "TypeError: register() wants"),
        (offering(MethodInfo("Loud Est", "")), "register", "ValueError: 'Loud Est' is no name"),
        (offering(MethodInfo("a/../b", "")), "register", "ValueError: 'a/../b' is no name"),
        (offering(LOUDEST, factory="text"), "register", "TypeError: the factory of 'loudest'"),
        (offering(LOUDEST, LOUDEST), "register", "ValueError: method 'loudest' is registered twi"),
    ],
    ids=str,
)
def test_a_plugin_that_goes_wrong_is_listed_and_harms_nobody(product, phase, error):
    bad = source("bad", product, "far", "0.3")
    registry = build([bad, SOUND])
    [broken] = registry.broken
    assert (broken.name, broken.distribution, broken.version) == ("bad", "far", "0.3")
    assert broken.phase == phase and broken.error.startswith(error)
    assert broken.hint and "\n" not in broken.error
    assert [p.name for p in registry.plugins] == ["sound"]
    assert registry.names("methods") == ["loudest"], "nothing of a broken plugin is offered"
    with pytest.raises(BrokenPluginError, match="did not load") as caught:
        registry.get("methods", "bad")
    assert caught.value.exit_code == 3 and caught.value.hint == broken.hint


def test_hints_say_what_to_do_about_it():
    def hint(product):
        return build([source("bad", product, "far")]).broken[0].hint

    assert "pip install whatever brings the module 'torchvision'" in hint(
        ModuleNotFoundError("No module named 'torchvision.ops'", name="torchvision.ops")
    )
    assert "entry point 'bad' may name nothing" in hint(AttributeError("no attribute 'x'"))
    assert "install the far that was made for this sedbench" in hint(written_for(2))
    assert hint(ImportError("oh")) == "pip install --upgrade far, or uninstall it"


def test_what_is_wrong_with_a_signature_is_said():
    [broken] = build([source("bad", wrong_signature())]).broken
    assert "'everything'" in broken.error and "\n" not in broken.error


def test_a_plugin_may_say_for_which_hooks_it_was_written():
    registry = build([source("sound", written_for(HOOK_VERSION))])
    assert registry.broken == [] and registry.names("methods") == ["loudest"]


def test_a_trace_names_every_import_and_hook_with_its_time(monkeypatch, capsys):
    sources = [SOUND, source("bad", ImportError("oh"), "far", "0.3")]
    build(sources)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("SEDBENCH_TRACE_PLUGINS", "1")
    build(sources)
    out, err = capsys.readouterr()
    assert out == ""
    assert [re.sub(r"[\d.]+ ms", "T", line) for line in err.splitlines()] == [
        "trace: acme 1.0, sound: import done in T",
        "trace: acme 1.0, sound: sedbench_register_methods done in T",
        "trace: far 0.3, bad: import failed in T",
    ]


def test_what_a_broken_plugin_would_have_offered_is_known():
    registry = build([source("bad", raising(ValueError("oh")))])
    with pytest.raises(BrokenPluginError, match="'early' belongs to plugin 'bad'"):
        registry.get("methods", "early")


def test_an_interrupt_is_not_a_broken_plugin():
    with pytest.raises(KeyboardInterrupt):
        build([source("bad", KeyboardInterrupt())])


def test_a_built_in_keeps_its_name():
    mine, theirs = offering(LOUDEST), offering(LOUDEST, MethodInfo("softest", ""))
    for sources in (
        [source("a", mine, BUILT_IN), source("b", theirs)],
        [source("b", theirs), source("a", mine, BUILT_IN)],
    ):
        registry = build(sources)
        assert registry.get("methods", "loudest").distribution == BUILT_IN
        assert registry.get("methods", "softest").distribution == "acme"
        [broken] = registry.broken
        assert (broken.name, broken.phase) == ("b", "clash")
        assert "'loudest' is also claimed by a (sedbench)" in broken.error


def test_two_third_parties_both_lose_a_name_that_both_claim():
    one = source("one", offering(LOUDEST, MethodInfo("first", "")), "acme")
    two = source("two", offering(LOUDEST), "best")
    registry = build([one, two])
    assert registry.names("methods") == ["first"]
    assert sorted(b.name for b in registry.broken) == ["one", "two"]
    assert "two (best)" in registry.broken[0].error and "one (acme)" in registry.broken[1].error
    with pytest.raises(BrokenPluginError, match="also claimed by"):
        registry.get("methods", "loudest")


def test_the_same_name_of_two_kinds_is_no_clash():
    @hookimpl
    def sedbench_register_models(register):
        register(ModelInfo("loudest", "a model"), object)

    model = types.SimpleNamespace(sedbench_register_models=sedbench_register_models)
    registry = build([SOUND, source("model", model)])
    assert registry.broken == []
    assert registry.names("methods") == registry.names("models") == ["loudest"]


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="unknown method 'lodest'") as caught:
        build([SOUND]).get("methods", "lodest")
    assert caught.value.hint == "did you mean 'loudest'?" and caught.value.exit_code == 2


class Point:
    """An installed entry point."""

    def __init__(self, name: str, distribution: str) -> None:
        self.name = name
        self.dist = types.SimpleNamespace(name=distribution, version="1.0")
        self.load = object


@pytest.fixture
def points(monkeypatch):
    """What pip installed: two third parties and a built-in, one of them seen twice."""
    found = [Point("b", "zeta"), Point("a", "acme"), Point("c", BUILT_IN), Point("a", "acme")]

    def entry_points(group):
        assert group == GROUP
        return found

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    monkeypatch.delenv("SEDBENCH_PLUGINS", raising=False)
    monkeypatch.delenv("SEDBENCH_DISABLE_PLUGINS", raising=False)
    return found


def names() -> list[tuple[str, str]]:
    return [(s.distribution, s.name) for s in installed_sources()]


def test_entry_points_are_walked_in_one_order_and_once(points):
    wanted = [("acme", "a"), (BUILT_IN, "c"), ("zeta", "b")]
    assert names() == wanted
    points.reverse()
    assert names() == wanted


def test_third_parties_can_be_left_out_and_built_ins_cannot(points, monkeypatch):
    monkeypatch.setenv("SEDBENCH_DISABLE_PLUGINS", "a, c")
    assert names() == [(BUILT_IN, "c"), ("zeta", "b")]
    monkeypatch.delenv("SEDBENCH_DISABLE_PLUGINS")
    monkeypatch.setenv("SEDBENCH_PLUGINS", "a")
    assert names() == [("acme", "a"), (BUILT_IN, "c")]
    monkeypatch.setenv("SEDBENCH_PLUGINS", "a,typo")
    assert names() == [("acme", "a"), (BUILT_IN, "c"), ("unknown", "typo")]
    [broken] = [b for b in build(installed_sources()).broken if b.name == "typo"]
    assert (broken.phase, broken.distribution) == ("select", "unknown")
    assert "no such plugin is installed" in broken.error and "sedbench list" in broken.hint
    monkeypatch.setenv("SEDBENCH_PLUGINS", "")
    assert names() == [(BUILT_IN, "c")]
