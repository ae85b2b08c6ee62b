"""Synthetic density studies, shaped as `keras_sparseflow.records` returns and writes them."""

import numpy as np
import pandas as pd

from tests.analysis.folders import write_folder

DENSITIES = (0.01, 0.05, 0.2, 0.5, 1.0)
SPEC = {
    "dataset": "cifar100", "image_size": None, "train_size": None, "subset_seed": 0, "activation": "relu",
    "activation_options": [], "optimizer_options": [], "schedule": "step", "loss": "cross_entropy", "batch_size": 128,
    "epochs": 200, "l2": 0.0005, "l2_form": "loss", "augment_pad": 4, "augment_flip": "random",
    "flow_measures": ["egf_2", "grad_norm_2"], "flow_epochs": 11, "flow_tensors": "kernels", "flow_cost": "total",
    "flow_readings": ["steps", "end"], "flow_mode": "training",
    "model": "wide_resnet", "depth": 28, "width": 10, "ends": "sparse", "dropout": 0.0,
    "prune_from": 0.5, "prune_until": 0.5, "prune_frequency": 100,
}  # fmt: skip
RATES = {"momentum": 0.1, "sgd": 0.1, "adam": 0.001}
TWEAKS = ("none", "GSk", "GSw", "LRsI", "LS", "tost")
LAYERS = ("stem_activation", *(f"group{g}_block1_activation{a}" for g in range(1, 5) for a in (1, 2)))
EPOCHS = (0, 19, 39, 59, 79, 99, 119, 139, 159, 179, 199)


def make_densities(
    optimizers=("momentum", "sgd", "adam"),
    variants=("NR", "SC", "SC_BN", "L2_SC_BN"),
    densities=DENSITIES,
    seeds=(0, 1, 2),
    methods=("random", "magnitude"),
    noise=0.006,
    **spec,
):
    """Returns results of a made-up study: accuracy falls with density, less with BatchNorm and with pruning."""
    rng = np.random.default_rng(0)
    rows = []
    for method in methods:
        for optimizer in optimizers:
            for variant in variants:
                for density in densities:
                    for seed in seeds:
                        row = {"method": method, "optimizer": optimizer, "variant": variant}
                        row |= {"density": density, "seed": seed, "learning_rate": RATES[optimizer]}
                        rows.append(_run(row, spec, rng.normal(0, noise), rng.uniform(0.85, 1.15)))
    return pd.DataFrame(rows)


def make_density_flow(results, layers=6, epochs=EPOCHS):
    """Returns flow rows of both measures at the end of epochs; before pruning, those of the dense network."""
    names = [f"conv_{number}" for number in range(1, layers)] + ["classifier"]
    rows = []
    for run in results.to_dict("records"):
        for epoch in epochs:
            pruned = run["method"] != "magnitude" or epoch >= run["prune_from"] * run["epochs"]
            share = run["density"] if pruned else 1.0
            for place, layer in enumerate([*names, "total"]):
                factor = 1.0 if layer == "total" else 1.5 - place / layers
                for measure, scale in (("egf_2", 1.0), ("grad_norm_2", 2.0)):
                    value = scale * run["egf_2"] * factor * share**0.2 * np.exp(-epoch / 150)
                    rows.append((run["run_id"], epoch, "end", measure, layer, value))
    return pd.DataFrame(rows, columns=["run_id", "epoch", "reading", "measure", "layer", "value"])


def make_diagnostics(results, epochs=(0, 99, 199), layers=LAYERS):
    """Returns made-up top eigenvalues, their residuals and activation sparsities, layer by layer and in all."""
    rows = []
    for run in results.to_dict("records"):
        spread = _own(run)
        for epoch in epochs:
            top = 40 * spread * np.exp(-epoch / 120) / run["density"] ** 0.3
            rows.append((run["run_id"], epoch, "top_eigenvalue", "total", top))
            rows.append((run["run_id"], epoch, "top_eigenvalue_residual", "total", 0.01 * top))
            first = 0.12 * spread * (1 + epoch / 400)
            shares = [first * (1 + number / len(layers)) for number in range(len(layers))]
            rows += [
                (run["run_id"], epoch, "activation_sparsity", layer, share)
                for layer, share in [*zip(layers, shares, strict=True), ("total", float(np.mean(shares)))]
            ]
    return pd.DataFrame(rows, columns=["run_id", "epoch", "measure", "layer", "value"])


def make_landscape(results, steps=11, surfaces=True):
    """Returns made-up losses along a line, and over a plane, whose curvature is each run's own."""
    rows = []
    for run in results.to_dict("records"):
        bend = _own(run)
        own, sign = run["test_loss"], 1 if run["seed"] % 2 else -1
        for x in np.linspace(-0.5, 0.5, steps):
            rows.append((run["run_id"], "loss_along", x, 0.0, own + bend * (4 * x**2 + sign * x**3)))
        for x, y in np.stack(np.meshgrid(*[np.linspace(-1, 1, steps)] * 2), -1).reshape(-1, 2) if surfaces else ():
            rows.append((run["run_id"], "loss_surface", x, y, own + bend * (x**2 + 2 * y**2) ** 2))
    return pd.DataFrame(rows, columns=["run_id", "diagnostic", "x", "y", "loss"])


def with_tweaks(results, names=TWEAKS):
    """Returns results of the runs without tweaks and with each of these, which gain more the sparser the network."""
    parts = []
    for place, name in enumerate(names):
        gain = 0.012 * place * -np.log10(results["density"])
        runs = results.assign(run_id=results["run_id"] + f"-{name}", test_accuracy=results["test_accuracy"] + gain)
        runs.insert(1, "tweaks", name)
        parts.append(runs)
    return pd.concat(parts, ignore_index=True)


def write_densities(study_dir, results, flow=None, diagnostics=None, landscape=None, **study):
    """Writes the frames as the folder of a study over densities."""
    made = {
        "comparison": "densities",
        "name": "made_up",
        "title": "Wide ResNet <b> on CIFAR-100",
        "preset": "figure_4",
        "reproduces": "Figures 4 and 24",
        "notes": ["The paper does not give the densities."],
        "overrides": [{"choice": "epochs", "preset": 200, "here": 20}],
        "command": "python launchers/wide_resnet.py --preset=figure_4",
        "choices": [{"choice": "batch_size", "value": 128, "meaning": "images a step", "source": "published"}],
        "versions": {"numpy": "2.4"},
        "machine": {"cores": "2"},
        "cost": {"networks": len(results), "steps": 1000},
        "created": "2026-01-02T03:04:05",
    }
    frames = {"flow": flow, "diagnostics": diagnostics, "landscape": landscape}
    return write_folder(study_dir, {**made, **study}, results, **frames)


def _own(run):
    """Returns a factor of a run's tweaks and seed."""
    return 2 - 0.25 * TWEAKS.index(run.get("tweaks", "none")) + 0.05 * run["seed"]


def _run(row, spec, error, factor):
    norm, pruned = "BN" in row["variant"], row["method"] == "magnitude"
    loss = -np.log10(row["density"]) * (0.06 if norm else 0.14) * (0.6 if pruned else 1.0)
    accuracy = (0.78 if norm else 0.72) - (0.08 if row["optimizer"] == "adam" else 0.0) - loss + error
    flow = factor * (1.0 if norm else 0.3) * row["density"] ** 0.4 * (8 if row["optimizer"] == "sgd" else 1)
    name = "-".join(str(row[column]) for column in ("method", "optimizer", "variant", "density", "seed"))
    return {
        "run_id": name,
        **SPEC,
        **row,
        **spec,
        "test_accuracy": round(accuracy, 4),
        "test_loss": 4 * (1 - accuracy),
        "best_test_accuracy": accuracy + 0.002,
        "train_loss": 0.1,
        "train_accuracy": 0.99,
        "diverged": False,
        "epochs_run": 200,
        "seconds": 60.0,
        "active_weights": int(36_000_000 * row["density"]),
        "flow_reading": "end",
        "grad_norm_2": 2 * flow,
        "egf_2": flow,
    }
