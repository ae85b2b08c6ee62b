# Written by `make api`: what __init__.py names, for type checkers.
from keras_sparseflow.models import architectures as architectures
from keras_sparseflow.models import counted_network as counted_network
from keras_sparseflow.models import zoo as zoo
from keras_sparseflow.models.architectures import Architecture as Architecture
from keras_sparseflow.models.counted_network import Features as Features
from keras_sparseflow.models.counted_network import KernelUse as KernelUse
from keras_sparseflow.models.counted_network import Network as Network
from keras_sparseflow.models.zoo import mlp as mlp
from keras_sparseflow.models.zoo import mobilenet as mobilenet
from keras_sparseflow.models.zoo import resnet as resnet
from keras_sparseflow.models.zoo import vgg as vgg
from keras_sparseflow.models.zoo import wide_resnet as wide_resnet
