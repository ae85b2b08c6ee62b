"""Small studies of Vision Transformers, which nobody has published: matched pairs, and networks over densities."""

from keras_sparseflow.studies.presets.starting_points import study_from

_NOTE = (
    "Skip connections (SC) are a transformer's own: without them blocks do not add their inputs. LayerNormalization is "
    "always there; no embedding has a mask."
)

VITS = {
    "scsdc_vit": study_from(
        "vit",
        name="scsdc_vit",
        title="Does a sparse Vision Transformer beat a dense one of equal capacity?",
        width_fractions=(0.25, 0.5, 0.75),
        notes=(
            "A dense arm has round(f x size) entries in embeddings, in each head and in the perceptrons of its blocks, "
            "and as many heads; embeddings, biases and LayerNormalization count for neither arm.",
            _NOTE,
        ),
    ),
    "vit_densities": study_from(
        "vit",
        name="vit_densities",
        title="How does a Vision Transformer fare with a share of its weights?",
        comparison="densities",
        grid={"density": (0.05, 0.1, 0.2, 1.0)},
        notes=(_NOTE,),
    ),
}
"""They are small, so that two cores can train them in minutes: other flags make them larger."""
