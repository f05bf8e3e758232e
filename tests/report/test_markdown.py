"""Cutting a report that is too long."""

import pytest

from fashion_mnist.report.markdown import LIMIT, details, shorten

NOTE = "*The rest is elsewhere.*"


def test_a_short_text_stays_as_it_is():
    assert shorten("# Results\n", NOTE) == "# Results\n"


@pytest.mark.parametrize("letter", ["x", "衣"])
def test_a_long_text_is_cut_at_the_end_of_a_line(letter):
    lines = [f"| {n} | {letter * 30} |" for n in range(5000)]
    cut = shorten("\n".join(lines), NOTE)
    assert LIMIT - 200 < len(cut) <= LIMIT
    *kept, empty, note = cut.splitlines()
    assert kept == lines[: len(kept)]
    assert (empty, note) == ("", NOTE)


def test_what_is_open_at_the_cut_is_closed():
    text = details("Outer", details("Inner", "```\n" + "code\n" * 100 + "```"))
    cut = shorten(text, NOTE, limit=300)
    assert len(cut) <= 300
    assert cut.count("<details>") == cut.count("</details>") == 2
    assert cut.count("```") == 2
    assert cut.index("```\n\n</details>") < cut.index(NOTE)


def test_what_is_closed_before_the_cut_is_not_closed_again():
    text = details("Folded", "text") + "\n\n" + "line\n" * 100
    cut = shorten(text, NOTE, limit=200)
    assert cut.count("</details>") == 1
