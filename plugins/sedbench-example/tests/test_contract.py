"""The contract that every method keeps: each check is a test."""

import pytest
from sedbench_example import INFO, SpectralFlux

from sedbench.testing import method_contract


@pytest.mark.parametrize("check", method_contract(INFO, SpectralFlux), ids=str)
def test_contract(check):
    check()
