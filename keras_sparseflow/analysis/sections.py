"""Sections of reports that can be named."""

from keras_sparseflow.plugins import Table

SECTIONS = Table("report section", "keras_sparseflow.report_section", {})
