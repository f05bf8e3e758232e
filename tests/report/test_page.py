"""`fashion-mnist report --html`: one page that holds all and loads nothing."""

import base64
import json
import re
from html.parser import HTMLParser

import console
import pytest
import results_repository
import yaml
from results_repository import PROJECT
from small import NAMES

from fashion_mnist.report import charts, dvc_output

vl_convert = pytest.importorskip("vl_convert")
BASE, JUDGED, BETTER, WORSE = "#0b3c7d", "#ee8f00", "#1b7837", "#762a83"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three epochs and twenty mistakes on main, five epochs and five mistakes in the workspace."""
    made = results_repository.make(tmp_path / "project")
    made.results(wrong=range(20))
    made.commit()
    made.results(wrong=range(5), lr=0.003, epochs=5)
    monkeypatch.chdir(made.root)
    return made


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_the_page_holds_verdict_tables_plots_and_pictures_and_loads_nothing(project, monkeypatch):
    assert console.run(monkeypatch, "report", "--base", "main", "--html", "made/report.html") == 0
    html = (project.root / "made/report.html").read_text(encoding="utf-8")
    page = Tags(html)
    assert "This pull request is better than main" in page.text
    assert "+0.0750" in page.text
    assert "Recall of each class" in page.text
    assert "default-src 'none'" in html
    names = {tag for tag, _ in page.tags}
    assert {"table", "details", "img"} <= names
    assert not {"script", "link", "iframe"} & names
    loaded = [v for _, tag in page.tags for k, v in tag.items() if k in ("src", "href")]
    assert all(source.startswith("data:image/") for source in loaded)
    drawn = [base64.b64decode(s.partition(",")[2]).decode() for s in loaded if "svg+xml" in s]
    flow = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
    entries = [*flow["plots"], *(p for s in flow["stages"].values() for p in s.get("plots", []))]
    for name, definition in (item for entry in entries for item in entry.items()):
        if not name.endswith(".png"):
            title = definition["title"].split("%")[0]
            assert [svg for svg in drawn if title in svg], name
    pictures = 2 * len(results_repository.PICTURES)
    assert len([source for source in loaded if "image/png" in source]) == pictures


def test_what_is_no_tag_of_ours_is_text(project, monkeypatch):
    names = [*NAMES[:9], "9 <b>Boot</b><script>"]
    for wrong in (range(20), range(5)):
        project.results(wrong=wrong, actual=[names[n % 10] for n in range(200)], names=names)
        if wrong == range(20):
            project.commit()
    assert console.run(monkeypatch, "report", "--base", "main", "--html", "a.html") == 0
    page = Tags((project.root / "a.html").read_text(encoding="utf-8"))
    assert not {"b", "script"} & {tag for tag, _ in page.tags}


def svg(specification):
    return vl_convert.vegalite_to_svg(json.dumps(specification))


def test_the_base_is_drawn_first_and_wider(project):
    """Where both are equal, both are seen."""
    for plot in ("Loss", "plots/reliability.csv"):
        drawn = svg(dvc_output.vega("main", project.root)[plot])
        lines = re.findall(rf'stroke="({BASE}|{JUDGED})" stroke-width="(\d)"', drawn)
        width = dict(reversed(lines))  # of the first mark of each
        assert [colour for colour, _ in lines[:1]] == [BASE]
        assert int(width[BASE]) > int(width[JUDGED])


def test_a_difference_is_coloured_by_better_and_worse_and_has_its_unit(project):
    """Fifteen that were taken for the next class are right now: good on and beside the diagonal."""
    drawn = svg(dvc_output.vega("main", project.root)["plots/predictions.csv"])
    assert "workspace less main, in images: green is better, purple worse" in drawn
    assert BETTER in drawn
    assert WORSE not in drawn
    project.git("stash", "--quiet")
    project.results(wrong=range(40))
    drawn = svg(dvc_output.vega("main", project.root)["plots/predictions.csv"])
    assert WORSE in drawn
    assert BETTER not in drawn


def test_one_revision_alone_has_neither_name_nor_colour(project):
    for plot, specification in dvc_output.vega(None, project.root).items():
        drawn = svg(charts.anonymous(specification))
        assert "workspace" in svg(specification), plot
        assert "workspace" not in re.sub('aria-[a-z]+="[^"]*"', "", drawn), plot
        assert JUDGED not in drawn, plot


def test_the_report_is_legible_at_the_width_of_a_comment(project, monkeypatch):
    """GitHub shows 820 pixels and shrinks what is wider."""
    assert console.run(monkeypatch, "report", "--base", "main") == 0
    for name in ("loss", "accuracy", "confusion"):
        content = (project.root / f"report/{name}.png").read_bytes()
        assert int.from_bytes(content[16:20], "big") <= 820 * charts.SCALE / 1.5, name


def test_equal_counts_are_told_as_a_number(project):
    rows = "".join(f"{name},5500,0,0\n" for name in NAMES)
    project.write("plots/classes.csv", f"class,train,validation,test\n{rows}")
    assert svg(dvc_output.vega(None, project.root)["plots/classes.csv"]).count(">5500<") == 10
    project.write("plots/classes.csv", f"class,train,validation,test\n{rows}a tenth,1,0,0\n")
    assert ">5500<" not in svg(dvc_output.vega(None, project.root)["plots/classes.csv"])


def test_a_table_without_rows_is_no_plot(project):
    project.write("plots/corruptions.csv", "corruption,strength,accuracy\n")
    assert "plots/corruptions.csv" not in dvc_output.vega(None, project.root)
