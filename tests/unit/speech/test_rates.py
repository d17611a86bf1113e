"""Rates that rooms take for granted of one another."""

from __future__ import annotations

from sonic_core import curves
from sonic_core.speech import spectrum


def test_two_levels_of_the_spectrum_make_one_value_of_a_curve():
    """The networks step by two levels; ``[::2]`` in ``motion`` and ``prosody`` does as well."""
    assert spectrum.LEVEL_RATE == 2 * curves.CURVE_RATE
    assert spectrum.RATE == spectrum.LEVEL_RATE * spectrum.HOP
