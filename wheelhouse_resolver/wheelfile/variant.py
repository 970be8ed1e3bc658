"""What a wheel variant says of itself: for which x86-64 level it is (PEP 825 and PEP 850, both drafts).

`variantlib` writes it, the reference implementation of the drafts. The provider, which finds the level of a
CPU, is the one that uv has built in.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import MissingExtraError

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch

#: The file in the `.dist-info` of a wheel variant.
VARIANT_FILE = "variant.json"

#: archspec's names of the levels that the provider tells apart, the lowest first -> its own.
LEVELS = {"x86_64": "v1", "x86_64_v2": "v2", "x86_64_v3": "v3", "x86_64_v4": "v4"}

#: The namespace of x86-64 CPUs, and the one name by which uv (0.13.9) knows the provider for it.
_NAMESPACE, _PROVIDER = "x86_64", "x86-64-variant-provider"

#: The format that is written, which uv knows by this name: the draft of PEP 850 of October 2026.
SCHEMA = "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json"


@lru_cache(maxsize=64)
def level_for(arch: Arch) -> str | None:
    """The lowest x86-64 level of which every CPU runs *arch*, as archspec names it; None if there is none.

    `avx512` of the built-in ladder is x86_64_v4, and `avx` is in x86_64_v3; no level has all of `haswell`.
    """
    from archspec.cpu import TARGETS

    for name in LEVELS:
        level = TARGETS[name]
        if arch.target is None and arch.family == "x86_64" and all(each in level for each in arch.features):
            return name
        if arch.target is not None and level >= TARGETS[arch.target]:
            return name
    return None


@lru_cache(maxsize=16)
def metadata(levels: tuple[str, ...]) -> str:
    """The JSON that says what labels mean: that of one of *levels* in a wheel, those of all beside them.

    A level's label is archspec's name of it. Raises `MissingExtraError`.
    """
    try:
        from variantlib.models.variant import VariantDescription, VariantProperty
        from variantlib.models.variant_info import ProviderInfo, VariantInfo
        from variantlib.variants_json import VariantsJson
    except ImportError as error:
        raise MissingExtraError("writing wheel variants", "variantlib", "variants") from error
    found = VariantsJson(VariantInfo([_NAMESPACE], {_NAMESPACE: ProviderInfo(requires=[_PROVIDER])}))
    for level in levels:
        wanted = VariantProperty(_NAMESPACE, "level", LEVELS[level])
        found.variants[level] = VariantDescription([wanted], label=level)
    # The library has another name for the same format, which uv reports as unknown.
    return json.dumps({**json.loads(found.to_str()), "$schema": SCHEMA}, indent=2, sort_keys=True) + "\n"
