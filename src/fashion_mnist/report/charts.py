"""Vega-Lite specifications as PNGs."""

import json
from typing import Any

from fashion_mnist.pipeline.errors import extra

SCALE = 1.5
"""Pixels for each of Vega's, so that small text stays legible."""


def png(specification: dict[str, Any]) -> bytes:
    """Draw a specification on white.

    Raises:
        UserError: vl-convert-python is not installed.
    """
    with extra("report", "a report with charts"):
        import vl_convert
    config = {"background": "white", **specification.get("config", {})}
    return vl_convert.vegalite_to_png(json.dumps({**specification, "config": config}), scale=SCALE)
