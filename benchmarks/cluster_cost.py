"""Measures what a Ray cluster costs before it trains: connecting, empty and first tasks, images to each node.

The cluster has two nodes on this machine, each of one CPU, and is started and ended here. It needs the extra `ray`.

    python benchmarks/cluster_cost.py
    python benchmarks/cluster_cost.py --images=10000
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import app, flags

IMAGES = flags.DEFINE_integer("images", 50_000, "images of 32x32x3 that the cluster is handed.", lower_bound=1)

EMPTY_TASKS = 200


def timed(what: str, call: Callable[[], Any], times: int = 1) -> Any:
    """Prints the seconds of a call, or of each of several; returns what the last one does."""
    began = time.perf_counter()
    for _ in range(times):
        result = call()
    print(f"{what}: {(time.perf_counter() - began) / times:.3f} s", flush=True)
    return result


def main(_: list[str]) -> None:
    """Prints the seconds of each part, one a line."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else tasks wait for every other program of a busy machine
    import ray
    from ray.cluster_utils import Cluster
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        timed("connecting", lambda: ray.init(cluster.address, log_to_driver=False))
        here = ray.get_runtime_context().get_node_id()
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        (other,) = [node["NodeID"] for node in ray.nodes() if node["NodeID"] != here]

        def on(node: str) -> dict[str, Any]:
            return {"num_cpus": 1, "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}

        def loads() -> None:
            import keras_sparseflow.studies.executors.populations  # noqa: F401

        def reads(images: np.ndarray) -> int:
            return len(images)

        empty = ray.remote(**on(here))(lambda: None)
        timed("the first task of a process", lambda: ray.get(empty.remote()))
        timed("an empty task", lambda: ray.get(empty.remote()), EMPTY_TASKS)
        load = ray.remote(**on(here))(loads)
        timed("the first task that loads the package and TensorFlow", lambda: ray.get(load.remote()))
        images = np.random.default_rng(0).random((IMAGES.value, 32, 32, 3), np.float32)
        put = timed(f"handing the cluster {images.nbytes / 1e6:.0f} MB of images", lambda: ray.put(images))
        read = ray.remote(**on(other))(reads)
        ray.get(read.remote(images[:1]))  # its process has started
        timed("handing these images to a second node", lambda: ray.get(read.remote(put)))
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    app.run(main)
