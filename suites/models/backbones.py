"""Backbones of KerasHub in tiny configurations, with random weights."""

from typing import Any

import keras
import numpy as np

_LANGUAGE = {"vocabulary_size": 40, "num_layers": 2, "hidden_dim": 16, "intermediate_dim": 32}
_HEADS = {**_LANGUAGE, "num_heads": 2}
_GROUPED = {**_LANGUAGE, "num_query_heads": 4, "num_key_value_heads": 2}
_IMAGES = {"image_shape": (32, 32, 3)}
_PATCHES = {**_IMAGES, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16}

BACKBONES: dict[str, dict[str, Any]] = {
    "Albert": {**_HEADS, "embedding_dim": 8},
    "Bart": _HEADS,
    "Bert": _HEADS,
    "Bloom": _HEADS,
    "DebertaV3": {**_HEADS, "bucket_size": 8},
    "DeiT": {**_PATCHES, "intermediate_dim": 32},
    "DenseNet": {**_IMAGES, "stackwise_num_repeats": [1, 2], "growth_rate": 8},
    "DistilBert": _HEADS,
    "ESM": _HEADS,
    "Falcon": {**_LANGUAGE, "num_attention_heads": 2},
    "FNet": _LANGUAGE,
    "Gemma": {**_GROUPED, "head_dim": 4},
    "Gemma3": {**_GROUPED, "head_dim": 4, "image_size": 16},
    "GPT2": _HEADS,
    "GPTNeoX": _HEADS,
    "Llama": _GROUPED,
    "Mistral": _GROUPED,
    "MiT": {
        **_IMAGES,
        "num_layers": 2,
        "hidden_dims": [8, 16],
        "layerwise_depths": [1, 1],
        "layerwise_num_heads": [1, 2],
        "layerwise_patch_sizes": [7, 3],
        "layerwise_sr_ratios": [2, 1],
        "layerwise_strides": [4, 2],
        "max_drop_path_rate": 0.1,
    },
    "Mixtral": {**_GROUPED, "num_experts": 2},
    "OPT": _HEADS,
    "Phi3": _GROUPED,
    "Qwen3": {**_GROUPED, "head_dim": 4},
    "Roberta": _HEADS,
    "RoformerV2": {**_HEADS, "head_size": 8},
    "RWKV7": {
        "vocabulary_size": 40,
        "num_layers": 2,
        "hidden_size": 16,
        "head_size": 8,
        "intermediate_dim": 32,
        "gate_lora": 8,
        "mv_lora": 8,
        "aaa_lora": 8,
        "decay_lora": 8,
    },
    "SwinTransformer": {
        **_IMAGES,
        "patch_size": 2,
        "embed_dim": 8,
        "depths": (2, 2),
        "num_heads": (2, 2),
        "window_size": 4,
    },
    "T5": _HEADS,
    "ViT": {**_PATCHES, "mlp_dim": 32},
    "Whisper": {**_HEADS, "num_mels": 8, "max_encoder_sequence_length": 12, "max_decoder_sequence_length": 12},
    "XLNet": _HEADS,
}
"""Arguments of the class of each name with `Backbone` behind."""

INCLUDED = {"Mixtral": "*/experts", "RWKV7": "*/RWKV_TIME_MIX"}
"""Layers that make matrices themselves, which `include=` lets be masked."""


def backbone(name: str) -> tuple[keras.Model, Any]:
    """Returns the backbone with random weights, and two examples."""
    import keras_hub

    keras.utils.set_random_seed(0)
    model = getattr(keras_hub.models, f"{name}Backbone")(**BACKBONES[name])
    return model, keras.tree.map_structure(_examples, model.input)


def _examples(tensor: Any) -> np.ndarray:
    random = np.random.default_rng(0)
    shape = (2, *(6 if length is None else length for length in tensor.shape[1:]))
    if "padding_mask" in tensor.name:
        return np.ones(shape, "int32")
    if "int" in tensor.dtype:
        return random.integers(0, 2 if "segment" in tensor.name else 40, shape)
    return random.normal(size=shape).astype("float32")
