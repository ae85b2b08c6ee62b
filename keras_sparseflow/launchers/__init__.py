"""The launchers: flags of the command line, and one call each of what stands below.

Each is a script of a checkout, `python launchers/scsdc.py`, and a command where the package is installed,
`sparseflow-scsdc`.
"""
