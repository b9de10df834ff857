"""The built-in soundbanks, registered: synthesised, or to be fetched."""

from __future__ import annotations

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench_plugins import ami, domestic_real, esc50, procedural
from sedbench_plugins.desed import public_eval, soundbank


@hookimpl
def sedbench_register_soundbanks(register: Register) -> None:
    """Register them all."""
    register(procedural.INFO, procedural.build)
    register(domestic_real.INFO, domestic_real.build)
    register(ami.INFO, ami.build)
    register(soundbank.INFO, soundbank.build)
    register(public_eval.INFO, public_eval.build)
    register(esc50.INFO, esc50.build)
