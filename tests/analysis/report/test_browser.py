"""The report in a real browser: its tables sort and filter, its theme changes, and nothing is asked of a network."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.figures.drawing.facets import Facets
from keras_sparseflow.analysis.figures.drawing.marks import draw_line
from keras_sparseflow.analysis.figures.drawing.scales import Scale
from keras_sparseflow.analysis.report import page
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.writing import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed to open a report in")

# Appended to a copy of the page: does what a reader would, and leaves in the page what came of it.
READER = """
<pre id="seen"></pre>
<script>
const seen = {errors: []};
window.addEventListener("error", (event) => seen.errors.push(event.message));
window.addEventListener("securitypolicyviolation", (event) => seen.errors.push(event.blockedURI));
window.addEventListener("load", () => {
  const numbers = (table, column) => [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.sort);
  const texts = (table, column) => [...table.tBodies[0].rows].map((row) => row.cells[column].textContent.trim());
  const look = () => [getComputedStyle(document.body).backgroundColor,
    getComputedStyle(document.querySelector("figure svg text")).fill];

  seen.folded = [...document.querySelectorAll("main details.section")].every((fold) => !fold.open);
  document.querySelector('#contents a[href="#means"]').click();
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  seen.unfolded = [...document.querySelectorAll("main details.section[open]")].map((fold) => fold.id);
  document.querySelectorAll("main details").forEach((fold) => { fold.open = true; });

  const details = document.querySelector("#p_values table[id^=tests]");
  const header = details.tHead.rows[0].cells[2];
  seen.before = numbers(details, 2);
  seen.sorts = [];
  for (let click = 0; click < 3; click++) {
    header.firstElementChild.click();
    seen.sorts.push([header.getAttribute("aria-sort"), numbers(details, 2)]);
  }
  const name = details.tHead.rows[0].cells[0];
  name.firstElementChild.click();
  seen.byName = [name.getAttribute("aria-sort"), header.getAttribute("aria-sort"), texts(details, 0)];
  header.firstElementChild.focus();
  seen.focused = document.activeElement.tagName;

  const means = document.querySelector("#means table[id^=means-in-full]");
  const box = means.parentElement.previousElementSibling.querySelector("input");
  const shown = () => [...means.tBodies[0].rows].filter((row) => row.offsetParent !== null).length;
  seen.rows = shown();
  box.value = "adam  BN sparse";
  box.dispatchEvent(new Event("input"));
  seen.filtered = [shown(), means.parentElement.previousElementSibling.querySelector("output").textContent];
  box.value = "";
  box.dispatchEvent(new Event("input"));
  seen.unfiltered = shown();

  const curve = document.querySelector("figure svg .curve[data-x] > path");
  const corner = curve.getPointAtLength(0).matrixTransform(curve.getScreenCTM());
  curve.closest("svg").dispatchEvent(new PointerEvent("pointermove", {clientX: corner.x + 3, clientY: corner.y}));
  seen.tip = document.getElementById("tip").textContent.split("\\n");

  const theme = document.getElementById("theme");
  seen.themes = [[theme.textContent, ...look()]];
  for (let click = 0; click < 3; click++) {
    theme.click();
    seen.themes.push([theme.textContent, ...look()]);
  }
  // Where the heads and the last cell of a row stand in their box, before and after it is scrolled to its end.
  const claims = document.querySelector("#claim-table");
  const lefts = () => [...claims.tBodies[0].rows[0].cells].map((cell) =>
    Math.round(cell.getBoundingClientRect().left - claims.parentElement.getBoundingClientRect().left));
  seen.held = [lefts()];
  claims.parentElement.scrollLeft = 1e6;
  seen.held.push(lefts());
  seen.scrolled = claims.parentElement.scrollLeft;

  const breadth = (found) => found.getBoundingClientRect().width;
  seen.effects = [...document.querySelectorAll("main > figure, main > figure svg")].map(breadth);
  seen.fits = document.documentElement.scrollWidth <= window.innerWidth;
  seen.width = window.innerWidth;
  seen.asked = performance.getEntriesByType("resource").map((entry) => entry.name);
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>
"""
POLICY = (
    "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
)


def open_page(path, folder, width=1280):
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", f"--window-size={width},900"),
        *(f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000", "--enable-logging=stderr"),
        *("--dump-dom", path.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def a_drawing(numbers, *sections):
    if sections != ("performance",):
        return []
    scale = Scale((0, 4), (0.0, 1.0, 2.0), ("zero", "one", "two"))
    figure = Facets([""], [""], [("", "")], scale, scale, ("Width (units)", "Height (m)"), title=lambda *_: "a panel")
    draw_line(figure.panels["", ""], pd.DataFrame({"x": [1.0, 2.0], "mean": [2.0, 0.0]}), "x", "line", {"color": "k"})
    return [page.Drawing("name", "Title", "A caption.", figure.finish())]


@pytest.fixture(scope="module")
def written(tmp_path_factory, make_results, write_study):
    """The report of a study of twelve cells, one of which has no p-value, as a reader opens it."""
    results = make_results(("adagrad", "adam", "sgd"), ("NR", "L2", "BN", "L2_BN"), widths=(7, 20))
    results = results[(results["optimizer"] != "sgd") | (results["variant"] != "L2") | (results["arm"] == "dense")]
    folder = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudyNumbers, "drawings", a_drawing)
        path = write_report(write_study(folder / "study", results), figures=False)
    copy = folder / "copy.html"
    text = path.read_text().replace("<head>", f"<head>{POLICY}")
    copy.write_text(text.replace("</body>", f"{READER}</body>"))
    return copy


def seen_by(written, width):
    dom, console = open_page(written, written.parent, width)
    (text,) = re.findall(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)
    return {**json.loads(html.unescape(text)), "console": console}


@pytest.fixture(scope="module")
def seen(written):
    """Contents of the screen as a reader clicks through the report."""
    return seen_by(written, 1280)


def as_numbers(texts):
    return [float(text) if text not in ("", "nan") else np.nan for text in texts]


def test_nothing_fails_and_nothing_is_asked_for(seen):
    assert seen["errors"] == [] and seen["console"] == [] and seen["asked"] == []


def test_a_click_sorts_numbers_with_missing_ones_last_and_the_third_restores(seen):
    before = as_numbers(seen["before"])
    assert len(before) == 12 and sum(np.isnan(before)) == 1
    (first, up), (second, down), (third, restored) = seen["sorts"]
    assert [first, second, third] == ["ascending", "descending", "none"]
    there = sorted(value for value in before if not np.isnan(value))
    assert as_numbers(up)[:-1] == there and np.isnan(as_numbers(up)[-1])
    assert as_numbers(down)[:-1] == there[::-1] and np.isnan(as_numbers(down)[-1])
    assert restored == seen["before"] != up


def test_names_sort_as_text_and_one_column_at_a_time(seen):
    by_name, by_number, names = seen["byName"]
    assert (by_name, by_number) == ("ascending", "none")
    assert names == sorted(names, key=str.lower) and names[0].startswith("adagrad")


def test_headers_take_the_keyboard(seen):
    assert seen["focused"] == "BUTTON"


def test_a_filter_hides_rows_that_lack_a_word(seen):
    cells = 12
    assert seen["rows"] == cells * 2 * 2 - 2
    assert seen["filtered"] == [2 * 2, f"4 of {seen['rows']} rows"]  # BN and L2_BN, at two widths
    assert seen["unfiltered"] == seen["rows"]


def test_the_theme_follows_the_system_and_then_the_reader(seen):
    system, first, second, third = seen["themes"]
    assert [theme[0] for theme in seen["themes"]] == [
        f"Theme: {name}" for name in ("system", "dark", "light", "system")
    ]
    assert system[1:] == second[1:] == third[1:]
    assert all(light != dark for light, dark in zip(second[1:], first[1:], strict=True))
    page, lettering = zip(*((brightness(theme[1]), brightness(theme[2])) for theme in (first, second)), strict=True)
    assert page[0] < 0.2 and lettering[0] > 0.8
    assert page[1] > 0.8 and lettering[1] < 0.2


def brightness(colour):
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / (3 * 255)


def test_the_pointer_is_told_line_and_panel_and_both_axes_in_full(seen):
    assert seen["tip"] == ["line, a panel", "Width (units): 1", "Height (m): 2"]


def test_sections_are_folded_until_a_link_leads_into_them(seen):
    assert seen["folded"] and seen["unfolded"] == ["means"]


def test_the_page_is_no_wider_than_its_window(seen, written):
    assert seen["fits"] and seen["width"] == 1280
    narrow = seen_by(written, 400)
    assert narrow["fits"] and narrow["width"] < 600 and narrow["errors"] == []


def test_the_figure_of_effects_takes_the_breadth_that_there_is(seen, written):
    page, broad, narrow = seen["effects"]
    assert 0.95 * page < broad <= page and narrow == 0
    page, broad, narrow = seen_by(written, 400)["effects"]
    assert broad == 0 and 0.95 * page < narrow <= page


def test_the_columns_that_name_a_row_stay_while_others_scroll(written):
    medium = seen_by(written, 800)
    before, after = medium["held"]
    moved = [one - other for one, other in zip(before, after, strict=True)]
    assert medium["scrolled"] > 50 and moved[:2] == [0, 0] and before[1] > 0
    assert moved[2:] == pytest.approx([medium["scrolled"]] * 4, abs=1.5)
    narrow = seen_by(written, 400)
    before, after = narrow["held"]
    assert before[:2] == after[:2] and before[2] > after[2]
    assert before[2] < 0.62 * narrow["effects"][0], "room to scroll"


@pytest.mark.parametrize("more", range(5))
def test_a_compressed_page_unpacks_itself_whatever_its_length(tmp_path, more):
    said = "Größe, ein paar Worte" + "".join(map(chr, range(0x4E00, 0x4E00 + more)))
    path = tmp_path / "page.html"
    path.write_text(page.compressed(f"<!doctype html><title>T</title><p id='said'>{said}</p>", "T"))
    dom, console = open_page(path, tmp_path)
    assert f'<p id="said">{said}</p>' in dom and console == []
