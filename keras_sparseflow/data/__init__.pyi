# Written by `make api`: what __init__.py names, for type checkers.
from keras_sparseflow.data import augmentation as augmentation
from keras_sparseflow.data import batches as batches
from keras_sparseflow.data import datasets as datasets
from keras_sparseflow.data import images as images
from keras_sparseflow.data import known as known
from keras_sparseflow.data.augmentation import augment as augment
from keras_sparseflow.data.batches import batch_indices as batch_indices
from keras_sparseflow.data.batches import ordered_batches as ordered_batches
from keras_sparseflow.data.batches import steps_per_epoch as steps_per_epoch
from keras_sparseflow.data.batches import training_batches as training_batches
from keras_sparseflow.data.datasets import DATASETS as DATASETS
from keras_sparseflow.data.datasets import data_size as data_size
from keras_sparseflow.data.datasets import describe as describe
from keras_sparseflow.data.datasets import load_images as load_images
from keras_sparseflow.data.images import ImageArrays as ImageArrays
from keras_sparseflow.data.images import ImageData as ImageData
from keras_sparseflow.data.known import DataSize as DataSize
