"""What /proc/cpuinfo must show of a CPU for each arch of a ladder: archspec's decision, as a table.

For languages without an archspec, and to compare archs with each other. `host.cpu` asks archspec itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch

#: Linux calls SSE3 by the code name it had before release ("Prescott New Instructions").
KERNEL_NAMES = {"pni": "sse3"}

#: What kernels call CPUs that archspec has another name for (archspec 0.2.5 knows the same).
RISCV_NAMES = {"sifive,u74-mc": "u74mc", "spacemit,x60": "x60", "Spacemit(R) X60": "x60"}

#: The families of which a capture can tell more than the name.
CAPTURED_FAMILIES = ("x86_64", "aarch64", "ppc64le", "riscv64")


@lru_cache(maxsize=512)
def other_parts(target: Any) -> tuple[str, ...]:
    """The Arm parts of which a CPU is not *target*, whatever its features: those of models that need no more.

    So a Neoverse N2 is not a V2, although archspec knows the same features of both.
    """
    from archspec.cpu import TARGETS

    others = [t for t in TARGETS.values() if t.vendor == target.vendor and target.cpu_part != t.cpu_part]
    return tuple(
        sorted(t.cpu_part for t in others if t.cpu_part and t.features <= target.features and not t >= target)
    )


class CpuRequirement(NamedTuple):
    """What /proc/cpuinfo must show of a CPU, all of it, in the kernel's words.

    family:      the CPU family.
    vendors:     values of `vendor_id` or `CPU implementer`, one of which it must have; empty: any.
    flags:       of each group the CPU must have one flag; the first one is archspec's name for all.
    generation:  the POWER generation that it must reach; 0: any.
    names:       values of `uarch` or `model name`, one of which it must have; empty: any.
    other_parts: values of `CPU part` that it must not have.
    """

    family: str
    vendors: tuple[str, ...] = ()
    flags: tuple[tuple[str, ...], ...] = ()
    generation: int = 0
    names: tuple[str, ...] = ()
    other_parts: tuple[str, ...] = ()


def requirements_for(arch: Arch) -> tuple[CpuRequirement, ...]:
    """What /proc/cpuinfo must show for a CPU to run *arch*: any one of these.

    The same decision as `host.cpu.archs_of`.
    """
    from archspec.cpu import TARGETS

    if arch.target is None:
        flags = {
            family: [_synonyms(feature, family) for feature in arch.features]
            for family in ((arch.family,) if arch.family else CAPTURED_FAMILIES)
        }
        return tuple(CpuRequirement(each, flags=tuple(filter(None, flags[each]))) for each in flags)
    wanted = TARGETS[arch.target]
    found: list[CpuRequirement] = []
    # A CPU is also at least all ancestors of what it is; what needs more than another is left out.
    for target in [wanted, *(t for t in TARGETS.values() if wanted in t.ancestors)]:
        needed = _requirement(target)
        if needed is not None and not any(_implies(needed, known) for known in found):
            found.append(needed)
    return tuple(found)


def _requirement(target: Any) -> CpuRequirement | None:
    """What /proc/cpuinfo shows of *target* itself; None if nothing."""
    from archspec.cpu.schema import TARGETS_JSON

    family = str(target.family)
    root, generic = target.name == family, target.vendor == "generic"
    if family.startswith("ppc64"):
        return CpuRequirement(family, generation=target.generation)
    if family in ("x86_64", "aarch64"):
        if family == "aarch64" and generic and not root:
            return None  # archspec: how to detect a version of the architecture is not clear
        codes = TARGETS_JSON["conversions"]["arm_vendors"] if family == "aarch64" else {}
        vendors = (target.vendor, *(code for code, name in codes.items() if name == target.vendor))
        # Here archspec wants each feature by its own name: its aliases count in `Arch.features` only.
        flags = tuple((feature, *_kernel_names(feature)) for feature in sorted(target.features))
        return CpuRequirement(
            family, () if generic else vendors, flags, other_parts=() if root else other_parts(target)
        )
    own = (target.name, *(name for name, meant in RISCV_NAMES.items() if meant == target.name))
    return CpuRequirement(family, names=() if root else own)


def _implies(needed: CpuRequirement, known: CpuRequirement) -> bool:
    """Whether a CPU with all that is *needed* has what is *known* to be enough, too."""
    return (
        (not known.vendors or (set(needed.vendors) <= {*known.vendors} and bool(needed.vendors)))
        and set(known.flags) <= set(needed.flags)
        and known.generation <= needed.generation
        and (not known.names or (bool(needed.names) and set(needed.names) <= set(known.names)))
        and set(known.other_parts) <= set(needed.other_parts)
    )


def _kernel_names(feature: str) -> tuple[str, ...]:
    return tuple(own for own, name in KERNEL_NAMES.items() if name == feature)


@lru_cache(maxsize=256)
def _synonyms(feature: str, family: str) -> tuple[str, ...]:
    """The kernel's flags that stand for archspec's *feature*, that first; none if all CPUs have it."""
    from archspec.cpu import TARGETS, Microarchitecture

    bare = Microarchitecture("", [TARGETS[family]] if family in TARGETS else [], "", set(), {})
    if feature in bare:
        return ()
    # archspec keeps its aliases to itself: ask it about a CPU with each single feature.
    words = sorted({word for target in TARGETS.values() for word in target.features})
    having = [w for w in words if feature in Microarchitecture("", [], "", {w}, {})]
    kernel = [own for word in [feature, *having] for own in _kernel_names(word)]
    return (feature, *sorted({*having, *kernel} - {feature}))
