"""The CPU: what archspec says of this machine's, or of another node's captured /proc/cpuinfo.

Three steps: `parse_cpuinfo` reads a capture, `running_cpu` asks archspec about this machine, and both
end in a `Cpu`, from which `archs_of` decides, purely, which archs of a ladder the CPU can run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import CpuinfoError, reason_of
from wheelhouse_resolver.site.ladder import archs_below
from wheelhouse_resolver.site.microarchitectures import archspec_identity
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.filesystem import open_regular

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch

#: The keys of /proc/cpuinfo that say what a CPU is; all others (frequencies, core numbers) vary.
_IDENTIFYING = frozenset(
    (
        *("vendor_id", "model name", "flags", "Features", "CPU implementer", "CPU part", "cpu", "uarch"),
        *("isa", "ISA", "Model Name", "cpu model"),
    )
)

#: The generation of a POWER; kernels write POWER10 and Power11.
_POWER = re.compile(r"power(\d*)", re.IGNORECASE)

#: Of `_compatible_targets`: another number for other answers, which are remembered between releases.
_RULES = 3

#: Features that are named where a CPU lacks them; the rest is counted.
_MOST_NAMED = 5

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
    nearest:  the microarchitecture that it comes closest to, where archspec knows no more than its level
              (x86_64_v4, ...); else empty.
    lacks:    the features that it lacks to be that one.
    """

    family: str
    vendor: str
    model: str
    features: frozenset[str]
    targets: frozenset[str]
    nearest: str = ""
    lacks: tuple[str, ...] = ()

    @property
    def almost(self) -> str:
        """Which microarchitecture it almost is, as a clause; empty where archspec names what it is."""
        named, more = self.lacks[:_MOST_NAMED], len(self.lacks) - _MOST_NAMED
        lacks = ", ".join(named) + (f" and {more} more" if more > 0 else "")
        return f"almost {self.nearest}, but lacks {lacks}" if self.nearest else ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from wheelhouse_resolver.utils.serialise import to_plain

        found: dict[str, Any] = to_plain(self)
        return found


def archs_of(cpu: Cpu, ladder: Sequence[Arch]) -> tuple[str, ...]:
    """The archs of *ladder* that *cpu* can run, low to high.

    With each it must run all those below it (`archs_below`), as every CPU does that no hypervisor hides from.
    """
    runs = {arch.name for arch in ladder if not _missing(cpu, arch)}
    below = archs_below(tuple(ladder))
    return tuple(arch.name for arch in ladder if runs.issuperset((arch.name, *below[arch.name])))


def missing_for(cpu: Cpu, arch: Arch, ladder: Sequence[Arch] = ()) -> str:
    """What *cpu* lacks to run *arch*, as a clause (`the CPU lacks fma`); empty when it lacks nothing.

    ladder: whose archs below *arch* it must run, too.
    """
    below = archs_below(tuple(ladder))[arch.name] if ladder else ()
    needed = (arch, *(each for each in ladder if each.name in below))
    return next(filter(None, (_missing(cpu, each) for each in needed)), "")


def _missing(cpu: Cpu, arch: Arch) -> str:
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
    if "CPU implementer" in lines:  # LoongArch has a line `Features`, too; and a 32-bit Arm both
        return "arm" if "thumb" in lines.get("Features", "").split() else "aarch64"
    if _POWER.match(lines.get("cpu", "")):
        return "ppc64le"
    if "uarch" in lines or lines.get("isa", "").startswith("rv"):
        return "riscv64"
    if "loongarch64" in lines.get("ISA", "").split():
        return "loongarch64"
    return "mips64" if "mips64" in lines.get("isa", "") else "unknown"


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
    names = (lines.get(key) for key in ("model name", "cpu", "Model Name", "cpu model"))
    return Cpu(
        family=answer["family"],
        vendor=answer["vendor"],
        model=next(filter(None, names), answer["vendor"]),
        features=frozenset(answer["features"]),
        targets=frozenset(answer["targets"]),
        nearest=answer["nearest"],
        lacks=tuple(answer["lacks"]),
    )


def _ask_about_this_machine(family: str, lines: Mapping[str, str]) -> dict[str, Any]:
    import warnings

    from archspec.cpu import detect

    if family.startswith("ppc64"):  # archspec 0.2.7 does not read "Power11"
        return _ask_about_lines(family, lines)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sandbox without /proc: the answer is then its family alone
        return _compatible_targets(family, [detect.detected_info()])


def _ask_about_lines(family: str, lines: Mapping[str, str]) -> dict[str, Any]:
    """What archspec would read from these lines on that machine: its own reader takes no other file."""
    from archspec.cpu.detect import partial_uarch
    from archspec.cpu.schema import TARGETS_JSON

    from wheelhouse_resolver.site.cpu_requirements import RISCV_NAMES

    infos = [partial_uarch(vendor="generic")]
    if family == "x86_64":
        flags = set(lines["flags"].split())
        infos = [partial_uarch(vendor=lines.get("vendor_id", "generic"), features=flags)]
    elif family == "aarch64":
        code = lines.get("CPU implementer", "generic")
        vendor = TARGETS_JSON["conversions"]["arm_vendors"].get(code, code)
        flags = set(lines.get("Features", "").split())
        infos = [partial_uarch("", vendor, flags, cpu_part=lines.get("CPU part", ""))]
    elif family.startswith("ppc64"):
        found = _POWER.match(lines.get("cpu", ""))
        generation = int(found.group(1) or 0) if found else 0
        infos = [partial_uarch(vendor="generic", generation=generation)]
    elif family == "riscv64":
        names = [lines[key] for key in ("uarch", "model name") if key in lines]
        infos += [partial_uarch(RISCV_NAMES.get(name, name), "generic") for name in names]
    return _compatible_targets(family, infos)


def _compatible_targets(family: str, infos: Sequence[Any]) -> dict[str, Any]:
    """Everything that archspec says of such a CPU, by its own compatibility checks.

    infos: what was read of it: archspec's partial microarchitectures, all of which count.
    """
    from archspec.cpu import TARGETS, Microarchitecture

    from wheelhouse_resolver.site.cpu_requirements import KERNEL_NAMES, other_parts

    vendor, generation = infos[0].vendor, infos[0].generation
    features = {*infos[0].features}
    features |= {KERNEL_NAMES[flag] for flag in features if flag in KERNEL_NAMES}
    seen = [Microarchitecture(i.name, [], vendor, features, {}, generation) for i in infos]
    might = [target for target in TARGETS.values() if infos[0].cpu_part not in other_parts(target)]
    able = [target for target in might if any(_is_compatible(family, info, target) for info in seen)]
    targets = {family, *(str(each) for target in able for each in (target, *target.ancestors))}
    nearest = _nearest(infos[0], features, able)
    parents = [TARGETS[family]] if family in TARGETS else []
    whole = Microarchitecture("", parents, vendor, features, {}, generation)
    features |= {alias for alias in Microarchitecture.feature_aliases if alias in whole}
    return {
        "family": family,
        "vendor": vendor,
        "features": sorted(features),
        "targets": sorted(targets & TARGETS.keys()),
        "nearest": nearest.name if nearest else "",
        "lacks": sorted(nearest.features - features) if nearest else [],
    }


def _nearest(info: Any, features: set[str], able: Sequence[Any]) -> Any:
    """The microarchitecture that a CPU almost is, which archspec takes for no more than a level; or None.

    able: those that it is. As in `archspec.cpu.host`, one that is not above the best level does not count.
    """
    from archspec.cpu import TARGETS

    levels = [target for target in able if target.vendor == "generic"]
    best = max(levels, key=lambda target: len(target.ancestors), default=None)
    if best is None or any(target > best for target in able):
        return None
    own = [target for target in TARGETS.values() if target.vendor == info.vendor and target > best]
    own = [target for target in own if target.cpu_part and target.cpu_part == info.cpu_part] or own
    return min(own, key=lambda each: (len(each.features - features), -len(each.features)), default=None)


def _is_compatible(family: str, info: Any, target: Any) -> bool:
    from archspec.cpu.detect import COMPATIBILITY_CHECKS

    if family.startswith("ppc64"):  # archspec's check asks for the family of the machine that it runs on
        return str(target.family) == family and target.generation <= info.generation
    return family in COMPATIBILITY_CHECKS and bool(COMPATIBILITY_CHECKS[family](info, target))
