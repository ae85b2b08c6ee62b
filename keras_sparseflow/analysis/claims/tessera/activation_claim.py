"""The claim on Swish and PReLU."""

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER
from keras_sparseflow.analysis.claims.claim import Claim, Half
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, EGF, SPARSE_AND_DENSE, Comparison, Sides, values
from keras_sparseflow.analysis.claims.tessera.setting import ADAPTIVE, AT_BOTH_RATES, PAPER


def _against_relu(name: str) -> Sides:
    return values("activation", name, "relu", free=("activation_options",))


def _favours_sparse(name: str, shown: str) -> Half:
    return Half(
        f"with {shown} sparse networks win",
        Comparison(
            SPARSE_AND_DENSE, ACCURACY, HIGHER, where=lambda runs: runs["activation"] == name, by=("optimizer",)
        ),
        f"pair of a sparse and a dense network of equal capacity with {shown}",
    )


SOFT_ACTIVATIONS = Claim(
    PAPER,
    "Swish has a low EGF and is the most accurate activation with adaptive methods, PReLU with SGD; both favour sparse "
    "networks.",
    "4.1.3, tables 3c, 6b, figures 3, 20, 22",
    (
        Half(
            "Swish has a lower EGF than ReLU",
            Comparison(_against_relu("swish"), EGF, LOWER),
            "run with Swish beside one with ReLU, with a measured EGF",
        ),
        Half(
            "Swish is more accurate than ReLU under Adagrad, Adam and RMSprop",
            Comparison(_against_relu("swish"), ACCURACY, HIGHER, ADAPTIVE),
            "run with Swish beside one with ReLU, under Adagrad, Adam or RMSprop",
        ),
        Half(
            "PReLU is more accurate than ReLU under SGD, with and without momentum",
            Comparison(_against_relu("prelu"), ACCURACY, HIGHER, ("sgd", "momentum")),
            "run with PReLU beside one with ReLU, under SGD or momentum",
        ),
        _favours_sparse("swish", "Swish"),
        _favours_sparse("prelu", "PReLU"),
    ),
    AT_BOTH_RATES,
)
