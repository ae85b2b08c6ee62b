"""Parts of variants and tweaks with hooks: what they do to the network, its loss and its training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.run.varying import part_callbacks
from keras_sparseflow.studies.spec.combined import PARTS, TWEAKS, Part
from tests.backend import untraced
from tests.plugins.packages import registered
from tests.studies.executing import plan, train


class Steps(keras.callbacks.Callback):
    """Counts the steps of all trainings."""

    count = 0

    def on_train_batch_end(self, batch, logs=None):
        Steps.count += 1


def quartic(kernel):
    return 0.25 * ops.sum(kernel**4)


@pytest.fixture(autouse=True)
def _parts(monkeypatch):
    registered(
        monkeypatch,
        PARTS,
        P=Part(help="sum of fourth powers", penalty=quartic),
        C=Part(help="counts", callbacks=lambda spec, steps: [Steps()]),
        N=Part(help="notes", prepare=lambda model, spec: setattr(model, "noted", (spec, model.compiled))),
        W=Part(help="one more weight", prepare=lambda model, spec: model.add_weight(shape=(), name="more")),
        Z="json:dumps",
    )


def test_built_in_parts_have_no_hooks(spec):
    everything = "_".join(PARTS.builtins)
    assert spec(variant=everything, hidden_layers=3).training.hooked_parts == {}
    assert all(not TWEAKS.get(name).changes_training for name in TWEAKS.builtins)
    assert list(spec(variant="BN_P_C").training.hooked_parts) == ["variant part 'C'", "variant part 'P'"]


def test_a_penalty_is_added_to_the_loss_of_each_kernel_beside_l2(data, spec):
    model = build_network(spec(variant="L2_P", l2=0.01), data)
    kernels = [np.array(kernel.variable.numpy()) for kernel in flow_kernels(model)]
    expected = sum(0.005 * np.sum(k**2) + 0.25 * np.sum(k**4) for k in kernels)
    plain = build_network(spec(variant="L2", l2=0.01), data)
    assert np.isclose(float(sum(plain.losses)), sum(0.005 * np.sum(k**2) for k in kernels), rtol=1e-5)
    assert np.isclose(float(sum(model.losses)), expected, rtol=1e-5)


def test_a_penalty_moves_active_weights_alone_and_is_no_part_of_the_data_s_gradient(data, spec):
    penalised, plain = (build_network(spec(variant=variant), data) for variant in ("P", "NR"))
    batch = (data.train_images[:16], data.train_labels[:16])
    kernels = flow_kernels(penalised)
    (_, total), (_, of_data) = (penalised.gradient_step(batch, kernels, cost) for cost in ("total", "data"))
    _, expected = plain.gradient_step(batch, flow_kernels(plain))
    for kernel, with_penalty, without, alone in zip(kernels, total, of_data, expected, strict=True):
        weights = kernel.variable.numpy()
        np.testing.assert_allclose(without, alone, atol=1e-6)
        np.testing.assert_allclose(with_penalty - alone, weights**3, atol=1e-6)
        assert not np.any((with_penalty - alone)[~kernel.mask.numpy()])
    assert isinstance(total[0], tf.Tensor)


def test_prepare_changes_the_network_and_leaves_its_variables(data, spec):
    assert build_network(spec(variant="N"), data).noted == (spec(variant="N"), False)
    with pytest.raises(
        RuntimeError, match="variant part 'W' must leave the network's variables as they are; it changed mlp_2_20/more"
    ):
        build_network(spec(variant="W"), data)


def test_what_is_no_part_is_refused(spec):
    with pytest.raises(ValueError, match=r"variant 'Z' .* is broken: expected a Part; received function"):
        _ = spec(variant="Z").training.hooked_parts


def test_callbacks_are_made_of_the_spec_and_all_steps(monkeypatch, data, spec):
    seen = []
    registered(monkeypatch, PARTS, S=Part(help="s", callbacks=lambda *given: seen.append(given) or []))
    part_callbacks(spec(variant="S"), data)
    assert seen == [(spec(variant="S"), 3 * 2)]


def test_networks_with_hooks_are_trained_one_after_the_other(data, spec, tmp_path):
    specs = [spec(variant="C", width=width, flow_epochs=0, epochs=1) for width in (20, 21)] + [spec()]
    planned = plan("auto", specs, tmp_path, data)
    assert list(planned.alone) == specs[:2] and list(planned.populations[0].specs) == specs[2:]
    with pytest.raises(ValueError, match="Networks with variant part 'C' cannot be trained as a population"):
        plan("population", specs, tmp_path, data)
    Steps.count = 0
    with untraced():
        said = train("auto", specs[1:2], tmp_path, data)
    assert "Networks with variant part 'C' are trained one after the other: what it does" in said
    assert Steps.count == 2 and RunFolder(tmp_path, specs[1].run_id).finished


def test_tweaks_have_hooks_too(monkeypatch, data, spec):
    registered(monkeypatch, TWEAKS, P=Part(help="p", penalty=quartic))
    tweaked = spec(hidden_layers=2, tweaks="P_GSw")
    assert tweaked.training.tweaks == "GSw_P" and list(tweaked.training.hooked_parts) == ["tweak 'P'"]
    assert len(build_network(tweaked, data).losses) == 3, "one of each kernel, ghosts or not"
    assert not build_network(spec(hidden_layers=2), data).losses
