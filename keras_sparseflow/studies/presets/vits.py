"""Small studies of Vision Transformers, which nobody has published: matched pairs, and networks over densities."""

from typing import Any

from keras_sparseflow.studies.study import Study

_NETWORK: dict[str, Any] = {
    "dataset": "digits",
    "model": "vit",
    "depth": 2,
    "patch_size": 2,
    "heads": 4,
    "epochs": 20,
    "batch_size": 64,
    "schedule": "cosine",
}
_RECIPE = {"variant": ("SC",), "activation": ("gelu",), "optimizer": ("adam",), "learning_rate": (0.003,)}
_WIDTH = 3

_NOTE = (
    "Skip connections (SC) are a transformer's own: without them blocks do not add their inputs. LayerNormalization is "
    "always there; no embedding has a mask."
)

VITS = {
    "scsdc_vit": Study(
        name="scsdc_vit",
        title="Does a sparse Vision Transformer beat a dense one of equal capacity?",
        grids=[_RECIPE],
        base=_NETWORK,
        max_width=_WIDTH,
        width_fractions=(0.25, 0.5, 0.75),
        notes=(
            "A dense arm has round(f x size) entries in embeddings, in each head and in the perceptrons of its blocks, "
            "and as many heads; embeddings, biases and LayerNormalization count for neither arm.",
            _NOTE,
        ),
    ),
    "vit_densities": Study(
        name="vit_densities",
        title="How does a Vision Transformer fare with a share of its weights?",
        comparison="densities",
        grids=[{**_RECIPE, "density": (0.05, 0.1, 0.2, 1.0)}],
        base={**_NETWORK, "width": _WIDTH},
        notes=(_NOTE,),
    ),
}
"""They are small, so that two cores can train them in minutes: other flags make them larger."""
