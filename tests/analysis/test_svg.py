from xml.etree import ElementTree

import pytest

from keras_sparseflow.analysis.svg import compact_svg

WRITTEN = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36pt" viewBox="0 0 72 36"
     xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><creator>someone</creator></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="figure_1">
  <g id="line_1">
   <path d="M 12.345678 -0.123456
L 56.04 9.996
" clip-path="url(#clip)" style="fill: none; stroke: #0072b2; stroke-width: 1.6"/>
   <defs><path id="marker" d="M -2.25 0 L 2.25 0 z" style="stroke: #0072b2"/></defs>
   <g clip-path="url(#clip)">
    <use xlink:href="#marker" x="12.345678" y="5" style="fill: #0072b2"/>
    <use xlink:href="#marker" x="56.04" y="6" style="fill: #0072b2"/>
   </g>
  </g>
  <g id="text_1">
   <text style="font: 700 10px 'Some Font', sans-serif; text-anchor: middle; fill: #1f2429" x="1.26" y="2"
         transform="rotate(-0 1.26 2)">two  words &lt;&amp;</text>
   <text style="font-size: 8px; font-family: 'Some Font', sans-serif; fill: #1f2429" x="1" y="2"
         transform="rotate(-90 1.2345 2)">up</text>
  </g>
  <image id="scale" xlink:href="data:image/png;base64,AAAA" x="1" y="2" width="3.14159" height="4"/>
 </g>
 <defs><clipPath id="clip"><rect x="0" y="0" width="72" height="36"/></clipPath></defs>
</svg>
"""


@pytest.fixture(name="made")
def fixture_made():
    text = compact_svg(WRITTEN, "f1", 'A "title" <', {"#1f2429": "var(--ink)"})
    return text, ElementTree.fromstring(text)


def find(root, tag):
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == tag]


def test_coordinates_are_rounded(made):
    drawn = [element.get("d") for element in find(made[1], "path")]
    assert drawn == ["M12.3 -0.123L56 10", "M-2.25 0L2.25 0z"]
    assert [use.get("x") for use in find(made[1], "use")] == ["12.3", "56"]


def test_references_lead_to_ids_that_begin_with_the_prefix(made):
    text, root = made
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert len(ids) == 2 and all(name.startswith("f1-") for name in ids)
    (clip,) = [element.get("id") for element in find(root, "clipPath")]
    assert text.count(f"url(#{clip})") == 2
    (marker,) = ids - {clip}
    assert {use.get("href") for use in find(root, "use")} == {f"#{marker}"}


def test_images_keep_their_content(made):
    (image,) = find(made[1], "image")
    assert image.get("href") == "data:image/png;base64,AAAA" and image.get("width") == "3.14"
    assert image.get("id") is None


def test_a_style_is_written_once_and_applies_to_whom_it_did(made):
    _, root = made
    sheet = {
        name.strip().lstrip("."): style
        for name, style in (r.split("{") for r in find(root, "style")[0].text.split("}") if r)
    }
    assert len(set(sheet.values())) == len(sheet)
    assert not any("style" in element.attrib for element in root.iter())
    line = next(path for path in find(root, "path") if path.get("clip-path"))
    assert sheet[line.get("class")] == "fill:none;stroke:#0072b2;stroke-width:1.6"
    (group,) = [group for group in find(root, "g") if len(find(group, "use")) == 2]
    assert sheet[group.get("class")] == "fill:#0072b2" and group.get("clip-path")


def test_text_takes_the_pages_font_and_the_themes_colour(made):
    _, root = made
    first, second = find(root, "text")
    assert first.text == "two  words <&" and first.get("transform") is None
    assert second.get("transform") == "rotate(-90 1.23 2)"
    sheet = find(root, "style")[0].text
    assert "font-size:10px;font-weight:700;text-anchor:middle;fill:var(--ink)" in sheet
    assert "font-size:8px;fill:var(--ink)" in sheet and "Font" not in sheet


def test_what_a_page_does_not_need_goes(made):
    text, root = made
    assert "someone" not in text and "xlink" not in text and "<?xml" not in text
    assert root.get("aria-label") == 'A "title" <' and root.get("role") == "img"
    assert len(text) < len(WRITTEN)
