"""The two variables of a masked kernel: the kernel, which reads as the effective kernel, and its mask."""

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend.common import global_state
from keras.src.backend.common.stateless_scope import get_stateless_scope, in_stateless_scope
from keras.src.utils.jax_utils import is_in_jax_tracing_scope

from keras_sparseflow.layers.mask.arrays import apply_mask, check_mask
from keras_sparseflow.layers.mask.switches import DenseGradients

_BACKEND = keras.backend.backend()

KEEP_ZEROS = frozenset(
    getattr(keras.optimizers, name)
    for name in (
        *("SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion", "Lamb"),
        "ScheduleFreeAdamW",
    )
    if hasattr(keras.optimizers, name)  # older versions of Keras lack `ScheduleFreeAdamW`
)
"""Optimizer classes, without their subclasses, that leave a zero weight at zero while its gradient is zero."""


class MaskVariable(keras.Variable):
    """A boolean mask; True is active. Each assignment sets the kernel's inactive weights to zero, too."""

    kernel: "MaskedVariable"
    changes: int = 0
    """Number of assignments to the mask."""

    def assign(self, value: Any) -> Any:
        """Replaces the mask.

        Args:
            value: array of the kernel's shape, boolean or of zeros and ones.

        Raises:
            ValueError: the shape differs, or a value is neither 0 nor 1, such as in the mean of two masks.
        """
        if not ops.is_tensor(value) or keras.backend.standardize_dtype(value.dtype) != "bool":
            value = check_mask(ops.convert_to_numpy(value), self.shape)
        assigned = super().assign(value)
        self.changes += 1
        self.kernel.follow_mask()
        return assigned


# Every assignment of a masked kernel stores zeros at inactive weights. The stored kernel therefore equals the effective
# kernel: layers read it as they read any kernel, and only its gradient has to be masked, where each backend reads the
# variable. A product with the mask in `call` would need code for every layer class and copy each kernel in each step,
# and momentum or weight decay would still move the stored inactive weights.
class MaskedVariable(keras.Variable):
    """A kernel with a mask: where the mask is False, the kernel and its gradient are zero.

    TensorFlow's operations read the kernel through `__tf_tensor__`, which masks the gradient (see `DenseGradients`),
    while `value` is the variable that optimizers write. JAX reads `value`; PyTorch masks gradients by a hook.

    Attributes:
        mask: its `MaskVariable`.
        dense_gradients: the switch that lets the gradient of inactive weights through.
    """

    mask: MaskVariable
    dense_gradients: DenseGradients
    _unmasked: Any = None
    _hook: Any = None

    def assign(self, value: Any) -> Any:
        """Assigns values; those of inactive weights become zero."""
        if value is self:  # from `_KeepMask`, where nothing had to be done
            return self
        value = self._convert_to_tensor(value, dtype=self._dtype)
        if tuple(value.shape) != tuple(self.shape):
            return super().assign(value)  # which raises the error
        if not self._can_read_mask():
            return super().assign(value)
        masked = apply_mask(value, self.mask)
        # `set_weights` and loading assign values before their mask; `follow_mask` restores what the old mask removed.
        self._unmasked = value if _lost(value, masked) else None
        return super().assign(masked)

    def follow_mask(self) -> None:
        """Sets inactive weights to zero; restores active ones that the mask before removed from the last values."""
        value = super().value if self._unmasked is None else self._unmasked
        super().assign(apply_mask(ops.convert_to_tensor(value), self.mask))
        self._unmasked = None

    def forget_unmasked(self) -> None:
        """Makes weights that become active from now on start at zero."""
        self._unmasked = None

    if _BACKEND == "jax":

        @property
        def value(self) -> Any:
            value = super().value
            return self.dense_gradients.effective(value, self.mask) if self._can_read_mask() else value

    def _initialize(self, value: Any) -> None:
        super()._initialize(value)
        self._mask_gradients()

    def _mask_gradients(self) -> None:
        """Masks PyTorch's gradients by a hook on the parameter, which a layer built in a symbolic call gets later."""
        if _BACKEND == "torch":
            parameter = self._value
            trainable = parameter.requires_grad
            parameter.requires_grad_()  # else PyTorch refuses a hook; a frozen kernel may be trained later
            self._hook = parameter.register_hook(lambda gradient: self.dense_gradients.masked(gradient, self.mask))
            parameter.requires_grad_(trainable)

    def _can_read_mask(self) -> bool:
        """Returns whether the mask has a value now.

        On JAX an optimizer's step is a function of trained variables and slots, without masks. While `fit` runs,
        variables have no values outside of its steps.
        """
        if _BACKEND != "jax":
            return True
        scope = get_stateless_scope()
        in_scope = scope is not None and scope.get_current_value(self.mask) is not None
        return _optimizer_in_step() is None and (in_scope or self.mask._value is not None)

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        return self.dense_gradients.effective(super().__tf_tensor__(dtype, name), self.mask)


def _through_mask(name: str) -> Any:
    """Returns an operator of Keras variables, such as `__add__`, that acts on the effective kernel, not on `value`."""
    stock = getattr(keras.Variable, name)

    def operator(self: MaskedVariable, *arguments: Any) -> Any:
        return stock(SimpleNamespace(value=self.__tf_tensor__()), *arguments)

    return operator


if _BACKEND == "tensorflow":
    for _name in (
        *("__neg__", "__abs__", "__getitem__", "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__"),
        *("__truediv__", "__rtruediv__", "__pow__", "__rpow__", "__matmul__", "__rmatmul__"),
    ):
        setattr(MaskedVariable, _name, _through_mask(_name))


def attach_mask(kernel: keras.Variable, mask: keras.Variable) -> DenseGradients:
    """Turns two variables of a layer, in place, into a masked kernel and its mask.

    Args:
        kernel: zero where the mask is False.
        mask: boolean, of the kernel's shape.

    Returns:
        The kernel's switch; the layer must keep its `variable` as an attribute.
    """
    kernel.__class__, mask.__class__ = MaskedVariable, MaskVariable
    kernel.mask, mask.kernel = mask, kernel
    kernel.dense_gradients = DenseGradients()
    kernel.constraint = _KeepMask(kernel, kernel.constraint)
    if _BACKEND == "jax" and kernel.regularizer is not None:
        kernel.regularizer = _OfEffectiveKernel(kernel, kernel.regularizer)
    if kernel._value is not None:
        kernel._mask_gradients()
    return kernel.dense_gradients


def detach_mask(kernel: MaskedVariable) -> None:
    """Turns a masked kernel, in place, into what it was before `attach_mask`; its values stay."""
    if kernel._hook is not None:
        kernel._hook.remove()
    constraint: Any = kernel.constraint
    kernel.constraint = constraint._constraint
    if isinstance(kernel.regularizer, _OfEffectiveKernel):
        kernel.regularizer = kernel.regularizer._regularizer
    attributes: Any = vars(kernel)
    for name in ("mask", "dense_gradients", "_unmasked", "_hook"):
        attributes.pop(name, None)
    kernel.__class__ = keras.Variable


class _OfEffectiveKernel(keras.regularizers.Regularizer):
    """A regularizer of the effective kernel; within a stateless scope Keras passes the stored values instead."""

    def __init__(self, kernel: MaskedVariable, regularizer: Any):
        self._kernel = kernel
        self._regularizer = regularizer

    def __call__(self, values: Any) -> Any:
        return self._regularizer(
            self._kernel.dense_gradients.effective(ops.convert_to_tensor(values), self._kernel.mask)
        )


class _KeepMask(keras.constraints.Constraint):
    """Constraint that optimizers apply to a masked kernel after each step: the user's constraint, and the mask.

    Optimizers of `KEEP_ZEROS`, and classes with `keeps_zeros = True`, leave inactive weights at zero, so no mask is
    applied: it costs 10% of a step of a large perceptron on two cores (docs/performance.md). The name scope that Keras
    opens around a step tells which optimizer calls.
    """

    def __init__(self, kernel: MaskedVariable, constraint: Any):
        self._kernel = kernel
        self._constraint = constraint

    def __call__(self, kernel: Any) -> Any:
        optimizer = _optimizer_in_step()
        keeps_zeros = _keeps_zeros(optimizer)
        if not keeps_zeros:
            _check_optimizer(optimizer, self._kernel)
        if self._constraint is None and keeps_zeros and kernel is self._kernel:
            return kernel
        values = kernel if self._constraint is None else self._constraint(kernel)
        if self._kernel._can_read_mask():
            if kernel is self._kernel and optimizer is not None:  # the optimizer assigns them, and `assign` masks
                return kernel.value if values is kernel else values
            return apply_mask(ops.convert_to_tensor(values), self._kernel.mask)
        # The mask cannot be read. Inactive weights are zero under an optimizer that keeps zeros, so all zeros stay.
        before = ops.convert_to_tensor(kernel)
        return ops.where(before == 0, before, values)


def _keeps_zeros(optimizer: keras.optimizers.Optimizer | None) -> bool:
    """Returns whether an optimizer leaves zeros at zero: as its class declares, or as a class of `KEEP_ZEROS`."""
    kind = type(optimizer)
    declared = vars(kind).get("keeps_zeros")  # not inherited: a subclass may move zeros
    if declared is not None:
        return bool(declared)
    # On PyTorch Keras makes an optimizer of a subclass of its own.
    kinds = kind.__mro__ if kind.__module__.startswith("keras.src.backend.torch.") else (kind,)
    return not KEEP_ZEROS.isdisjoint(kinds)


def _check_optimizer(optimizer: keras.optimizers.Optimizer | None, kernel: MaskedVariable) -> None:
    """Raises ValueError for an optimizer that cannot train a masked kernel, even if each step applies the mask."""
    why = None
    if _BACKEND == "jax" and optimizer is not None:
        why = "moves inactive weights, whose mask a step on JAX cannot read"
    if isinstance(optimizer, keras.optimizers.Adafactor):
        why = "divides by products of means over rows and columns, which are zero where a mask leaves both empty"
    elif getattr(optimizer, "use_ema", False):
        why = "moves inactive weights, which its averages (`use_ema`) would keep"
    if why is not None:
        raise ValueError(
            f"`optimizer` must be able to train masked kernels such as {kernel.path!r}; received "
            f"{type(optimizer).__name__}, which {why}. Choose another, such as "
            f"{', '.join(sorted(each.__name__ for each in KEEP_ZEROS))}."
        )


def _optimizer_in_step() -> keras.optimizers.Optimizer | None:
    """Returns the optimizer whose step runs now, or None outside of a step."""
    scopes = global_state.get_global_attribute("name_scope_stack", default=[])
    callers = (scope.caller for scope in reversed(scopes))
    return next((caller for caller in callers if isinstance(caller, keras.optimizers.Optimizer)), None)


def _lost(value: Any, masked: Any) -> bool:
    """Returns whether masking has changed assigned values; False in traces and steps, where values are unknown."""
    concrete = not is_in_jax_tracing_scope(value) if _BACKEND == "jax" else hasattr(value, "numpy")
    if not concrete or in_stateless_scope() or _optimizer_in_step() is not None:
        return False
    return not np.array_equal(ops.convert_to_numpy(value), ops.convert_to_numpy(masked))
