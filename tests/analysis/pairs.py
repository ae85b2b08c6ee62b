"""Synthetic studies of pairs, shaped as `keras_sparseflow.records` returns and writes them."""

import numpy as np
import pandas as pd

from tests.analysis.folders import write_folder

WIDTHS = (7, 20, 34, 48, 61)


def make_results(
    optimizers=("sgd", "adam"),
    variants=("NR", "BN"),
    widths=WIDTHS,
    seeds=(0, 1, 2),
    arms=("sparse", "dense"),
    images=360,
    **spec,
):
    """Returns results of a made-up study; sparse is better under BN and worse without."""
    rng = np.random.default_rng(0)
    rows = []
    for optimizer in optimizers:
        for variant in variants:
            for width in widths:
                for seed in seeds:
                    for arm in arms:
                        advantage = 0.02 if "BN" in variant else -0.01
                        accuracy = 0.97 - 0.6 / width + (advantage if arm == "sparse" else 0.0)
                        accuracy -= 0.1 if optimizer == "sgd" else 0.0
                        accuracy = min(np.round((accuracy + rng.normal(0, 0.01)) * images), images) / images
                        flow = (0.2 if "BN" in variant else 2.0) * (1.3 if arm == "sparse" else 1.0)
                        flow *= rng.uniform(0.9, 1.1) * (30 if optimizer == "sgd" else 1) / width**0.3
                        rows.append(
                            {
                                "run_id": f"{optimizer}-{variant}-{width}-{seed}-{arm}",
                                "dataset": "digits",
                                "image_size": None,
                                "train_size": None,
                                "hidden_layers": 2,
                                "dense_width": width,
                                "max_width": 68,
                                "arm": arm,
                                "variant": variant,
                                "optimizer": optimizer,
                                "learning_rate": 0.001,
                                "activation": "relu",
                                "epochs": 30,
                                "seed": seed,
                                "batch_size": 128,
                                **spec,
                                "test_accuracy": accuracy,
                                "test_loss": 3 * (1 - accuracy),
                                "best_test_accuracy": accuracy + 0.001,
                                "train_loss": 0.1,
                                "train_accuracy": 0.99,
                                "diverged": False,
                                "epochs_run": 30,
                                "seconds": 1.5,
                                "active_weights": 64 * width + width**2 + 10 * width,
                                "flow_reading": "end",
                                "grad_norm_1": 10 * flow,
                                "grad_norm_2": 2 * flow,
                                "egf_1": 5 * flow,
                                "egf_2": flow,
                            }
                        )
    return pd.DataFrame(rows)


def redrawn(results, effect=0.0, noise=0.01, seed=0):
    """Returns results with accuracies of their width and noise, those of sparse networks higher by `effect`."""
    gain = effect * (results["arm"] == "sparse")
    error = np.random.default_rng(seed).normal(0, noise, len(results))
    accuracy = 0.9 - 0.6 / results["dense_width"] + gain + error
    return results.assign(test_accuracy=accuracy, test_loss=3 * (1 - accuracy))


def make_flow(results, epochs=(0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29)):
    """Returns flow rows of the end whose mean over epochs and layers is about the run's `egf_2`."""
    rows = []
    for run in results.to_dict("records"):
        for epoch in epochs:
            layers = {"hidden_1": 1.5, "hidden_2": 1.0, "output": 0.5, "total": 1.0}
            for layer, factor in layers.items():
                value = run["egf_2"] * factor * 3 * np.exp(-epoch / 8)
                rows.append((run["run_id"], epoch, "end", "egf_2", layer, value))
    return pd.DataFrame(rows, columns=["run_id", "epoch", "reading", "measure", "layer", "value"])


def write_study(study_dir, results, flow=None, **study):
    """Writes the frames as a study folder."""
    made = {
        "comparison": "pairs",
        "name": "made_up",
        "title": "Sparse <b> dense & digits",
        "command": "python launchers/scsdc.py --preset=demo",
        "choices": [
            {"choice": "batch_size", "value": 128, "meaning": "images a step", "source": "the paper is silent"},
            {"choice": "loss", "value": None},
        ],
        "versions": {"numpy": "2.0", "keras": "3.12"},
        "machine": {"cpu": "2 cores", "gpu": None},
        "created": "2026-01-02T03:04:05",
    }
    return write_folder(study_dir, {**made, **study}, results, flow=flow)
