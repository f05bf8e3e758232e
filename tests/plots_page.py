"""Opening the page of `dvc plots` in a headless Chromium, with Vega from tests/node_modules."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WIDTH = 1400
"""Of the window, in pixels: a laptop's."""

MODULES = Path(__file__).parent / "node_modules"
CDN = "https://cdn.jsdelivr.net/npm/"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--virtual-time-budget=30000",
)
# Vega's own picture is a canvas; as SVG its marks are in the document, where a test can count them.
# What goes to console.error, or is thrown, is kept in the document too, and where pictures end.
PROBE = """
<script>
  const problems = [];
  const note = (...what) => {
    problems.push(what.map(String).join(" "));
    document.documentElement.dataset.problems = JSON.stringify(problems);
  };
  console.error = note;
  addEventListener("error", event => note(event.message || event.target.src), true);
  addEventListener("unhandledrejection", event => note(event.reason));
  setInterval(() => {
    const shown = [...document.querySelectorAll("svg, img")];
    const ends = shown.map(element => element.getBoundingClientRect().right);
    document.documentElement.dataset.right = Math.ceil(Math.max(0, ...ends));
  }, 1000);
</script>
"""
AS_SVG = """
<script>
  const embed = vegaEmbed;
  vegaEmbed = (element, spec) => embed(element, spec, {renderer: "svg", actions: false});
</script>
"""


def browser() -> str | None:
    """The path of Chromium, or of Chrome, which GitHub's runners have."""
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


@dataclass(frozen=True)
class Page:
    """What a browser made of a page.

    Attributes:
        problems: errors on its console.
        plots: the SVG of each Vega plot, by the id of its element.
        images: the sources of its pictures.
        right: where the picture that reaches farthest to the right ends, in pixels.
    """

    problems: list[str]
    plots: dict[str, str]
    images: list[str]
    right: int


def prepare(page: Path) -> None:
    """Make the page load Vega from /modules/ of its own server, and keep what goes wrong."""
    html = page.read_text(encoding="utf8")
    wanted = re.findall(rf'src="{re.escape(CDN)}([\w-]+)@([\d.]+)"', html)
    for name, version in wanted:
        package = json.loads((MODULES / name / "package.json").read_text())
        assert package["version"] == version, f"tests/package.json: the page loads {name}@{version}"
        html = html.replace(f"{CDN}{name}@{version}", f"/modules/{name}/{package['jsdelivr']}")
    head, scripts, body = html.partition("<style>")
    page.write_text(
        head.replace("<title>", PROBE + "<title>") + AS_SVG * bool(wanted) + scripts + body
    )


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder, and tests/node_modules as /modules/, on loopback; the URL."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            if path.startswith("/modules/"):
                return str(MODULES / path.split("?")[0].removeprefix("/modules/"))
            return super().translate_path(path)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def look(folder: Path, profile: Path, screenshot: Path | None = None) -> Page:
    """Open index.html of a folder; with a path also paint it into a PNG."""
    prepare(folder / "index.html")
    with served(folder) as url:
        command = [browser(), *FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDTH},3600"]
        wanted = ["--dump-dom"] + ([f"--screenshot={screenshot}"] if screenshot else [])
        dom = subprocess.run(
            [*command, *wanted, f"{url}/index.html"],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
    problems = re.search(r'<html[^>]* data-problems="([^"]*)"', dom)
    plots = re.findall(r'<div id="([^"]+)"[^>]*class="vega-embed"[^>]*>(.*?</svg>)', dom, re.DOTALL)
    return Page(
        problems=json.loads(problems[1].replace("&quot;", '"')) if problems else [],
        plots=dict(plots),
        images=re.findall(r'<img[^>]*src="([^"]+)"', dom),
        right=int(re.search(r'<html[^>]* data-right="(\d+)"', dom)[1]),
    )
