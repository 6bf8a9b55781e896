"""Draws a badge as SVG. Pure."""

from typing import Final
from unicodedata import east_asian_width
from xml.sax.saxutils import escape, quoteattr

from services.gateway.badge.words import Words

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
HEIGHT = 20
PADDING = 6
NARROW, USUAL, BROAD, FULL = 4.0, 6.6, 9.5, 11.5
"""The widths of letters of Verdana at 11 px. They need not be right: the text is fitted to the sum."""
NARROW_LETTERS = frozenset("ijlftrI.,:;'|!()[]/ -")
BROAD_LETTERS = frozenset("mwMWGOQ@%")
FONT = "Verdana,DejaVu Sans,Geneva,sans-serif"
LABEL_COLOUR = "#444444"


def draw(words: Words) -> bytes:
    """Return the picture.

    Args:
        words: what it says.

    Returns:
        SVG, UTF-8. It has no scripts, styles, links or anything else that is loaded or run.

    """
    label, value = _printable(words.label), _printable(words.value)
    left, right = _half(label), _half(value)
    whole = quoteattr(f"{label}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img"'
        f" aria-label={whole}><title>{escape(f'{label}: {value}')}</title>"
        f'<rect width="{left}" height="{HEIGHT}" fill="{LABEL_COLOUR}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{words.colour}"/>'
        f'<g fill="#ffffff" font-family="{FONT}" font-size="11">'
        f"{_text(label, PADDING, left)}{_text(value, left + PADDING, right)}</g></svg>"
    ).encode()


def _text(text: str, x: int, half: int) -> str:
    length = half - 2 * PADDING
    return f'<text x="{x}" y="14" textLength="{length}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'


def _half(text: str) -> int:
    return round(sum(map(_width, text))) + 2 * PADDING


def _width(letter: str) -> float:
    if east_asian_width(letter) in {"W", "F"}:
        return FULL
    if letter in NARROW_LETTERS:
        return NARROW
    return BROAD if letter in BROAD_LETTERS else USUAL


def _printable(text: str) -> str:
    """Replace control characters, which XML forbids, and those that would turn the direction of the text."""
    return "".join(letter if letter.isprintable() else REPLACEMENT for letter in text)
