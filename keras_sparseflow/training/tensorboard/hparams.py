"""Summaries for TensorBoard's HParams dashboard: a study's columns, and the start and end of each of its runs."""

import math
import time
from collections.abc import Mapping, Sequence

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, summary_v2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

Value = bool | float | str

MAX_LISTED = 9
"""Largest number of values of a hyperparameter that the dashboard offers one by one."""

_TYPES = {bool: api_pb2.DATA_TYPE_BOOL, float: api_pb2.DATA_TYPE_FLOAT64, str: api_pb2.DATA_TYPE_STRING}


def session_start(name: str, hparams: Mapping[str, Value]) -> Summary:
    """Returns the summary at the beginning of a run's events, which gives the run a row of the dashboard.

    Args:
        name: title of the row.
        hparams: hyperparameters by name.
    """
    return summary_v2.hparams_pb(dict(hparams), trial_id=name)


def session_end(*, success: bool) -> Summary:
    """Returns the summary at the end of a finished run's events.

    TensorBoard keeps the first status of a run for good, so a run that has not ended has none: the dashboard
    calls it unknown.

    Args:
        success: False for a run that diverged.
    """
    status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
    return _summary(
        metadata.SESSION_END_INFO_TAG,
        HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=time.time())),
    )


def experiment(
    hparams: Mapping[str, Sequence[Value]], metrics: Mapping[str, str], descriptions: Mapping[str, str] | None = None
) -> Summary:
    """Returns the summary that names the dashboard's columns; without it every scalar of a run would be one.

    Args:
        hparams: the values that each hyperparameter takes in the runs, all of one type.
        metrics: names of the metrics' columns, by scalar tag.
        descriptions: of hyperparameters, by name.

    Raises:
        ValueError: values of several types, or none.
    """
    infos = [_hparam_info(name, values) for name, values in hparams.items()]
    for info in infos:
        info.description = (descriptions or {}).get(info.name, "")
    columns = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=shown) for tag, shown in metrics.items()
    ]
    return _summary(
        metadata.EXPERIMENT_TAG,
        HParamsPluginData(experiment=api_pb2.Experiment(hparam_infos=infos, metric_infos=columns)),
    )


def _hparam_info(name: str, values: Sequence[Value]) -> api_pb2.HParamInfo:
    """Returns name, type and domain of a hyperparameter, and whether it differs between runs."""
    types = {float if type(value) is int else type(value) for value in values}
    if len(types) != 1 or not types <= set(_TYPES):
        found = ", ".join(sorted(kind.__name__ for kind in types)) or "no value"
        raise ValueError(f"`hparams` must give {name!r} values of one type: bool, number or str; received {found}.")
    (kind,) = types
    distinct = sorted(set(values), key=_place)
    info = api_pb2.HParamInfo(name=name, type=_TYPES[kind], differs=len(distinct) > 1)
    if kind is float and len(distinct) > MAX_LISTED:
        info.domain_interval.min_value, info.domain_interval.max_value = distinct[0], distinct[-1]
    else:
        info.domain_discrete.extend(distinct)
    return info


def _place(value: Value) -> tuple[float, str]:
    """Returns where a value stands among others: numbers in their order, those written as text too, other text last."""
    try:
        return float(value), ""
    except ValueError:
        return math.inf, str(value)


def _summary(tag: str, data: HParamsPluginData) -> Summary:
    """Returns a summary with its data in the metadata, the only part that the dashboard reads."""
    found = Summary()
    found.value.add(tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR)
    return found
