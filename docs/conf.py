"""Sphinx configuration."""

from importlib.metadata import version as _version

import wheelhouse_resolver

project = "wheelhouse-resolver"
author = "the wheelhouse-resolver authors"
copyright = author
release = version = _version("wheelhouse-resolver")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx_argparse_cli",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

# Every command has --root, --config, ...: the command must be part of a link's name.
sphinx_argparse_cli_prefix_document = True

html_theme = "alabaster"
html_theme_options = {
    "description": "The right wheel from an HPC site's wheelhouse, with stock pip",
    "fixed_sidebar": True,
}

# The package imports its public names on first use; autodoc lists only those that are there.
for _name in wheelhouse_resolver.__all__:
    setattr(wheelhouse_resolver, _name, getattr(wheelhouse_resolver, _name))
