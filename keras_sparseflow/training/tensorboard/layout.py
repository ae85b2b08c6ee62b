"""The tab of custom scalars: a study's main curves, pinned in charts that hold all of its runs."""

from collections.abc import Mapping

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar.summary import pb


def pinned(charts: Mapping[str, str]) -> Summary:
    """Returns the summary that makes a chart of each tag.

    Args:
        charts: titles by tag.
    """
    made = [
        layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=[f"^{tag}$"]))
        for tag, title in charts.items()
    ]
    layout = layout_pb2.Layout(category=[layout_pb2.Category(title="Runs side by side", chart=made)])
    # TensorBoard's own function gives TensorFlow's message where that is installed.
    return Summary.FromString(pb(layout).SerializeToString())
