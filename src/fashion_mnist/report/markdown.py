"""Markdown that a comment on a pull request shows as it was meant.

CML passes a report through a serialiser that breaks alerts, task lists, strike-through, formulas
and escaped pipes in tables; none of them is used.
"""

from collections.abc import Sequence

LIMIT = 60_000
"""Characters. GitHub refuses a comment of more than 65,536; CML replaces paths by longer URLs."""

FENCE = "```"
DETAILS = "<details>"
DETAILS_END = "</details>"


def details(summary: str, *content: str) -> str:
    """A folded part; the blank lines are needed for what is within to be read as Markdown."""
    head = f"{DETAILS}<summary>{summary}</summary>"
    return "\n\n".join([head, *content, DETAILS_END])


def picture(alternative: str, path: str) -> str:
    """A picture on a line of its own."""
    return f"![{alternative}]({path})"


def shorten(text: str, note: str, limit: int = LIMIT) -> str:
    """Cut a text that is too long at a line's end; close what is open there and add a note.

    Args:
        text: Markdown.
        note: a sentence that says where the rest is.
        limit: characters of the result.
    """
    if len(text) <= limit:
        return text
    kept: list[str] = []
    length = 0
    for line in text.splitlines():
        closing = _closing([*kept, line])
        if length + len(line) + 1 + len(closing) + len(note) + 3 > limit:
            break
        kept.append(line)
        length += len(line) + 1
    return "\n".join(kept) + _closing(kept) + f"\n\n{note}\n"


def _closing(lines: Sequence[str]) -> str:
    fences = sum(line.startswith(FENCE) for line in lines)
    opened = sum(line.startswith(DETAILS) for line in lines)
    closed = sum(line.startswith(DETAILS_END) for line in lines)
    return f"\n{FENCE}" * (fences % 2) + f"\n\n{DETAILS_END}" * (opened - closed)
