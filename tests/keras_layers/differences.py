"""The tests of Keras that masked layers fail, and why: each must fail, so that this list stays true."""

from typing import NamedTuple

KERAS = (3, 15)
"""The version whose tests are listed; an older one lacks some of them."""


class Difference(NamedTuple):
    """Tests that fail for one reason.

    Args:
        reason: a sentence.
        raises: the exception that ends each of them.
        tests: patterns of `TestCase.test_name`; each test that matches one must fail.
    """

    reason: str
    raises: type[Exception]
    tests: tuple[str, ...]


DIFFERENCES = (
    Difference(
        "A masked layer refuses to be quantized, for its kernel would lose the mask.",
        ValueError,
        (
            "*DenseTest.test_*dense_int*",
            "*DenseTest.test_*dense_quantize*",
            "*DenseTest.test_awq_*",
            "*DenseTest.test_gptq_*",
            "*DenseTest.test_int4_*",
            "*DenseTest.test_quantize_by_setting_dtype_policy_*",
            "*DenseTest.test_quantize_float8*",
            "*DenseTest.test_quantize_int_*",
            "*DenseTest.test_quantize_lora_integration_*",
            "*DenseTest.test_quantize_on_subclass_*",
            "*DenseTest.test_quantize_when_already_quantized_*",
            "*DenseTest.test_quantize_with_specific_equations_*",
        ),
    ),
    Difference(
        "A masked layer refuses a quantized type for its kernel, which must be floating.",
        ValueError,
        (
            "*DenseTest.test_legacy_load_own_variables",
            "*DenseTest.test_quantize_dtype_argument_int*",
            "MultiHeadAttentionTest.test_dtype_policy_map",
        ),
    ),
    Difference(
        "The test swallows the refusal to be quantized, and finds that no kernel is.",
        AssertionError,
        ("MultiHeadAttentionTest.test_quantize_int8",),
    ),
    Difference(
        "The list that `set_weights` takes holds the masks too, which a stock layer's lacks.",
        ValueError,
        (
            "*AttentionTest.test_correctness_*_flash_attention",
            "DenseTest.test_dense_*_activation*",
            "DenseTest.test_dense_correctness",
        ),
    ),
    Difference(
        "With LoRA the test counts non-trainable weights by itself, and the mask is one more.",
        AssertionError,
        (
            "*DenseTest.test_enable_lora",
            "ConvBasicTest.test_enable_lora_conv*",
            "MultiHeadAttentionTest.test_lora",
        ),
    ),
    Difference(
        "The constraint of a masked kernel holds the one that was asked for, and keeps inactive weights at zero.",
        AssertionError,
        (
            "ConvCorrectnessTest.test_conv_constraints",
            "DenseTest.test_dense_constraints",
            "EinsumDenseTest.test_einsum_dense_constraints",
            "MultiHeadAttentionTest.test_mha_constraints",
        ),
    ),
    Difference(
        "The gradient of a masked kernel is a tensor, where a stock one's may come as slices of sparse inputs.",
        AssertionError,
        ("DenseTest.test_dense_sparse",),
    ),
)
