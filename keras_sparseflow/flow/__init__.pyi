# Written by `make api`: what __init__.py names, for type checkers.
from keras_sparseflow.flow import measure_table as measure_table
from keras_sparseflow.flow import measures as measures
from keras_sparseflow.flow import schedule as schedule
from keras_sparseflow.flow import tensors as tensors
from keras_sparseflow.flow.measure_table import DEFAULT_MEASURES as DEFAULT_MEASURES
from keras_sparseflow.flow.measure_table import MEASURES as MEASURES
from keras_sparseflow.flow.measures import FlowMeasure as FlowMeasure
from keras_sparseflow.flow.measures import NormMeasure as NormMeasure
from keras_sparseflow.flow.measures import egf as egf
from keras_sparseflow.flow.measures import grad_norm as grad_norm
from keras_sparseflow.flow.measures import layer_values as layer_values
from keras_sparseflow.flow.schedule import measured_epochs as measured_epochs
from keras_sparseflow.flow.tensors import flow_kernels as flow_kernels
