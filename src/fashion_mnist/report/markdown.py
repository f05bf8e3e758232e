"""Markdown that a comment on a pull request shows as it was meant.

CML passes a report through a serialiser that breaks alerts, task lists, strike-through, formulas
and escaped pipes in tables; none of them is used.
"""

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
    fence, folds = False, 0
    closing = ""
    for line in text.splitlines():
        fence ^= line.startswith(FENCE)
        folds += line.startswith(DETAILS) - line.startswith(DETAILS_END)
        closed = f"\n{FENCE}" * fence + f"\n\n{DETAILS_END}" * folds
        length += len(line) + 1
        if length + len(closed) + len(note) + 2 > limit:
            break
        kept.append(line)
        closing = closed
    return "\n".join(kept) + closing + f"\n\n{note}\n"
