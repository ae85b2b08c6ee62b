"""The page of a report as a list of its elements, for tests that look into it."""

import re
from html.parser import HTMLParser

from keras_sparseflow.analysis.report.writing import write_report

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A page as a list of elements `(tag, attributes, text)`; fails on tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th", "tr", "li", "p", "dt", "dd", "small"):
            self.handle_data(" ")
        element = [tag, dict(attrs), ""]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def find(self, tag, **attributes):
        """Returns the elements with that tag and those attributes; `data_x` is `data-x`, `class_` a class."""
        found = []
        for name, attrs, text in self.elements:
            wanted = {key.replace("_", "-"): value for key, value in attributes.items() if key != "class_"}
            has_class = attributes.get("class_", "") in ["", *(attrs.get("class") or "").split()]
            if name == tag and has_class and all(attrs.get(key) == value for key, value in wanted.items()):
                found.append((attrs, " ".join(text.split())))
        return found

    def text(self, tag, **attributes):
        """Returns the text of the only such element."""
        (found,) = self.find(tag, **attributes)
        return found[1]

    @property
    def ids(self):
        return [attrs["id"] for _, attrs, _ in self.elements if "id" in attrs]

    @property
    def links(self):
        return [attrs["href"] for attrs, _ in self.find("a")]

    @property
    def sections(self):
        """The ids of its sections, in order."""
        return [attrs["id"] for attrs, _ in self.find("details", class_="section")]


def page_of(folder, **options):
    """Returns the page of a study's report, whose figures are no files."""
    return Page(write_report(folder, figures=False, **options).read_text())


def check_links(page, folder):
    """Fails unless each link leads to a place of the page or a file in the folder, and ids are there once."""
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (folder / link).is_file(), link


def check_alone(page, html):
    """Fails if a page asks for anything but itself."""
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base"}
    for tag, attrs, _ in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
            assert not re.match(r"(https?:|//|file:|/)", attrs.get(name) or ""), (tag, attrs)
        assert tag != "script" or attrs == {}
    for text in [text for tag in ("style", "script") for _, text in page.find(tag)]:
        assert not re.search(r"@import|url\((?!#)|https?:|fetch\(|import\(|XMLHttpRequest|WebSocket", text)
    assert set(re.findall(r"https?://[^\s\"<]+", html)) <= {"http://www.w3.org/2000/svg"}
