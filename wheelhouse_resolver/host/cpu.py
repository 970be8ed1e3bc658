"""The CPU: what archspec says of this machine's, or of another node's captured /proc/cpuinfo.

Three steps: `parse_cpuinfo` reads a capture, `running_cpu` asks archspec about this machine, and both
end in a `Cpu`, from which `archs_of` decides, purely, which archs of a ladder the CPU can run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import CpuinfoError, reason_of
from wheelhouse_resolver.site.microarchitectures import archspec_identity
from wheelhouse_resolver.utils import cache

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch

__all__ = ["Cpu", "Way", "archs_of", "captured_cpu", "parse_cpuinfo", "running_cpu", "ways_to", "why_not"]

#: The keys of /proc/cpuinfo that say what a CPU is; all others (frequencies, core numbers) vary.
_TELLING = frozenset(
    {
        "vendor_id",
        "model name",
        "flags",
        "Features",
        "CPU implementer",
        "CPU part",
        "cpu",
        "uarch",
        "isa",
    }
)

#: Linux calls SSE3 by the code name it had before release ("Prescott New Instructions").
_KERNEL_NAMES = {"pni": "sse3"}

#: More than any kernel writes for one processor; the rest of the file repeats it.
_FIRST_PROCESSOR = 1 << 16


class Cpu(NamedTuple):
    """A CPU in archspec's words.

    family:   `x86_64`, `aarch64`, `ppc64le`, ...; `unknown` when a capture doesn't tell.
    vendor:   as archspec names it (`GenuineIntel`, `ARM`, ...); `generic` when unknown.
    model:    as the kernel names it, for people.
    features: archspec's feature names, aliases included.
    targets:  every archspec microarchitecture that this CPU is at least.
    """

    family: str
    vendor: str
    model: str
    features: frozenset[str]
    targets: frozenset[str]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "family": self.family,
            "vendor": self.vendor,
            "model": self.model,
            "features": sorted(self.features),
            "targets": sorted(self.targets),
        }


def archs_of(cpu: Cpu, ladder: Sequence[Arch]) -> tuple[str, ...]:
    """The archs of *ladder* that *cpu* can run, low to high."""
    return tuple(arch.name for arch in ladder if not why_not(cpu, arch))


def why_not(cpu: Cpu, arch: Arch) -> str:
    """Why *cpu* cannot run *arch*, in words; empty when it can."""
    if arch.target is not None and arch.target not in cpu.targets:
        return f"the CPU is not at least {arch.target}"
    missing = [feature for feature in arch.features if feature not in cpu.features]
    if missing or (arch.family is not None and arch.family != cpu.family):
        return f"the CPU lacks {', '.join(missing) or arch.family}"
    return ""


def parse_cpuinfo(text: str) -> dict[str, str]:
    """The telling lines of the first processor in the text of a /proc/cpuinfo.

    Lines of a trailing, processor-less block (`platform`, `machine` on POWER) are not among them.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon and found:
            break
        if key.strip() in _TELLING:
            found[key.strip()] = value.strip()
    return found


def _family_of(lines: Mapping[str, str]) -> str:
    """The CPU family that a capture's keys give away; each kernel port has its own."""
    if "flags" in lines:
        return "x86_64"
    if "Features" in lines or "CPU implementer" in lines:
        return "aarch64"
    if "POWER" in lines.get("cpu", ""):
        return "ppc64le"
    if "isa" in lines or "uarch" in lines:
        return "riscv64"
    return "unknown"


#: What `_family_of` can tell.
_CAPTURED_FAMILIES = ("x86_64", "aarch64", "ppc64le", "riscv64")


def captured_cpu(path: str) -> Cpu:
    """The CPU of another node, from a copy of its /proc/cpuinfo.

    Raises `CpuinfoError` when the file cannot be read or is none.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_FIRST_PROCESSOR)
    except OSError as error:
        raise CpuinfoError(path, f"cannot be read: {reason_of(error)}") from error
    if b"\0" in content:
        raise CpuinfoError(path, "is a binary file, not a copy of /proc/cpuinfo")
    lines = parse_cpuinfo(content.decode("utf-8", "replace"))
    if not lines:
        problem = "is empty" if not content.strip() else "has no line that says what the CPU is"
        raise CpuinfoError(path, f"{problem}; copy it on the node: cat /proc/cpuinfo > FILE")
    return _cpu(_remembered(_family_of(lines), lines, _ask_about_lines), lines)


def running_cpu() -> Cpu:
    """The CPU of this machine, as archspec detects it."""
    lines: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", "rb") as file:
            lines = parse_cpuinfo(file.read(_FIRST_PROCESSOR).decode("utf-8", "replace"))
    except OSError:  # not Linux, or a sandbox: archspec has other ways, and nothing is remembered
        pass
    family = os.uname().machine
    if not lines:
        return _cpu(_ask_about_this_machine(family, lines), lines)
    return _cpu(_remembered(family, lines, _ask_about_this_machine), lines)


def _cpu(answer: Mapping[str, Any], lines: Mapping[str, str]) -> Cpu:
    return Cpu(
        family=answer["family"],
        vendor=answer["vendor"],
        model=lines.get("model name") or lines.get("cpu") or answer["vendor"],
        features=frozenset(answer["features"]),
        targets=frozenset(answer["targets"]),
    )


def _remembered(family: str, lines: Mapping[str, str], ask: Any) -> Any:
    key = [ask.__name__, family, dict(sorted(lines.items())), archspec_identity()]
    return cache.get("cpu", key, lambda: ask(family, lines))


def _ask_about_this_machine(family: str, _lines: Mapping[str, str]) -> dict[str, Any]:
    import warnings

    from archspec.cpu import detect

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sandbox without /proc: the answer is then its family alone
        info = detect.detected_info()
    named = (info.name,) if info.name else ()
    return _told(family, info.vendor, info.features, info.generation, named)


def _ask_about_lines(family: str, lines: Mapping[str, str]) -> dict[str, Any]:
    """What archspec would read from these lines on that machine."""
    from archspec.cpu.schema import TARGETS_JSON

    if family == "x86_64":
        flags = set(lines["flags"].split())
        return _told(family, lines.get("vendor_id", "generic"), flags)
    if family == "aarch64":
        code = lines.get("CPU implementer", "generic")
        vendor = TARGETS_JSON["conversions"]["arm_vendors"].get(code, code)
        return _told(family, vendor, set(lines.get("Features", "").split()))
    if family == "ppc64le":
        digits = lines["cpu"].partition("POWER")[2]
        generation = digits[: len(digits) - len(digits.lstrip("0123456789"))]
        return _told(family, "generic", set(), int(generation or 0))
    return _told(family, "generic", set(), 0, (lines.get("uarch", family),))


def _told(
    family: str,
    vendor: str,
    flags: set[str],
    generation: int = 0,
    named: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Everything that archspec's data says of such a CPU.

    The rules are those of archspec's own detection: x86 and Arm by vendor and features, POWER by
    generation, the others by name; and a CPU is also at least all ancestors of what it is.
    """
    from archspec.cpu import TARGETS, Microarchitecture

    features = {*flags, *(_KERNEL_NAMES[flag] for flag in flags if flag in _KERNEL_NAMES)}
    by_features = family in ("x86_64", "aarch64")
    targets: set[str] = set()
    for target in TARGETS.values():
        if str(target.family) != family:
            continue
        if by_features and (target.vendor not in (vendor, "generic") or not target.features <= features):
            continue
        # archspec cannot tell an Arm generation (armv8.2a) from features: only as an ancestor of a model.
        if family == "aarch64" and target.vendor == "generic" and target.name != family:
            continue
        if family.startswith("ppc64") and target.generation > generation:
            continue
        if not by_features and not family.startswith("ppc64") and target.name not in (family, *named):
            continue
        targets |= {target.name, *(str(ancestor) for ancestor in target.ancestors)}
    whole = Microarchitecture("", [], vendor, set(features), {}, generation)
    whole.parents = [TARGETS[family]] if family in TARGETS else []
    features |= {alias for alias in Microarchitecture.feature_aliases if alias in whole}
    return {
        "family": family,
        "vendor": vendor,
        "features": sorted(features),
        "targets": sorted(targets),
    }


class Way(NamedTuple):
    """One way for a CPU to have an arch, in the words of /proc/cpuinfo; all of it must hold.

    family:     the CPU family.
    vendors:    values of `vendor_id` or `CPU implementer`, one of which it must have; empty: any.
    flags:      of each group the CPU must have one flag.
    generation: the POWER generation that it must reach; 0: any.
    names:      values of `uarch`, one of which it must have; empty: any.
    """

    family: str
    vendors: tuple[str, ...] = ()
    flags: tuple[tuple[str, ...], ...] = ()
    generation: int = 0
    names: tuple[str, ...] = ()


def ways_to(arch: Arch) -> tuple[Way, ...]:
    """What /proc/cpuinfo must show for a CPU to have *arch*: any one of these ways.

    The same decision as `archs_of`, as a table, for languages in which there is no archspec.
    """
    from archspec.cpu import TARGETS

    if arch.target is None:
        families = (arch.family,) if arch.family else _CAPTURED_FAMILIES
        return tuple(
            Way(family, flags=tuple(filter(None, (_synonyms(feature, family) for feature in arch.features))))
            for family in families
        )
    wanted = TARGETS[arch.target]
    ways: list[Way] = []
    # A CPU is also at least all ancestors of what it is; of the ways, those that need more are idle.
    for target in [wanted, *(t for t in TARGETS.values() if wanted in t.ancestors)]:
        way = _way_to(target)
        if way is not None and not any(_implied(way, known) for known in ways):
            ways.append(way)
    return tuple(ways)


def _way_to(target: Any) -> Way | None:
    """How /proc/cpuinfo shows a CPU to be *target* itself; None when it never does."""
    from archspec.cpu.schema import TARGETS_JSON

    family = str(target.family)
    if family in ("x86_64", "aarch64"):
        generic = target.vendor == "generic"
        if family == "aarch64" and generic and target.name != family:
            return None  # see `_told`
        vendors = (target.vendor,)
        if family == "aarch64":
            codes = TARGETS_JSON["conversions"]["arm_vendors"]
            vendors = (target.vendor, *(code for code, name in codes.items() if name == target.vendor))
        # Here archspec wants each feature by its own name: its aliases count in `Arch.features` only.
        flags = tuple((feature, *_kernel_names(feature)) for feature in sorted(target.features))
        return Way(family, () if generic else vendors, flags)
    if family.startswith("ppc64"):
        return Way(family, generation=target.generation)
    return Way(family, names=() if target.name == family else (target.name,))


def _implied(way: Way, known: Way) -> bool:
    """Whether a CPU that goes *way* goes the *known* one too."""
    return (
        (not known.vendors or (set(way.vendors) <= {*known.vendors} and bool(way.vendors)))
        and set(known.flags) <= set(way.flags)
        and known.generation <= way.generation
        and (not known.names or (bool(way.names) and set(way.names) <= set(known.names)))
    )


def _kernel_names(feature: str) -> tuple[str, ...]:
    return tuple(own for own, name in _KERNEL_NAMES.items() if name == feature)


@lru_cache(maxsize=256)
def _synonyms(feature: str, family: str) -> tuple[str, ...]:
    """The kernel's flags that stand for archspec's *feature*; none if every CPU of the family has it."""
    from archspec.cpu import TARGETS, Microarchitecture

    bare = Microarchitecture("", [TARGETS[family]] if family in TARGETS else [], "", set(), {})
    if feature in bare:
        return ()
    # archspec keeps its aliases to itself: ask it about a CPU with each single feature.
    words = sorted({word for target in TARGETS.values() for word in target.features})
    having = [w for w in words if feature in Microarchitecture("", [], "", {w}, {})]
    kernel = [own for word in [feature, *having] for own in _kernel_names(word)]
    return tuple(sorted({feature, *having, *kernel}))
