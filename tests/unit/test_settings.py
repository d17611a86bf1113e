from __future__ import annotations

import math
import warnings
from fractions import Fraction

import pytest

from sonic_core import Settings, SettingsError, SonicWarning


def test_defaults_are_possible_and_advised():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("duration", -1.0), ("duration", 0), ("duration", math.nan), ("duration", math.inf), ("fps", 0), ("fps", -25),
        ("fps", math.nan), ("min_resolution", 0), ("min_resolution", 10**6), ("expand_ratio", -0.1), ("seed", -1),
        ("seed", 2**64), ("seed", 1.5), ("inference_steps", 0), ("dynamic_scale", math.nan), ("motion_scale", -1),
        ("face_index", -1), ("face", (10, 10, 5, 20)), ("face", (0, 0, math.nan, 1)), ("min_resolution", "big"),
    ],
)  # fmt: skip
def test_impossible_values_raise_and_name_the_setting(name, value):
    with pytest.raises(SettingsError, match=name.split("_")[0]):
        Settings(**{name: value})


@pytest.mark.parametrize("value", [12.5, 16.0, True, Fraction(25, 2), "16", None])
@pytest.mark.parametrize(
    "name",
    ["min_resolution", "inference_steps", "window", "window_overlap", "window_shift", "seed", "face_index"],
)
def test_what_is_counted_is_a_whole_number(name, value):
    with pytest.raises(SettingsError, match=f"^{name} must be a whole number, got .*\\.$"):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("inference_steps", 5, "blur"), ("expand_ratio", 0.5, "surroundings"), ("dynamic_scale", 2.0, "wider")],
)
def test_unwise_values_warn_with_the_reason(name, value, reason):
    with pytest.warns(SonicWarning, match=reason):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("given", "meant"),
    [(25, Fraction(25)), (29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001)),
     (59.94, Fraction(60000, 1001)), (23.98, Fraction(24000, 1001)), (29.95, Fraction(599, 20)),
     (59.9, Fraction(599, 10)),
     (12.5, Fraction(25, 2)), (30.0, Fraction(30)), (Fraction(24000, 1001), Fraction(24000, 1001))],
)  # fmt: skip
def test_frame_rates_are_exact(given, meant):
    assert Settings(fps=given).fps == meant


@pytest.mark.parametrize(
    "name", ["min_resolution", "inference_steps", "window", "seed", "face_index", "duration", "fps", "dynamic_scale"]
)
def test_numbers_of_any_length_are_answered(name):
    settings = {name: int("9" * 309)}
    if name == "face_index":
        assert Settings(**settings).face_index == settings[name]
        return
    with pytest.raises(SettingsError, match=f"^{name} must be"):
        Settings(**settings)


@pytest.mark.parametrize("fps", [1.7e308, 1e12, 1e6, Fraction(10**6)])
def test_no_rate_is_beyond_the_limits(fps):
    with pytest.raises(SettingsError, match="fps must be between 1 and 240"):
        Settings(fps=fps)
