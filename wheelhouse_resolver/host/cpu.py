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
from wheelhouse_resolver.utils.filesystem import open_regular

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch

#: The keys of /proc/cpuinfo that say what a CPU is; all others (frequencies, core numbers) vary.
_IDENTIFYING = frozenset(
    ("vendor_id", "model name", "flags", "Features", "CPU implementer", "CPU part", "cpu", "uarch", "isa")
)

#: Linux calls SSE3 by the code name it had before release ("Prescott New Instructions").
_KERNEL_NAMES = {"pni": "sse3"}

#: What kernels call CPUs that archspec has another name for (archspec 0.2.5 knows the same).
_RISCV_NAMES = {"sifive,u74-mc": "u74mc", "spacemit,x60": "x60", "Spacemit(R) X60": "x60"}

#: Of `_compatible_targets`: another number for other answers, which are remembered between releases.
_RULES = 2

#: More than any kernel writes for one processor; the rest of the file repeats it.
_FIRST_PROCESSOR = 1 << 16


#: Where the kernel describes this machine's CPU.
CPUINFO = "/proc/cpuinfo"


class Cpu(NamedTuple):
    """A CPU in archspec's words.

    family:   `x86_64`, `aarch64`, `ppc64le`, ...; `unknown` when a capture doesn't say.
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
        from wheelhouse_resolver.utils.serialise import to_plain

        found: dict[str, Any] = to_plain(self)
        return found


def archs_of(cpu: Cpu, ladder: Sequence[Arch]) -> tuple[str, ...]:
    """The archs of *ladder* that *cpu* can run, low to high."""
    return tuple(arch.name for arch in ladder if not missing_for(cpu, arch))


def missing_for(cpu: Cpu, arch: Arch) -> str:
    """What *cpu* lacks to run *arch*, as a clause (`the CPU lacks fma`); empty when it lacks nothing."""
    if arch.target is not None and arch.target not in cpu.targets:
        return f"the CPU is not at least {arch.target}"
    missing = [feature for feature in arch.features if feature not in cpu.features]
    if missing or (arch.family is not None and arch.family != cpu.family):
        return f"the CPU lacks {', '.join(missing) or arch.family}"
    return ""


def parse_cpuinfo(text: str) -> dict[str, str]:
    """The lines that identify the CPU, of the first processor in the text of a /proc/cpuinfo.

    Lines of a trailing, processor-less block (`platform`, `machine` on POWER) are not among them.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon and found:
            break
        if key.strip() in _IDENTIFYING:
            found[key.strip()] = value.strip()
    return found


def _family_of(lines: Mapping[str, str]) -> str:
    """The CPU family, by the keys of a capture; each kernel port has its own."""
    if "flags" in lines:
        return "x86_64"
    if "Features" in lines or "CPU implementer" in lines:
        return "aarch64"
    if "POWER" in lines.get("cpu", ""):
        return "ppc64le"
    if "isa" in lines or "uarch" in lines:
        return "riscv64"
    return "unknown"


#: What `_family_of` returns.
_CAPTURED_FAMILIES = ("x86_64", "aarch64", "ppc64le", "riscv64")


def captured_cpu(path: str) -> Cpu:
    """The CPU of another node, from a copy of its /proc/cpuinfo.

    Raises `CpuinfoError` when the file cannot be read or is none.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_FIRST_PROCESSOR)
    except OSError as error:
        raise CpuinfoError(path, f"cannot be read: {reason_of(error)}") from error
    if b"\0" in content:
        raise CpuinfoError(path, "is a binary file, not a copy of /proc/cpuinfo")
    lines = parse_cpuinfo(content.decode("utf-8", "replace"))
    if not lines:
        problem = "is empty" if not content.strip() else "has no line that says what the CPU is"
        raise CpuinfoError(path, problem).with_hint("copy it on the node: cat /proc/cpuinfo > FILE")
    return _cpu(_family_of(lines), lines, _ask_about_lines)


def running_cpu() -> Cpu:
    """The CPU of this machine, as archspec detects it."""
    lines: dict[str, str] = {}
    try:
        with open(CPUINFO, "rb") as file:
            lines = parse_cpuinfo(file.read(_FIRST_PROCESSOR).decode("utf-8", "replace"))
    except OSError:  # not Linux, or a sandbox: archspec has other ways, and nothing is remembered
        pass
    return _cpu(os.uname().machine, lines, _ask_about_this_machine)


def _cpu(family: str, lines: Mapping[str, str], ask: Any) -> Cpu:
    """The CPU that *ask* knows by these *lines*; remembered if there are any."""
    key = [_RULES, ask.__name__, family, dict(sorted(lines.items())), archspec_identity()]
    answer = cache.get("cpu", key, lambda: ask(family, lines)) if lines else ask(family, lines)
    return Cpu(
        family=answer["family"],
        vendor=answer["vendor"],
        model=lines.get("model name") or lines.get("cpu") or answer["vendor"],
        features=frozenset(answer["features"]),
        targets=frozenset(answer["targets"]),
    )


def _ask_about_this_machine(family: str, _lines: Mapping[str, str]) -> dict[str, Any]:
    import warnings

    from archspec.cpu import detect

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sandbox without /proc: the answer is then its family alone
        return _compatible_targets(family, [detect.detected_info()])


def _ask_about_lines(family: str, lines: Mapping[str, str]) -> dict[str, Any]:
    """What archspec would read from these lines on that machine: its own reader takes no other file."""
    from archspec.cpu.detect import partial_uarch
    from archspec.cpu.schema import TARGETS_JSON

    infos = [partial_uarch(vendor="generic")]
    if family == "x86_64":
        flags = set(lines["flags"].split())
        infos = [partial_uarch(vendor=lines.get("vendor_id", "generic"), features=flags)]
    elif family == "aarch64":
        code = lines.get("CPU implementer", "generic")
        vendor = TARGETS_JSON["conversions"]["arm_vendors"].get(code, code)
        flags = set(lines.get("Features", "").split())
        infos = [partial_uarch("", vendor, flags, cpu_part=lines.get("CPU part", ""))]
    elif family == "ppc64le":
        digits = lines["cpu"].partition("POWER")[2]
        generation = digits[: len(digits) - len(digits.lstrip("0123456789"))]
        infos = [partial_uarch(vendor="generic", generation=int(generation or 0))]
    elif family == "riscv64":
        names = [lines[key] for key in ("uarch", "model name") if key in lines]
        infos += [partial_uarch(_RISCV_NAMES.get(name, name), "generic") for name in names]
    return _compatible_targets(family, infos)


def _compatible_targets(family: str, infos: Sequence[Any]) -> dict[str, Any]:
    """Everything that archspec says of such a CPU, by its own compatibility checks.

    infos: what was read of it: archspec's partial microarchitectures, all of which count.
    """
    from archspec.cpu import TARGETS, Microarchitecture

    vendor, generation = infos[0].vendor, infos[0].generation
    features = {*infos[0].features}
    features |= {_KERNEL_NAMES[flag] for flag in features if flag in _KERNEL_NAMES}
    seen = [Microarchitecture(i.name, [], vendor, features, {}, generation) for i in infos]
    targets = {family} & TARGETS.keys()
    for target in TARGETS.values():
        if infos[0].cpu_part in _other_parts(target):
            continue
        if any(_is_compatible(family, info, target) for info in seen):
            targets |= {target.name, *(str(ancestor) for ancestor in target.ancestors)}
    parents = [TARGETS[family]] if family in TARGETS else []
    whole = Microarchitecture("", parents, vendor, features, {}, generation)
    features |= {alias for alias in Microarchitecture.feature_aliases if alias in whole}
    return {"family": family, "vendor": vendor, "features": sorted(features), "targets": sorted(targets)}


def _is_compatible(family: str, info: Any, target: Any) -> bool:
    from archspec.cpu.detect import COMPATIBILITY_CHECKS

    if family.startswith("ppc64"):  # archspec's check asks for the family of the machine that it runs on
        return str(target.family) == family and target.generation <= info.generation
    return family in COMPATIBILITY_CHECKS and bool(COMPATIBILITY_CHECKS[family](info, target))


@lru_cache(maxsize=512)
def _other_parts(target: Any) -> tuple[str, ...]:
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
    flags:       of each group the CPU must have one flag.
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

    The same decision as `archs_of`, as a table, for languages without an archspec.
    """
    from archspec.cpu import TARGETS

    if arch.target is None:
        flags = {
            family: [_synonyms(feature, family) for feature in arch.features]
            for family in ((arch.family,) if arch.family else _CAPTURED_FAMILIES)
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
            family, () if generic else vendors, flags, other_parts=() if root else _other_parts(target)
        )
    own = (target.name, *(name for name, meant in _RISCV_NAMES.items() if meant == target.name))
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
