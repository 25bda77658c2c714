"""Contrast of everything that is drawn, which no browser test can measure inside pictures."""

import re
from importlib.resources import files

import pytest

CSS = (files("dokja.public.reports") / "templates" / "dossier.css").read_text(encoding="utf-8")
PALETTES = [
    dict(re.findall(r"--(\w+): (#\w+)", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
]


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", PALETTES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("ground", ["paper", "panel", "band"])
@pytest.mark.parametrize("text", ["ink", "soft", "accent"])
def test_text_stands_out(palette, ground, text):
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("palette", PALETTES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("drawn", ["rule", "fill", "hatch", "accent"])
def test_what_a_picture_means_stands_out(palette, drawn):
    assert contrast(palette[drawn], palette["paper"]) >= 3
    assert contrast(palette[drawn], palette["panel"]) >= 3


@pytest.mark.parametrize("palette", PALETTES, ids=["light", "dark", "print"])
def test_interval_stands_out_of_the_bar_that_it_lies_on(palette):
    assert contrast(palette["ink"], palette["fill"]) >= 3


def test_style_asks_for_nothing():
    assert re.findall(r"url\((?!#)|@import|@font-face|expression\(", CSS) == []
    assert "</" not in CSS
