"""The report's page: how numbers, colours and figures become one HTML file that needs nothing else."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import ARM_STYLES, ON_DARK, SEQUENCE, p_colour
from keras_sparseflow.analysis.frames.formats import (
    format_fixed,
    format_number,
    format_p,
    format_percent,
    format_signed,
)
from keras_sparseflow.analysis.panels import styled
from keras_sparseflow.analysis.report.summary import duration, in_words
from keras_sparseflow.analysis.svg import compact_svg


def render(view: Mapping[str, Any], template: str, colours: Mapping[str, str] = ON_DARK) -> str:
    """Returns the page for a view, every text in it escaped.

    Args:
        view: everything that the template shows.
        template: its name.
        colours: each colour of the page's figures, with the one to take its place on a dark page.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_sparseflow.analysis.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        colour=p_colour,
        p=format_p,
        percent=format_percent,
        number=format_number,
        fixed=format_fixed,
        signed=format_signed,
        words=in_words,
        duration=duration,
    )
    environment.globals["figure_colours"] = {colour.lstrip("#"): (colour, dark) for colour, dark in colours.items()}
    environment.globals["arm_colours"] = {arm: style["color"].lstrip("#") for arm, style in ARM_STYLES.items()}
    environment.tests["missing"] = lambda value: bool(pd.isna(value))
    return environment.get_template(template).render(view)


def inline_svg(figure: Figure, prefix: str, title: str) -> Any:
    """Returns a figure as markup to stand in a page: ids made unique, colours and lettering taken from the page.

    Args:
        figure: a matplotlib figure from `keras_sparseflow.analysis.figures`.
        prefix: what tells this figure's ids from those of the page's other figures.
        title: the text for those who do not see it.
    """
    from markupsafe import Markup

    theme = {colour: f"var(--c{colour[1:]})" for colour in (*ON_DARK, *SEQUENCE)}
    return Markup(compact_svg(_svg_with_text(figure), prefix, title, theme))


@styled
def _svg_with_text(figure: Figure) -> str:
    """Returns a figure as an SVG file whose text is text, to be searched and to be short, not outlines."""
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(content, format="svg")
    return content.getvalue().decode()
