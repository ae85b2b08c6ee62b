"""The report's page: how numbers, colours and figures become one HTML file that needs nothing else."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.figures.drawing.colours import ARM_STYLES, ON_DARK, p_colour
from keras_sparseflow.analysis.formats import format_fixed, format_number, format_p, format_percent, format_signed
from keras_sparseflow.analysis.summary import duration, in_words


def render(view: Mapping[str, Any], template: str, colours: Mapping[str, str] = ON_DARK) -> str:
    """Returns the page for a view, every text in it escaped.

    Args:
        view: everything that the template shows.
        template: its name.
        colours: each colour of the page's figures, with the one to take its place on a dark page.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_sparseflow.analysis"),
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
