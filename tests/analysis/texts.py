"""The places of the texts of a figure once it is drawn, for tests that none covers another or leaves the picture."""

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def shown_texts(figure):
    """Draws the figure and returns each text that is seen, with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = {text for axes in figure.axes for text in _ticks(axes, shown=False)}
    hidden |= {text for axes in figure.axes if not axes.axison for text in axes.findobj(Text)}
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]
    return [(text, text.get_window_extent(canvas.get_renderer())) for text in dict.fromkeys(texts)]


def overlaps(figure, texts):
    """Returns the pairs of the figure's shown texts that cover each other, and those that reach beyond it."""
    found = [
        (one.get_text(), other.get_text())
        for (one, box), (other, another) in itertools.combinations(texts, 2)
        if box.overlaps(another)
    ]
    edge = figure.bbox.padded(1)
    beyond = [
        text.get_text()
        for text, box in texts
        if box.x0 < edge.x0 or box.y0 < edge.y0 or box.x1 > edge.x1 or box.y1 > edge.y1
    ]
    return found + beyond


def _ticks(axes, shown):
    """Returns the labels of an axes' ticks that are within its limits, or of those that are not."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if (low <= tick.get_loc() <= high) == shown:
                yield from (tick.label1, tick.label2)
