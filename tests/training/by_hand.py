"""Gradients of a small network written out by hand in NumPy: no automatic differentiation anywhere."""

import numpy as np


def gradients(x, labels, kernels, gammas=None, betas=None, moving=None, l2=0.0, epsilon=1e-3):
    """Returns dL/dkernel of ReLU layers with softmax cross-entropy; BatchNorm before ReLU if gammas are given.

    Kernels are effective (zeros where inactive). `moving` holds (mean, variance) pairs for BatchNorm
    in inference mode; without it the batch's own statistics are used.
    """
    count, hidden = len(x), len(kernels) - 1
    layer_input, saved = x, []
    for i in range(hidden):
        z = layer_input @ kernels[i]
        if gammas is None:
            normal = scale = None
            y = z
        else:
            mean, variance = (z.mean(0), z.var(0)) if moving is None else moving[i]
            scale = 1 / np.sqrt(variance + epsilon)
            normal = (z - mean) * scale
            y = gammas[i] * normal + betas[i]
        saved.append((layer_input, y, normal, scale))
        layer_input = np.maximum(y, 0)
    logits = layer_input @ kernels[-1]
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    delta = shifted / shifted.sum(1, keepdims=True)
    delta[np.arange(count), labels] -= 1
    delta /= count
    result = [layer_input.T @ delta]
    for i in reversed(range(hidden)):
        layer_input, y, normal, scale = saved[i]
        delta = (delta @ kernels[i + 1].T) * (y > 0)
        if gammas is not None:
            delta = delta * gammas[i] * scale
            if moving is None:
                delta = delta - delta.mean(0) - normal * (delta * normal).mean(0)
        result.insert(0, layer_input.T @ delta)
    return [g + l2 * k for g, k in zip(result, kernels, strict=True)]


def flow(kernel_gradients, masks):
    """Returns every measure of the network and of each layer: `{(measure, layer index or "total"): value}`."""
    values = {}
    for p in (1, 2):
        raw = [(np.abs(g) ** p).sum() ** (1 / p) for g in kernel_gradients]
        effective = [(np.abs(g[m]) ** p).sum() ** (1 / p) for g, m in zip(kernel_gradients, masks, strict=True)]
        everything = np.concatenate([g.ravel() for g in kernel_gradients])
        values[f"grad_norm_{p}", "total"] = (np.abs(everything) ** p).sum() ** (1 / p)
        values[f"egf_{p}", "total"] = sum(effective) / len(effective)
        for i in range(len(raw)):
            values[f"grad_norm_{p}", i] = raw[i]
            values[f"egf_{p}", i] = effective[i]
    return values
