"""The HParams dashboard that TensorBoard's own backend, without a server, makes of a folder of events."""

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, get_experiment, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

ALL_STATUSES = list(api_pb2.Status.values())


class Dashboard:
    """TensorBoard on a folder; `reload` reads what has been written since."""

    def __init__(self, log_dir):
        self._log_dir = str(log_dir)
        self._multiplexer = EventMultiplexer()
        self._context = Context(TBContext(data_provider=MultiplexerDataProvider(self._multiplexer, self._log_dir)))
        self.reload()

    def reload(self):
        self._multiplexer.AddRunsFromDirectory(self._log_dir)
        self._multiplexer.Reload()

    def experiment(self):
        """The columns: hyperparameters with type and domain, and metrics."""
        request = api_pb2.GetExperimentRequest()
        return get_experiment.Handler(RequestContext(), self._context, "", request).run()

    def rows(self, *columns):
        """The rows as dicts by their name, in order; `columns` are filters."""
        request = api_pb2.ListSessionGroupsRequest(
            allowed_statuses=ALL_STATUSES, col_params=columns, start_index=0, slice_size=1000
        )
        found = list_session_groups.Handler(RequestContext(), self._context, "", request).run().session_groups
        assert len({group.name for group in found}) == len(found)
        return {group.name: _row(group) for group in found}


def values(list_value):
    """The Python values of a `ListValue`."""
    return [getattr(value, value.WhichOneof("kind")) for value in list_value.values]


def _row(group):
    (session,) = group.sessions  # each row is of one run
    return {
        "run": session.name,
        "status": api_pb2.Status.Name(session.status),
        "hparams": {name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()},
        "metrics": {metric.name.tag: (metric.training_step, metric.value) for metric in session.metric_values},
    }
