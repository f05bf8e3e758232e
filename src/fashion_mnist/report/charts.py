"""Vega-Lite specifications as pictures."""

import json
from typing import Any

from fashion_mnist.pipeline.errors import extra

SCALE = 1.5
"""Pixels of a PNG for each of Vega's, so that small text stays legible."""

ALONE = "#0b3c7d"
"""What a single revision is drawn in."""

Specification = dict[str, Any]


def png(specification: Specification) -> bytes:
    """Draw a specification on white.

    Raises:
        UserError: vl-convert-python is not installed.
    """
    with extra("report", "a report with charts"):
        import vl_convert
    return vl_convert.vegalite_to_png(_on_white(specification), scale=SCALE)


def svg(specification: Specification) -> bytes:
    """As `png`, to be shown at any size, with room for a font that is wider than the one here."""
    with extra("report", "a report with charts"):
        import vl_convert
    padding = {"left": 40, "right": 40, "top": 5, "bottom": 5}
    return vl_convert.vegalite_to_svg(_on_white({**specification, "padding": padding})).encode()


def _on_white(specification: Specification) -> str:
    config = {"background": "white", **specification.get("config", {})}
    return json.dumps({**specification, "config": config})


def stacked(specification: Specification) -> Specification:
    """The panels that stand side by side below each other, so that each has the page's width."""
    panels = specification.get("facet", {}).get("column")
    return {**specification, "facet": panels, "columns": 1} if panels else specification


def anonymous(specification: Specification) -> Specification:
    """Without the name and colour of the revision, where there is one alone."""
    found: Specification = _without_revision(specification)
    for panels in specification.get("facet", {}):
        header = {"title": None, "labels": False}
        found["facet"] = {panels: {**found["facet"][panels], "header": header}}
    return found


def _without_revision(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_revision(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {key: _without_revision(value) for key, value in part.items() if key != "data"}
    if isinstance(color := part.get("color"), dict) and color.get("field") == "rev":
        found["color"] = {"value": ALONE}
    return found | {"data": part["data"]} if "data" in part else found
