"""The report as one page that opens without a network: text, plots and pictures in one file."""

import base64
import html
import re

from markdown_it import MarkdownIt

from fashion_mnist.report import charts
from fashion_mnist.report.markdown import DETAILS, DETAILS_END
from fashion_mnist.report.report import Report

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ border: 1px solid #ccc; padding: 0.2rem 0.6rem; }}
figure {{ margin: 1.5rem 0; }}
</style>
</head>
<body>
"""


def page(report: Report) -> bytes:
    """An HTML page, which loads nothing: neither script nor font nor picture from elsewhere.

    It holds the whole text of the report, each plot as an SVG, and the pictures of both revisions.
    """
    pictures = {path: _data(content, "png") for path, content in report.pictures.items()}
    plots = {name: _data(charts.svg(plot), "svg+xml") for name, plot in report.plots.items()}
    pictures |= {path: plots.pop(name) for name, path in report.charts.items()}
    text = re.sub(r'src="([^"]*)"', lambda m: f'src="{pictures[m[1]]}"', _rendered(report.text))
    others = {**plots, **{name: _data(c, "png") for name, c in report.images.items()}}
    figures = [_figure(name, source) for name, source in others.items()]
    title = report.text.splitlines()[0].lstrip("# ")
    parts = [HEAD.format(title=html.escape(title)), text, "<h3>Other plots and pictures</h3>"]
    return "\n".join([*parts, *figures, "</body>\n</html>\n"]).encode()


def _rendered(text: str) -> str:
    """Markdown as HTML; of HTML within it only the folded parts that `markdown.details` makes."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    fold = f"{DETAILS}<summary>"
    made: list[str] = []
    for part in re.split(r"^(<details><summary>.*|</details>)$", text, flags=re.MULTILINE):
        if part.startswith(fold):
            summary = part.removeprefix(fold).removesuffix("</summary>")
            made.append(f"<details open><summary>{html.escape(summary)}</summary>")
        else:
            made.append(part if part == DETAILS_END else markdown.render(part))
    return "\n".join(made)


def _figure(name: str, source: str) -> str:
    caption = f"<figcaption>{html.escape(name)}</figcaption>"
    return f'<figure><img src="{source}" alt="">{caption}</figure>'


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
