"""Claims of docs/deploy.md: files of other runtimes, their sizes, and outputs that are the network's own."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from suites.deploy.networks import network

pytest.importorskip("ai_edge_litert", reason="LiteRT, of the extra `deploy`, needs Python 3.11 or later.")

DEFAULT, SPARSE = tf.lite.Optimize.DEFAULT, tf.lite.Optimize.EXPERIMENTAL_SPARSITY


@pytest.fixture(scope="module", params=["mlp", "cnn"])
def deployed(request, tmp_path_factory):
    """A network, inputs, their outputs, and the folder of its SavedModel."""
    model, images = network(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    model.export(folder / "served", verbose=False)
    return model, images, model.predict(images, verbose=0), folder


def converted(folder, optimizations=(), types=()):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "served"))
    converter.optimizations = list(optimizations)
    if types:
        converter.target_spec.supported_types = list(types)
    return converter.convert()


def outputs(content, images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(source["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(target["index"])


def away(found, expected):
    """Returns the largest difference of outputs as a share of the largest output."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_a_saved_model_serves_in_a_process_without_this_package(deployed):
    _, images, expected, folder = deployed
    np.save(folder / "images.npy", images)
    np.save(folder / "expected.npy", expected)
    program = (
        "import sys, numpy as np, tensorflow as tf\n"
        "served = tf.saved_model.load('served')\n"
        "found = served.serve(tf.constant(np.load('images.npy')))\n"
        "np.testing.assert_allclose(found, np.load('expected.npy'), atol=1e-5)\n"
        "assert 'keras_sparseflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_litert_computes_the_same_from_a_dense_and_from_a_sparse_encoded_file(deployed):
    model, images, expected, folder = deployed
    dense, sparse = converted(folder), converted(folder, [SPARSE])
    assert away(outputs(dense, images), expected) < 1e-5
    assert away(outputs(sparse, images), expected) < 1e-5
    assert len(dense) > 0.99 * 4 * model.count_params()
    assert len(sparse) < len(dense) / 4, "a tenth of the weights, and where they stand"


def test_litert_in_half_precision_and_in_integers_is_half_and_a_quarter_as_large(deployed):
    _, images, expected, folder = deployed
    dense = converted(folder)
    half, integers = converted(folder, [DEFAULT], [tf.float16]), converted(folder, [DEFAULT])
    assert len(half) == pytest.approx(len(dense) / 2, rel=0.05)
    assert len(integers) == pytest.approx(len(dense) / 4, rel=0.1)
    assert away(outputs(half, images), expected) < 2e-3
    assert away(outputs(integers, images), expected) < 5e-2


def test_litert_refuses_a_file_that_is_sparse_and_quantized(deployed):
    _, images, _, folder = deployed
    with pytest.raises(RuntimeError, match="failed to prepare"):
        outputs(converted(folder, [SPARSE, DEFAULT]), images)


@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # of Keras' export
def test_onnx_computes_the_same(deployed):
    import onnxruntime

    model, images, expected, folder = deployed
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    assert away(found, expected) < 1e-5
    assert (folder / "model.onnx").stat().st_size > 0.99 * 4 * model.count_params()


def test_zeros_are_small_in_a_compressed_archive(deployed, tmp_path):
    """The zeros of a `.keras` file are stored, as Keras does not compress; any archiver drops them."""
    model, _, _, _ = deployed
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "small.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "model.keras", "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    assert (tmp_path / "small.zip").stat().st_size < (tmp_path / "model.keras").stat().st_size / 3
