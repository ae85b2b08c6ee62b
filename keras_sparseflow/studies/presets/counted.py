"""The costs of the presets as they are, counted beforehand: counting them takes half a minute.

`python -m keras_sparseflow.studies.presets.counted` writes the file `counted.csv` beside this one; a test holds it.
"""

import csv
import functools
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib import resources
from pathlib import Path

from keras_sparseflow.studies.prepare import study_costs
from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.size.cost import Cost
from keras_sparseflow.studies.study import Study

_FILE = "counted.csv"


@functools.cache
def counted_costs() -> dict[str, Cost]:
    """Returns the cost of each preset of this package, by its name.

    Example:
        >>> counted_costs()["demo"].networks
        120
    """
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    names = [field.name for field in fields(Cost)]
    return {row["preset"]: Cost(*(int(row[name]) for name in names)) for row in csv.DictReader(text.splitlines())}


def listed_costs(studies: Sequence[Study], data_dir: str | None) -> list[tuple[Study, Cost | str]]:
    """Returns what studies cost, or why one can't be trained; of presets as they are without counting.

    Args:
        studies: presets, changed or not.
        data_dir: folder of datasets, see `load_images`.
    """
    known = {name: cost for name, cost in counted_costs().items() if name in PRESETS.builtins}
    changed = [study for study in studies if study.preset is not None or study.name not in known]
    counted = {study.name: cost for study, cost in study_costs(changed, data_dir)}
    return [(study, counted.get(study.name) or known[study.name]) for study in studies]


def count() -> dict[str, Cost]:
    """Returns the costs of the presets, counted anew."""
    studies = [PRESETS.get(name) for name in PRESETS.builtins]
    costs = {study.name: cost for study, cost in study_costs(studies, None)}
    return {name: cost for name, cost in costs.items() if isinstance(cost, Cost)}


def write(path: Path) -> None:
    """Writes the costs of the presets, counted anew."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["preset", *(field.name for field in fields(Cost))], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"preset": name, **asdict(cost)} for name, cost in count().items())


if __name__ == "__main__":
    write(Path(__file__).with_name(_FILE))
