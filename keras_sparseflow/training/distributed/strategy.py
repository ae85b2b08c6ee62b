"""Strategies of `tf.distribute`, and what they need of networks and batches."""

import functools
import os
from collections.abc import Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

__all__ = ["mirrored", "synchronize_norms"]

Strategy: TypeAlias = tf.distribute.Strategy


def one_device(devices: int | None = None) -> Strategy:
    """Returns TensorFlow's default strategy: the whole batch on one device, a GPU where there is one.

    Args:
        devices: None or 1.

    Raises:
        ValueError: more devices.
    """
    if devices not in (None, 1):
        raise ValueError(
            f"`devices` must be 1 without a strategy; received {devices}. Give --strategy=mirrored to train each "
            "network on several."
        )
    return tf.distribute.get_strategy()


@functools.cache
def mirrored(devices: int | None = None) -> tf.distribute.MirroredStrategy:
    """Returns the strategy that keeps a copy of the network on each of several GPUs, and sums their gradients.

    Without a GPU the copies are on logical devices of the CPU, which serves as a trial but is no faster. TensorFlow
    divides a CPU when it starts, so this call must come before TensorFlow has done anything.

    Args:
        devices: number of devices, counted from the first; None for all GPUs, or one CPU device.

    Raises:
        ValueError: more devices than there are.

    Example:
        >>> mirrored(1).num_replicas_in_sync
        1
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU":
        _divide_cpu(devices or 1)
    there = tf.config.list_logical_devices(kind)
    if devices is not None and not 1 <= devices <= len(there):
        raise ValueError(
            f"`devices` must be in [1, {len(there)}], for the {kind}s here are {_named(there)}; received {devices}."
            + (" A CPU is divided only before TensorFlow has done anything." if kind == "CPU" else "")
        )
    return tf.distribute.MirroredStrategy([device.name for device in there[:devices]])


@functools.cache
def tpu(devices: int | None = None) -> tf.distribute.TPUStrategy:
    """Returns the strategy that keeps a copy of the network on every core of a TPU, and sums their gradients.

    The environment variable TPU_NAME names the TPU; without it, it is this machine's own.

    Args:
        devices: the number of its cores, as a check; None for no check.

    Raises:
        ValueError: another number than its cores.
        RuntimeError: no TPU.
    """
    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, OSError, tf.errors.OpError) as error:
        raise RuntimeError(
            f"No TPU {name!r} was found (this machine has {_named(tf.config.list_logical_devices())}); name another by "
            f"the environment variable TPU_NAME. {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error
    strategy = tf.distribute.TPUStrategy(resolver)
    if devices not in (None, strategy.num_replicas_in_sync):
        raise ValueError(
            f"`devices` must be {strategy.num_replicas_in_sync}, the cores of the TPU {name!r}, or left out; received "
            f"{devices}."
        )
    return strategy


def check_batch(batch_size: int, strategy: Strategy) -> None:
    """Raises ValueError for a batch that replicas can't share equally: its images would not count equally.

    Args:
        batch_size: images of the whole batch.
        strategy: the strategy whose replicas share it.

    Raises:
        ValueError: the replicas do not divide it.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(
            f"`batch_size` must be a multiple of {replicas}, the devices that share each batch; received {batch_size}."
        )


def compiles(jit: bool | None, strategy: Strategy) -> bool | None:
    """Returns whether XLA is to compile the steps under a strategy; None leaves it to Keras.

    Args:
        jit: the user's choice, None for none.
        strategy: XLA can't compile steps of several replicas, which are one program; a TPU's strategy compiles each
            replica's part itself.

    Raises:
        ValueError: `jit` is True under a strategy.
    """
    if not _distributes(strategy):
        return jit
    if jit:
        raise ValueError(
            f"`jit` must be false or auto under a strategy, {type(strategy).__name__}, whose replicas add their "
            "gradients within a step; received true."
        )
    return False


def evaluation_batch(count: int, most: int, strategy: Strategy) -> int:
    """Returns a batch size for evaluation with which every replica gets images in every batch.

    Keras refuses a first batch that replicas do not share equally, and convolutions refuse an empty share, which a
    replica may get of the last batch. With too few images for both, only the first is sure.

    Args:
        count: number of images.
        most: largest batch size.
        strategy: the strategy whose replicas share a batch.
    """
    replicas = strategy.num_replicas_in_sync

    def leaves_some(rest: int) -> bool:
        share = -(-rest // replicas)  # each replica's but the last one's, which gets the remainder
        return rest == 0 or (replicas - 1) * share < rest

    sizes = range(min(count, most) // replicas * replicas, 0, -replicas)
    return next((size for size in sizes if leaves_some(count % size)), replicas)


def synchronize_norms(model: keras.Model, strategy: Strategy) -> None:
    """Makes BatchNorm take mean and variance over the whole batch, not over each replica's share.

    Args:
        model: built, and not compiled yet; its BatchNorm layers are changed.
        strategy: the strategy of training; with TensorFlow's default one nothing is changed.

    Example:
        >>> with mirrored(1).scope():
        ...     model = keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization()])
        >>> synchronize_norms(model, mirrored(1))
        >>> model.layers[0].synchronized
        True
    """
    if not _distributes(strategy):
        return
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _distributes(strategy: Strategy) -> bool:
    with strategy.scope():
        return bool(tf.distribute.has_strategy())


def _divide_cpu(devices: int) -> None:
    """Divides the CPU into that many logical devices, if TensorFlow has not started yet."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    if devices <= len(tf.config.get_logical_device_configuration(cpu) or [cpu]):
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError:
        return  # TensorFlow has started: the caller counts the devices and raises the error


def _named(devices: Sequence[tf.config.LogicalDevice]) -> str:
    return ", ".join(device.name.removeprefix("/device:") for device in devices)
