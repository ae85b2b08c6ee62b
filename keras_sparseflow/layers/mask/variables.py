"""The two variables of a masked kernel: the kernel itself, which reads as the effective one, and its mask."""

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
    if hasattr(keras.optimizers, name)  # older versions of Keras lack the last one
)
"""Optimizers, exactly these classes, under which a weight of zero stays at zero as long as its gradient is zero."""


class MaskVariable(keras.Variable):
    """A boolean mask; True is active. Whatever assigns it, the kernel's inactive weights become zero with it."""

    kernel: "MaskedVariable"
    changes: int = 0
    """How often it was assigned."""

    def assign(self, value: Any) -> Any:
        """Replaces the mask.

        Args:
            value: of the kernel's shape, boolean or of zeros and ones.

        Raises:
            ValueError: another shape, or another value in it, as the mean of two masks has.
        """
        if not ops.is_tensor(value) or keras.backend.standardize_dtype(value.dtype) != "bool":
            value = check_mask(ops.convert_to_numpy(value), self.shape)
        assigned = super().assign(value)
        self.changes += 1
        self.kernel.follow_mask()
        return assigned


class MaskedVariable(keras.Variable):
    """A kernel with a mask: zero where the mask is False, and operations that read it give no gradient there.

    Stored values are zero where inactive at any time, so the effective kernel has the values of the stored one,
    and only the gradient has to be masked (see `DenseGradients`). What TensorFlow reads goes through
    `__tf_tensor__`, while `value` is the variable that optimizers write; JAX reads `value`, and PyTorch gives
    gradients to a parameter, which masks them by a hook.

    Attributes:
        mask: its `MaskVariable`.
        dense_gradients: the switch that lets the gradient of inactive weights through.
    """

    mask: MaskVariable
    dense_gradients: DenseGradients
    _unmasked: Any = None

    def assign(self, value: Any) -> Any:
        """Assigns values, of which those of inactive weights become zero."""
        if value is self:  # what `_KeepMask` returns where nothing had to be done
            return self
        value = self._convert_to_tensor(value, dtype=self._dtype)
        if tuple(value.shape) != tuple(self.shape):
            return super().assign(value)  # which says so
        if not self._can_read_mask():
            return super().assign(value)
        masked = apply_mask(value, self.mask)
        # `set_weights` and the like assign the mask that belongs to these values after them.
        self._unmasked = value if _lost(value, masked) else None
        return super().assign(masked)

    def follow_mask(self) -> None:
        """Sets inactive weights to zero; those that the last assignment lost to an older mask come back."""
        value = super().value if self._unmasked is None else self._unmasked
        super().assign(apply_mask(ops.convert_to_tensor(value), self.mask))
        self._unmasked = None

    def forget_unmasked(self) -> None:
        """Lets weights that become active from now on start at zero."""
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
        """Masks what PyTorch adds up in the parameter, which a layer built in a symbolic call gets after that call."""
        if _BACKEND == "torch":
            parameter = self._value
            trainable = parameter.requires_grad
            parameter.requires_grad_()  # else PyTorch refuses a hook; a frozen kernel may be trained later
            parameter.register_hook(lambda gradient: self.dense_gradients.masked(gradient, self.mask))
            parameter.requires_grad_(trainable)

    def _can_read_mask(self) -> bool:
        """Returns whether the mask has a value now.

        On JAX a step of an optimizer is a function of what it trains and keeps, which masks are not among; and while
        `fit` runs, variables have no values outside of its steps.
        """
        if _BACKEND != "jax":
            return True
        scope = get_stateless_scope()
        in_scope = scope is not None and scope.get_current_value(self.mask) is not None
        return _optimizer_in_step() is None and (in_scope or self.mask._value is not None)

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        return self.dense_gradients.effective(super().__tf_tensor__(dtype, name), self.mask)


def _through_mask(name: str) -> Any:
    """Returns an operator of Keras' variables that acts on the effective kernel, where theirs acts on `value`."""
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


class _OfEffectiveKernel(keras.regularizers.Regularizer):
    """A regularizer of the effective kernel, where Keras passes the stored values: within a stateless scope."""

    def __init__(self, kernel: MaskedVariable, regularizer: Any):
        self._kernel = kernel
        self._regularizer = regularizer

    def __call__(self, values: Any) -> Any:
        return self._regularizer(
            self._kernel.dense_gradients.effective(ops.convert_to_tensor(values), self._kernel.mask)
        )


class _KeepMask(keras.constraints.Constraint):
    """What an optimizer applies to a masked kernel after each step: the constraint asked for, and the mask.

    Under Keras' optimizers of `KEEP_ZEROS`, and any whose class says `keeps_zeros = True`, inactive weights stay at
    zero by themselves, so nothing is done: to mask the kernel costs 10% of a step of a large perceptron on two cores
    (docs/performance.md). Which optimizer calls is read from the name scope that Keras opens around a step.
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
            if kernel is self._kernel and optimizer is not None:  # which assigns them to the kernel: it masks them then
                return kernel.value if values is kernel else values
            return apply_mask(ops.convert_to_tensor(values), self._kernel.mask)
        # All that is known of the mask: under an optimizer that keeps zeros, inactive weights are zero.
        before = ops.convert_to_tensor(kernel)
        return ops.where(before == 0, before, values)


def _keeps_zeros(optimizer: keras.optimizers.Optimizer | None) -> bool:
    """Returns whether an optimizer's class says so itself, or is of `KEEP_ZEROS`, or Keras' form of one on PyTorch."""
    kind = type(optimizer)
    declared = vars(kind).get("keeps_zeros")  # not inherited: a subclass may add what moves zeros
    if declared is not None:
        return bool(declared)
    kinds = kind.__mro__ if kind.__module__.startswith("keras.src.backend.torch.") else (kind,)
    return not KEEP_ZEROS.isdisjoint(kinds)


def _check_optimizer(optimizer: keras.optimizers.Optimizer | None, kernel: MaskedVariable) -> None:
    """Raises ValueError for an optimizer that cannot train a masked kernel, even with the mask applied to each step."""
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
    """Returns the optimizer that does a step now, or None outside of a step."""
    scopes = global_state.get_global_attribute("name_scope_stack", default=[])
    callers = (scope.caller for scope in reversed(scopes))
    return next((caller for caller in callers if isinstance(caller, keras.optimizers.Optimizer)), None)


def _lost(value: Any, masked: Any) -> bool:
    """Returns whether masking has changed values that somebody assigned; a traced function can't know, nor ask."""
    concrete = not is_in_jax_tracing_scope(value) if _BACKEND == "jax" else hasattr(value, "numpy")
    if not concrete or in_stateless_scope() or _optimizer_in_step() is not None:
        return False
    return not np.array_equal(ops.convert_to_numpy(value), ops.convert_to_numpy(masked))
