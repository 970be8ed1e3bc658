"""The commented site.toml that `init` writes."""

from __future__ import annotations

import json

_TEMPLATE = """\
# The site file of wheelhouse-resolver. All that is commented out shows the built-in values, or an example.
# It is found through --config, WHEELHOUSE_CONFIG, or as wheelhouse-resolver/site.toml in the user's or the
# machine's configuration directory (~/.config, /etc/xdg).

# The wheelhouse: the directory that holds generic/, nix/avx2/, ...
root = {root}

# The ladder: the CPU levels that directories are named after, low to high. `generic` is below them all.
# A level is a microarchitecture of archspec (x86_64_v3, zen4, neoverse_v1, power10le, ...) or a list of
# archspec's features.
# State the rank of a level of your own: a changed rank makes the stamps of published wheels stale.
#
# [[arch]]
# name = "sse3"
# features = ["sse3"]
# rank = 200
# [[arch]]
# name = "avx"
# features = ["avx"]
# rank = 300
# [[arch]]
# name = "avx2"
# target = "x86_64_v3"
# rank = 400
# [[arch]]
# name = "avx512"
# target = "x86_64_v4"
# rank = 500

# The layers, each with its directories, the levels it has directories for, and what gives it away:
# environment variables (all that are set must match) and patterns of the Python's ELF program interpreter or
# prefix.
# A layer called nix or gentoo that states neither is recognised as the built-in one is.
#
# [[layer]]
# name = "nix"
# [[layer]]
# name = "gentoo2023"
# directories = ["gentoo2023"]             # several: searched side by side, the first more specific
# archs = ["avx2", "avx512"]
# names = {{ avx2 = "x86-64-v3" }}           # what this layer calls its directories, where it differs
# env = {{ EBVERSIONGENTOO = "2023" }}
# interpreter = ["/cvmfs/*/gentoo/2023/*"]
# default = false                          # true: the layer of hosts on which nothing else is evident

# Which levels a host searches, where that is not its own and all lower ones.
#
# [search]
# avx512 = ["avx512", "avx2"]

# What goes into [global] of the pip configuration; [pip.install] goes into [install], and so on.
#
# [pip]
# constraint = ["/path/to/constraints.txt"]
# only-binary = ["numpy", "scipy"]
# disable-pip-version-check = true
"""


def site_template(root: str) -> str:
    """The text of a site file for a wheelhouse at *root*, with every other key commented out."""
    # Without control characters (`root` was checked), a JSON string is a TOML string.
    return _TEMPLATE.format(root=json.dumps(root, ensure_ascii=False))
