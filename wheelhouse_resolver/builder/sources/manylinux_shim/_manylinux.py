"""Says nothing of manylinux wheels (PEP 600), so that pip takes those that the C library can run.

This directory is first on PYTHONPATH while pip looks for wheels of the index: the target Python may have a
module of this name that refuses all of them, for its users' sake; what is fetched gets other tags then.
"""
