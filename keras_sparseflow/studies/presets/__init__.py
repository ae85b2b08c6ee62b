"""Presets: studies by name, most of them of a table or a figure of a paper."""
