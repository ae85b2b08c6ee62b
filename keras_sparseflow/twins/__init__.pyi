# Written by `make api`: what __init__.py names, for type checkers.
from keras_sparseflow.twins import conversion as conversion
from keras_sparseflow.twins import export as export
from keras_sparseflow.twins import ghosts as ghosts
from keras_sparseflow.twins import summary as summary
from keras_sparseflow.twins.conversion import sparsify as sparsify
from keras_sparseflow.twins.conversion import strip_masks as strip_masks
from keras_sparseflow.twins.export import load_compressed as load_compressed
from keras_sparseflow.twins.export import save_compressed as save_compressed
from keras_sparseflow.twins.ghosts import ghostify as ghostify
from keras_sparseflow.twins.ghosts import strip_ghosts as strip_ghosts
from keras_sparseflow.twins.summary import KernelSummary as KernelSummary
from keras_sparseflow.twins.summary import SparsitySummary as SparsitySummary
from keras_sparseflow.twins.summary import sparsity_summary as sparsity_summary
