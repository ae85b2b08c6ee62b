"""Sections of a report's page, one file each, and the table that lists them."""
