"""Shards of a study: shares of its stored plan, each trained by a process of its own."""

import dataclasses
from pathlib import Path

from keras_sparseflow.records import RunFolder, read_study
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.size.cost import cost

Shard = tuple[int, int]
"""Number, from 0, and count of shards."""


def check_shard(shard: Shard, **of_the_study: bool) -> None:
    """Refuses a shard that is none, or beside arguments that change the whole study.

    Args:
        shard: number and count.
        **of_the_study: such arguments by name, and whether they are given.

    Example:
        >>> check_shard((4, 4))
        Traceback (most recent call last):
            ...
        ValueError: `shard` must be i/n with i from 0 to n - 1, such as 0/4; received 4/4.
    """
    named = f"{shard[0]}/{shard[1]}"
    if not 0 <= shard[0] < shard[1]:
        raise ValueError(f"`shard` must be i/n with i from 0 to n - 1, such as 0/4; received {named}.")
    for name, given in of_the_study.items():
        if given:
            raise ValueError(
                f"`{name}` changes the whole study, of which other shards may be at work; received it with shard "
                f"{named}. Give it without a shard, and Ctrl-C as soon as networks train."
            )


def share(prepared: Prepared, shard: Shard) -> Prepared:
    """Returns what one shard of a study trains.

    Args:
        prepared: the whole study.
        shard: number and count.
    """
    stored = prepared.plan.stored
    if stored is None:
        return prepared
    runs = {run_id for task in stored.shard(*shard) for run_id in task.run_ids}
    specs = [spec for spec in prepared.specs if spec.run_id in runs]
    return dataclasses.replace(prepared, specs=specs, plan=prepared.plan.of(runs), cost=cost(specs, prepared.size))


def missing(study_dir: Path) -> int:
    """Returns how many runs of a study are not finished."""
    return sum(not RunFolder(study_dir, run_id).finished for run_id in read_study(study_dir)["run_ids"])
