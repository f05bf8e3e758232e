"""Tables for the console and for Markdown."""

import re
import textwrap
from collections.abc import Sequence

ABSENT = "-"
"""Stands where there is no value, as in DVC's tables."""

WIDTH = 120
"""Columns of a console that no line exceeds."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Columns under a header: the first to the left, the others, which hold numbers, to the right.

    In Markdown a pipe within a cell becomes a broken bar: the backslash that would escape it is
    lost on the way to a comment, and the cells would shift.
    """
    if markdown:
        lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
        clean = [
            [literal(" ".join(cell.split())).replace("|", "¦") for cell in line] for line in lines
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in clean)
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (header, *rows)
    )


def literal(text: str) -> str:
    """A text of others in Markdown: what looks like HTML in it is shown as it is."""
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)


def fitted(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows with a long first cell continued on lines of its own, so that all fit `WIDTH`."""
    others = [max(len(row[column]) for row in (header, *rows)) for column in range(1, len(header))]
    width = WIDTH - sum(2 + other for other in others)
    found = []
    for name, *cells in rows:
        first, *more = textwrap.wrap(name, width, subsequent_indent="   ", break_on_hyphens=False)
        found.append([first, *cells])
        found += [[line, *("" for _ in cells)] for line in more]
    return found


def number(value: float | None, *, signed: bool = False) -> str:
    """At most six significant digits, or `ABSENT` for None and NaN."""
    if value is None or value != value:
        return ABSENT
    return f"{value:{'+' if signed and value else ''}.{4 if signed else 6}g}"
