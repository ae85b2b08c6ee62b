"""Flags that every launcher has: its help by the parts of a spec, and command lines kept in files."""
