"""The claim on data augmentation, which is another one at each learning rate."""

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER
from keras_sparseflow.analysis.claims.claim import Claim, Condition, Half
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, EGF, Comparison, part
from keras_sparseflow.analysis.claims.tessera.setting import EWMA, NON_EWMA, PAPER, PERCEPTRONS, rate

_WITH = part("DA", has=("BN",))
_BESIDE = "run with augmentation and BatchNorm beside one with BatchNorm alone"

# The sign of an effect depends on the learning rate here, so that a study of another one cannot test it.
_LOW, _HIGH = rate(0.001, strict=True), rate(0.1, strict=True)

_PADDING = Condition("padding of an eighth of the images' side", "odd_padding", lambda padding: not padding)

AUGMENTATION = Claim(
    PAPER,
    "Augmentation without BatchNorm is poor under Adam and RMSprop. With BatchNorm it helps all optimizers at 0.001; "
    "at 0.1 it raises EGF under all of them, and lowers the accuracy of Adam and RMSprop alone.",
    "4.1.2, figures 2a, 2c, 2d",
    (
        Half(
            "at 0.001, without BatchNorm, augmentation lowers accuracy under Adam and RMSprop",
            Comparison(part("DA", lacks=("BN",)), ACCURACY, LOWER, EWMA),
            "run with augmentation beside one without it, both without BatchNorm, under Adam or RMSprop",
            (_LOW,),
        ),
        Half("at 0.001, with BatchNorm, it raises accuracy", Comparison(_WITH, ACCURACY, HIGHER), _BESIDE, (_LOW,)),
        Half("at 0.1, with BatchNorm, it raises EGF", Comparison(_WITH, EGF, HIGHER), _BESIDE, (_HIGH,)),
        Half(
            "at 0.1, with BatchNorm, it lowers accuracy under Adam and RMSprop",
            Comparison(_WITH, ACCURACY, LOWER, EWMA),
            f"{_BESIDE}, under Adam or RMSprop",
            (_HIGH,),
        ),
        Half(
            "at 0.1, with BatchNorm, it raises accuracy under Adagrad, SGD and momentum",
            Comparison(_WITH, ACCURACY, HIGHER, NON_EWMA),
            f"{_BESIDE}, under Adagrad, SGD or momentum",
            (_HIGH,),
        ),
    ),
    (*PERCEPTRONS, _PADDING),
)
