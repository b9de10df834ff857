"""``name[param=value,...]``: what is read, what is refused, and its one canonical form."""

from __future__ import annotations

import math
import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sedbench.errors import UnknownNameError, UsageError
from sedbench.spec import NAME, Spec, canonical, parse, resolve, slug
from sedbench.types import MethodInfo, Param

INFO = MethodInfo(
    "loudest",
    "where it is loudest",
    params=(
        Param("steps", 50, "how many", minimum=1, maximum=1000),
        Param("alpha", 0.5, "how much", minimum=0.0),
        Param("mode", "mean", "how", ("mean", "max")),
        Param("note", "none", "any text"),
        Param("folded", False, "whether"),
    ),
)
NAMES = st.from_regex(NAME)
VALUES = st.fixed_dictionaries(
    {
        "steps": st.integers(1, 1000),
        "alpha": st.floats(0, 1e300, allow_nan=False),
        "mode": st.sampled_from(["mean", "max"]),
        "note": st.text(string.ascii_letters + string.digits + ".-_+/ =:", min_size=1).filter(
            lambda t: t == t.strip()
        ),
        "folded": st.booleans(),
    }
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("loudest", Spec("loudest")),
        ("  loudest  ", Spec("loudest")),
        ("loudest[]", Spec("loudest")),
        ("loudest[ steps = 20 , mode=max ]", Spec("loudest", (("steps", "20"), ("mode", "max")))),
        ("loudest[steps=20,]", Spec("loudest", (("steps", "20"),))),
        ("loudest[note=a=b]", Spec("loudest", (("note", "a=b"),))),
    ],
)
def test_parse(text, spec):
    assert parse(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "loud est",
        "loudest[",
        "loudest]",
        "[steps=2]",
        "loudest[steps=2]x",
        "loudest[steps=2][mode=max]",
        "loudest[steps]",
        "loudest[=2]",
        "loudest[steps=]",
        "loudest[steps=2,steps=3]",
        "loudest[a=[b]]",
    ],
)
def test_parse_refuses(text):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.exit_code == 2 and repr(text) in caught.value.message


@given(st.text())
@example("loudest[steps=2\n]")
def test_parse_answers_or_refuses_and_never_crashes(text):
    try:
        spec = parse(text)
    except UsageError:
        return
    assert spec.name and not re.search(r"[\[\]\s]", spec.name)
    assert all(key and value for key, value in spec.given)


def test_what_is_not_given_has_its_default():
    assert resolve(Spec("loudest"), INFO) == {p.name: p.default for p in INFO.params}
    values = resolve(parse("loudest[steps=7,alpha=1e-3,folded=yes]"), INFO)
    assert values["steps"] == 7 and values["alpha"] == 1e-3 and values["folded"] is True
    assert values["mode"] == "mean"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loudest[steps=0]", "'steps' of 'loudest' must be at least 1, got 0"),
        ("loudest[steps=1001]", "must be at most 1000, got 1001"),
        ("loudest[steps=2.5]", "takes a whole number, got '2.5'"),
        ("loudest[steps=many]", "takes a whole number, got 'many'"),
        ("loudest[alpha=-1]", "must be at least 0, got -1"),
        ("loudest[alpha=nan]", "takes a number, got 'nan'"),
        ("loudest[alpha=inf]", "takes a number, got 'inf'"),
        ("loudest[folded=maybe]", "takes true or false, got 'maybe'"),
        ("loudest[mode=median]", "cannot be 'median'"),
    ],
)
def test_resolve_refuses(text, message):
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        resolve(parse(text), INFO)
    assert caught.value.hint


def test_an_unknown_parameter_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="'step'") as caught:
        resolve(parse("loudest[step=3]"), INFO)
    assert caught.value.hint.startswith("did you mean 'steps'")


@given(VALUES)
def test_the_canonical_form_says_everything_and_reads_back(values):
    assume("," not in values["note"])
    text = canonical(INFO, values)
    again = resolve(parse(text), INFO)
    assert again == values
    assert {k: type(v) for k, v in again.items()} == {k: type(v) for k, v in values.items()}
    assert canonical(INFO, again) == text


@given(VALUES, st.randoms(use_true_random=False))
def test_the_canonical_form_is_the_same_whatever_the_order(values, random):
    keys = list(values)
    random.shuffle(keys)
    assert canonical(INFO, {key: values[key] for key in keys}) == canonical(INFO, values)


def test_the_canonical_form_leaves_defaults_out_and_sorts():
    assert canonical(INFO, resolve(parse("loudest[steps=50,mode=mean]"), INFO)) == "loudest"
    values = resolve(parse("loudest[steps=20,folded=on,alpha=2]"), INFO)
    assert canonical(INFO, values) == "loudest[alpha=2.0,folded=true,steps=20]"


@given(NAMES)
def test_a_slug_is_a_file_name(name):
    assert re.fullmatch(r"[a-z0-9-]{1,49}", slug(name))
    assert not slug(name).startswith("-") or not re.search(r"[a-z0-9]", name)


def test_specs_that_read_alike_have_slugs_that_differ():
    assert slug("a[b=1]") != slug("a[b=-1]") != slug("a-b-1")
    assert slug("ü" * 300).isascii() and math.isfinite(len(slug("x" * 300)))
    assert len(slug("x" * 300)) <= 49
