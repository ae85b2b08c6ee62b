"""The report of a study: its sections, tables and page."""
