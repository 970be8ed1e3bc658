"""Where wheels belong, by each kind of evidence, and that undecided is an answer."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builder.extensions import compiled, extension_wheel, gcc
from tests.factories import REAL_LAYOUT, make_wheel
from tests.requires import compiles
from wheelhouse_resolver.builder.classification.classify import (
    Classification,
    ClassifyError,
    classify,
    count_instructions,
    decide,
)
from wheelhouse_resolver.builder.classification.clues import Subject
from wheelhouse_resolver.builder.classification.glibc import layers_glibc
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.builder.records.upstream import WheelAdaptation
from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.layout import BUILTIN_LAYERS
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.elf import ElfFile

BUILTIN = Site.default("/sw")
#: Layers that only their evidence tells apart, one with names of its own for archs.
REAL = Site.parse(
    REAL_LAYOUT.replace('directories = ["gentoo2020", "gentoo"]', 'directories = ["gentoo2020", "gentoo"]\n'
                        'interpreter = ["/cvmfs/*/gentoo/2020/*"]')
    .replace('archs = ["avx2", "avx512"]', 'archs = ["avx2", "avx512"]\n'
             'interpreter = ["/cvmfs/*/gentoo/2023/*"]'),
    "site.toml",
    root="/sw",
)  # fmt: skip
GENTOO_ONLY = BUILTIN._replace(layers=BUILTIN_LAYERS[1:])
LINUX = frozenset({"linux_x86_64"})
MANYLINUX = frozenset({"manylinux_2_17_x86_64", "manylinux2014_x86_64"})


def record(layer: str | None = "gentoo", arch: str = "avx2") -> BuildRecord:
    return BuildRecord(
        project="demo", requirement="demo", python="3.11", arch=arch, layer=layer, result="built"
    )


def elf(path: str = "demo/x.so", **fields: Any) -> ElfFile:
    return ElfFile(path=path, dynamic=True, machine="x64-64", **fields)


def found(
    site: Site, *files: ElfFile, platforms: frozenset[str] = LINUX, built: BuildRecord | None = None
) -> Classification:
    return decide("demo.whl", Subject(site=site, files=files, platforms=platforms, record=built))


def label(classification: Classification) -> str | None:
    return classification.directory.label if classification.directory is not None else None


class TestDecided:
    def test_no_compiled_code_runs_anywhere(self) -> None:
        answer = found(BUILTIN, platforms=frozenset({"any"}))
        assert label(answer) == "generic"
        assert answer.reasons == ("it contains no compiled code: it runs anywhere",)

    def test_the_build_record_knows(self) -> None:
        answer = found(BUILTIN, elf(), built=record())
        assert label(answer) == "gentoo/avx2"
        assert answer.reasons == (
            "built for layer gentoo (build record)",
            "built for arch avx2 (build record)",
        )

    @pytest.mark.parametrize(
        ("bits", "path", "arch", "expected"),
        [
            (0, "", "generic", "gentoo/generic"),
            (1, "", "generic", "gentoo/generic"),
            (4, "", "generic", "gentoo/avx2"),
            (0, "/sw/gentoo/avx2/lib64/ld.so", "generic", "gentoo/avx2"),
            (0, "", "avx", "gentoo/avx"),
        ],
    )
    def test_a_wheel_of_an_index_runs_on_every_cpu_unless_it_says_otherwise(
        self, bits: int, path: str, arch: str, expected: str
    ) -> None:
        """It belongs to the layer in which it was tried out; an arch other than generic was stated."""
        fetched = replace(record(arch=arch), upstream=WheelAdaptation())
        for platforms in (LINUX, MANYLINUX):
            answer = found(
                BUILTIN, elf(isa_needed=bits, interpreter=path), platforms=platforms, built=fetched
            )
            assert label(answer) == expected
            assert answer.reasons[0] == "adapted and verified for layer gentoo (build record)"

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/cvmfs/soft.example.org/gentoo/2020/usr/lib64", "gentoo2020"),
            ("/cvmfs/soft.example.org/gentoo/2023/x86-64-v3/usr/lib64", "gentoo2023"),
        ],
    )
    @pytest.mark.parametrize("field", ["rpath", "runpath", "interpreter"])
    def test_the_layer_by_the_paths_that_its_files_name(self, field: str, path: str, expected: str) -> None:
        value: Any = path if field == "interpreter" else ("$ORIGIN/libs", path)
        answer = found(REAL, elf(**{field: value}), built=record(layer="unknown", arch="avx512"))
        assert label(answer) == f"{expected}/{'avx512' if expected == 'gentoo2020' else 'x86-64-v4'}"
        assert answer.reasons[0] == f"demo/x.so looks into {path}, of layer {expected}"

    @pytest.mark.parametrize(
        ("directory", "arch"), [("avx2", "avx2"), ("x86-64-v4", "avx512"), ("avx512", "avx512")]
    )
    def test_the_arch_by_a_directory_in_an_rpath(self, directory: str, arch: str) -> None:
        path = f"/cvmfs/soft/easybuild/{directory}/2023/lib"
        answer = found(REAL, elf(runpath=(path, "/cvmfs/soft/gentoo/2023/lib")))
        assert answer.directory is not None
        assert (answer.directory.layer, answer.directory.arch) == ("gentoo2023", arch)
        assert answer.reasons[1] == f"demo/x.so looks into {path}, named after {arch}"

    @pytest.mark.parametrize(
        ("bits", "arch"), [(1, "generic"), (2, "avx"), (3, "avx"), (4, "avx2"), (7, "avx2"), (8, "avx512")]
    )
    def test_the_arch_by_the_mark_of_the_linker(self, bits: int, arch: str) -> None:
        answer = found(GENTOO_ONLY, elf(isa_needed=bits))
        assert label(answer) == f"gentoo/{arch}"

    def test_the_highest_mark_counts(self) -> None:
        answer = found(GENTOO_ONLY, elf("a.so", isa_needed=2), elf("b.so", isa_needed=8), elf("c.so"))
        assert label(answer) == "gentoo/avx512"
        assert answer.reasons[1] == "b.so is marked to need x86-64-v4: avx512"

    def test_a_sites_only_layer_and_its_default_one(self) -> None:
        assert found(GENTOO_ONLY, elf(isa_needed=4)).reasons[0] == "the site's only layer is gentoo"
        nix, gentoo = BUILTIN_LAYERS
        site = BUILTIN._replace(layers=(nix, gentoo._replace(default=True)))
        assert found(site, elf(isa_needed=4)).reasons[0] == "the site's default layer is gentoo"

    def test_the_one_layer_with_a_c_library_that_is_new_enough(self) -> None:
        tables: Mapping[str, Any] = {"build": {"glibc": {"nix": "2.24", "gentoo": "2.37"}}}
        site = BUILTIN._replace(tables=tables)
        needing = elf(isa_needed=4, versions=(("libc.so.6", "GLIBC_2.2.5"), ("libc.so.6", "GLIBC_2.34")))
        answer = found(site, needing)
        assert label(answer) == "gentoo/avx2"
        assert answer.reasons[0] == "it needs glibc 2.34, which only layer gentoo has"
        assert label(found(site, elf(isa_needed=4, versions=(("libc.so.6", "GLIBC_2.17"),)))) is None

    @pytest.mark.parametrize(
        ("table", "word"),
        [
            ({"glibc": {"gento": "2.37"}}, "unknown layer 'gento': did you mean 'gentoo'?"),
            ({"glibc": {"gentoo": "new"}}, "[build.glibc] gentoo: invalid version 'new'"),
            ({"glibc": {"gentoo": 2.37}}, "[build.glibc] gentoo: must be a string"),
            ({"glibc": "2.37"}, "[build.glibc]: must be a table"),
        ],
    )
    def test_a_wrong_table_of_c_libraries(self, table: Mapping[str, Any], word: str) -> None:
        with pytest.raises(SiteFileError, match=re.escape(word)):
            found(BUILTIN._replace(tables={"build": table}), elf())

    @compiles
    def test_the_c_library_of_a_layer_is_read_from_it(self, tmp_path: Path) -> None:
        """Two layers of which one has a newer libc; both are small libraries that say so."""
        for name, version in (("2020", "2.30"), ("2023", "2.37")):
            older = "GLIBC_2.2.5 { global: old; local: *; };"
            (tmp_path / "map").write_text(f"{older} GLIBC_{version} {{ global: new; }} GLIBC_2.2.5;")
            compiled(
                tmp_path / f"cvmfs/x/gentoo/{name}/lib64/libc.so.6",
                "int old(void) { return 1; } int new(void) { return 2; }",
                "-nostdlib", "-Wl,-soname,libc.so.6", f"-Wl,--version-script={tmp_path / 'map'}",
            )  # fmt: skip
        layers = [
            layer._replace(interpreter=(f"{tmp_path}/cvmfs/*/gentoo/{year}/*",))
            for layer, year in zip(BUILTIN_LAYERS, ("2020", "2023"), strict=True)
        ]
        glibc = layers_glibc(layers, {})
        assert {name: str(version) for name, version in glibc.items()} == {"nix": "2.30", "gentoo": "2.37"}
        site = BUILTIN._replace(layers=tuple(layers))
        file = elf(isa_needed=4, versions=(("libc.so.6", "GLIBC_2.34"),))
        subject = Subject(site=site, files=[file], platforms=LINUX, glibc=glibc)
        assert label(decide("demo.whl", subject)) == "gentoo/avx2"
        variable = layers[0]._replace(interpreter=("$PLACE/*", "*/gentoo/*", "/nowhere/*"))
        place = {"PLACE": f"{tmp_path}/cvmfs/x/gentoo/2023"}
        assert [str(each) for each in layers_glibc([variable], place).values()] == ["2.37"]
        assert layers_glibc([variable], {}) == {}

    def test_a_layer_whose_c_library_is_too_old_is_a_doubt(self) -> None:
        site = GENTOO_ONLY._replace(tables={"build": {"glibc": {"gentoo": "2.30"}}})
        answer = found(site, elf(isa_needed=4, versions=(("libc.so.6", "GLIBC_2.34"),)))
        assert label(answer) == "gentoo/avx2"
        assert answer.warnings == ("it needs glibc 2.34, and layer gentoo has 2.30",)

    def test_the_more_specific_pattern_names_the_layer(self) -> None:
        """A site keeps several layers below each other; a path of one matches the patterns of both."""
        broad = BUILTIN_LAYERS[1]._replace(interpreter=("*/gentoo/*",))
        exact = broad._replace(name="exact", directories=("exact",), interpreter=("/cvmfs/*/gentoo/2023/*",))
        answer = found(BUILTIN._replace(layers=(broad, exact)), elf(rpath=("/cvmfs/x/gentoo/2023/avx2",)))
        assert (label(answer), answer.warnings) == ("exact/avx2", ())

    def test_a_variable_in_a_pattern(self) -> None:
        files = [elf(rpath=("/opt/prefix/lib/avx2",))]
        subject = Subject(site=BUILTIN, files=files, platforms=LINUX, environ={"EPREFIX": "/opt/prefix"})
        assert label(decide("demo.whl", subject)) == "gentoo/avx2"

    def test_an_arch_whose_directory_has_a_name_of_several_parts(self) -> None:
        layer = BUILTIN_LAYERS[1]._replace(names=(("avx2", "amd/zen2"), ("generic", "any")))
        site = BUILTIN._replace(layers=(layer,))
        assert label(found(site, elf(rpath=("/x/amd/zen2/lib", "/x/amd/any")))) == "gentoo/amd/zen2"
        assert label(found(site, elf(rpath=("/x/amd/lib/zen2",)))) is None

    def test_of_several_archs_in_rpaths_the_highest(self) -> None:
        files = elf("a.so", rpath=("/sw/avx/lib",)), elf("b.so", rpath=("/sw/avx512/lib", "/sw/avx2/lib"))
        answer = found(GENTOO_ONLY, *files)
        assert (label(answer), answer.warnings) == ("gentoo/avx512", ())
        assert answer.reasons[-1] == "b.so looks into /sw/avx512/lib, named after avx512"

    def test_a_default_layer_is_no_evidence_against_another(self) -> None:
        nix, gentoo = BUILTIN_LAYERS
        site = BUILTIN._replace(layers=(nix._replace(default=True), gentoo))
        answer = found(site, elf(isa_needed=4, rpath=("/cvmfs/x/gentoo/lib",)))
        assert (label(answer), answer.warnings) == ("gentoo/avx2", ())

    @pytest.mark.parametrize(("bits", "expected"), [(1, "generic"), (4, "avx2")])
    def test_a_site_whose_archs_stand_at_the_root(self, bits: int, expected: str) -> None:
        site = BUILTIN._replace(
            layers=(BUILTIN_LAYERS[0]._replace(name="own", directories=(".",), default=True),)
        )
        assert label(found(site, elf(isa_needed=bits))) == expected
        assert label(found(site, elf(isa_needed=bits), platforms=MANYLINUX)) == expected

    @pytest.mark.parametrize(("bits", "expected"), [(1, "generic"), (4, None)])
    def test_a_site_without_layers(self, bits: int, expected: str | None) -> None:
        answer = found(BUILTIN._replace(layers=()), elf(isa_needed=bits))
        assert label(answer) == expected
        assert answer.reasons[0] == "the site has no layers"

    def test_the_only_layer_with_that_arch(self) -> None:
        """A portable wheel for a CPU level: it needs no layer, but only a layer has such directories."""
        assert label(found(GENTOO_ONLY, elf(isa_needed=4), platforms=MANYLINUX)) == "gentoo/avx2"

    @pytest.mark.parametrize(
        ("platforms", "needed", "promise"),
        [
            (MANYLINUX, "2.17", None),
            (MANYLINUX, "2.34", "glibc 2.17"),
            (frozenset({"manylinux2010_x86_64"}), "2.17", "glibc 2.12"),
            (frozenset({"musllinux_1_2_x86_64"}), "2.17", "musl"),
            (frozenset({"musllinux_1_2_x86_64"}), None, None),
        ],
    )
    def test_platform_tags_are_believed_while_the_wheel_keeps_the_promise(
        self, platforms: frozenset[str], needed: str | None, promise: str | None
    ) -> None:
        versions = (("libc.so.6", f"GLIBC_{needed}"),) if needed else ()
        answer = found(BUILTIN, elf(versions=versions), platforms=platforms)
        assert label(answer) == (None if promise else "generic")
        broken = f"its platform tags promise {promise}, but it needs glibc {needed}"
        assert answer.warnings == ((broken,) if promise else ())

    def test_a_linux_tag_beside_a_manylinux_one_promises_nothing(self) -> None:
        assert found(BUILTIN, elf(), platforms=LINUX | MANYLINUX).directory is None

    def test_a_repaired_wheel_needs_no_layer(self) -> None:
        answer = found(BUILTIN, elf(), platforms=MANYLINUX)
        assert label(answer) == "generic"
        assert "promise that it needs no layer" in answer.reasons[0]


class TestUndecided:
    def test_nothing_is_known(self) -> None:
        answer = found(BUILTIN, elf())
        assert answer.directory is None
        assert answer.reasons == (
            "no evidence for a layer",
            "no evidence for an arch: no build record, no rpath, no mark of the linker",
        )
        assert answer.to_dict()["directory"] is None

    def test_one_library_without_a_mark_may_need_anything(self) -> None:
        assert found(GENTOO_ONLY, elf("a.so", isa_needed=1), elf("b.so")).directory is None

    def test_a_layer_without_that_arch(self) -> None:
        answer = found(REAL, elf(rpath=("/cvmfs/x/gentoo/2023/lib",)), built=record(layer="x", arch="avx"))
        assert answer.directory is None
        assert answer.reasons[-1] == "layer gentoo2023 has no directory for avx"

        assert answer.possible == ("gentoo2023/x86-64-v4", "gentoo2023/x86-64-v3", "gentoo2023/generic")

    def test_an_arch_without_a_layer(self) -> None:
        answer = found(BUILTIN, elf(isa_needed=4), platforms=MANYLINUX)
        assert answer.directory is None
        assert answer.reasons[-1] == "it needs no layer, and several have a directory for avx2"
        assert answer.possible == ("gentoo/avx2", "nix/avx2")

    def test_a_wheel_for_other_cpus_is_offered_no_arch_of_the_site(self) -> None:
        answer = found(BUILTIN, elf(), platforms=frozenset({"linux_aarch64"}))
        assert answer.directory is None
        assert answer.possible == ("gentoo/generic", "nix/generic", "generic")

    def test_only_archs_of_the_wheels_family_are_offered(self) -> None:
        ladder = '[[arch]]\nname = "avx2"\n[[arch]]\nname = "arm64"\nfeatures = ["asimd"]\n'
        text = ladder + '[[layer]]\nname = "el9"\n'
        site = Site.parse(text, "site.toml", root="/sw")
        for machine, arch in (("aarch64", "arm64"), ("x86_64", "avx2")):
            assert (
                found(site, platforms=frozenset({f"linux_{machine}"})).possible == ()
            )  # pure: it is decided
            answer = found(site, elf(), platforms=frozenset({f"linux_{machine}"}))
            assert answer.possible == (f"el9/{arch}", "el9/generic")
            answer = found(site, elf(family=machine), platforms=frozenset({"any"}))
            assert answer.possible == (f"el9/{arch}", "el9/generic")

    @pytest.mark.parametrize(
        ("machine", "bits", "expected"),
        [("x86_64", 1, "el9/x86_64"), ("x86_64", 4, "el9/x86_64/v3"), ("aarch64", 0, None)],
    )
    def test_what_runs_on_every_cpu_of_a_family_goes_to_that_familys_directory(
        self, machine: str, bits: int, expected: str | None
    ) -> None:
        ladder = "".join(f'[[arch]]\nname = "{each}"\ntarget = "{each}"\n' for each in ("aarch64", "x86_64"))
        own = '[[arch]]\nname = "avx2"\n[[layer]]\nname = "el9"\nnames = { avx2 = "x86_64/v3" }\n'
        for generic in ("", "generic = false\n"):  # also of a layer without any other place for it
            site = Site.parse(ladder + own + generic, "site.toml", root="/sw")
            marked = elf(isa_needed=bits, family=machine)
            answer = found(site, marked, platforms=frozenset({f"linux_{machine}"}))
            assert label(answer) == expected
            assert bits or answer.possible == ("el9/aarch64", *([] if generic else ["el9/generic"]))

    def test_evidence_for_an_arch_of_another_family_is_overruled(self) -> None:
        answer = found(BUILTIN, elf(), platforms=frozenset({"linux_aarch64"}), built=record())
        assert answer.directory is None
        assert answer.warnings == ("built for arch avx2 (build record): overruled, it is for aarch64 CPUs",)

    def test_a_mark_above_the_ladder(self) -> None:
        answer = found(GENTOO_ONLY._replace(ladder=GENTOO_ONLY.ladder[:3]), elf(isa_needed=8))
        assert answer.directory is None
        assert answer.reasons[-1] == "demo/x.so is marked to need x86-64-v4, which no arch of the site has"

    def test_what_is_possible_is_all_that_nothing_speaks_against(self) -> None:
        answer = found(BUILTIN, elf(rpath=("/nix/store/abc/lib",)))
        assert answer.possible == ("nix/avx512", "nix/avx2", "nix/avx", "nix/sse3", "nix/generic")
        assert answer.to_dict()["possible"] == list(answer.possible)
        assert len(found(BUILTIN, elf()).possible) == 11
        assert found(BUILTIN, elf(), built=record()).possible == ()


class TestConflicts:
    def test_what_is_more_trusted_wins_and_the_rest_is_told(self) -> None:
        file = elf(runpath=("/nix/store/abc/avx512/lib",), isa_needed=2)
        answer = found(BUILTIN, file, built=record())
        assert label(answer) == "gentoo/avx2"
        assert answer.warnings == (
            "demo/x.so looks into /nix/store/abc/avx512/lib, of layer nix, which says layer nix: overruled",
            "demo/x.so looks into /nix/store/abc/avx512/lib, named after avx512, which says arch avx512: "
            "overruled",
        )

    @pytest.mark.parametrize(("bits", "warned"), [(1, False), (2, False), (4, False), (8, True)])
    def test_a_mark_says_the_least_that_will_do(self, bits: int, warned: bool) -> None:
        answer = found(BUILTIN, elf(isa_needed=bits), built=record(arch="avx2"))
        assert label(answer) == "gentoo/avx2"
        assert bool(answer.warnings) == warned

    def test_an_rpath_wins_over_a_mark(self) -> None:
        answer = found(GENTOO_ONLY, elf(rpath=("/sw/avx/lib",), isa_needed=4))
        assert label(answer) == "gentoo/avx"
        assert len(answer.warnings) == 1

    def test_a_record_of_what_the_site_does_not_have(self) -> None:
        answer = found(GENTOO_ONLY, elf(isa_needed=4), built=record(layer="guix", arch="avx3"))
        assert label(answer) == "gentoo/avx2"
        assert answer.warnings == (
            "the build record says layer guix, which this site does not have",
            "the build record says arch avx3, which this site does not have",
        )

    def test_a_damaged_file_is_a_doubt(self) -> None:
        answer = found(GENTOO_ONLY, elf(isa_needed=4), ElfFile(path="y.so", problem="a damaged ELF file"))
        assert label(answer) == "gentoo/avx2"
        assert answer.warnings == ("y.so: a damaged ELF file",)


class TestRealWheels:
    def test_pure_python(self, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
        assert label(classify(str(wheel), BUILTIN)) == "generic"

    @compiles
    @pytest.mark.skipif(os.uname().machine != "x86_64", reason="the mark is one of x86-64")
    @pytest.mark.parametrize(("level", "arch"), [("v2", "avx"), ("v3", "avx2"), ("v4", "avx512")])
    def test_marked_ones(self, level: str, arch: str, tmp_path: Path) -> None:
        wheel = extension_wheel(tmp_path, flags=[f"-march=x86-64-{level}", f"-Wl,-z,x86-64-{level}"])
        assert label(classify(str(wheel), GENTOO_ONLY)) == f"gentoo/{arch}"

    @compiles
    @pytest.mark.skipif(os.uname().machine != "x86_64", reason="the registers are those of x86-64")
    def test_instructions_are_a_warning_and_prove_nothing(self, tmp_path: Path) -> None:
        body = "volatile double a[64], b[64]; for (int i = 0; i < 64; i++) a[i] = b[i] * 2;"
        flags = ["-O3", "-march=x86-64-v4", "-mprefer-vector-width=512", "-Wl,-z,x86-64-v2"]
        text = (
            f"void x(double *a, double *b) {{ for (int i = 0; i < 64; i++) a[i] = b[i] * 2; }} /* {body} */"
        )
        library = compiled(tmp_path / "x.so", text, *flags)
        wheel = extension_wheel(
            tmp_path, flags=["-Wl,-z,x86-64-v2"], files={"demo/x.so": library.read_bytes()}
        )
        counts = count_instructions(str(wheel), ["demo/x.so"])
        assert counts["demo/x.so", "zmm"] > 0
        answer = classify(str(wheel), GENTOO_ONLY, scan=True)
        assert label(answer) == "gentoo/avx"
        assert any("demo/x.so holds" in each and "zmm" in each for each in answer.warnings)
        assert classify(str(wheel), GENTOO_ONLY).warnings == ()

    @compiles
    def test_a_scan_without_objdump_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        gcc()
        wheel = extension_wheel(tmp_path, flags=["-Wl,-z,x86-64-v2"])
        monkeypatch.setenv("PATH", "/nowhere")
        answer = classify(str(wheel), GENTOO_ONLY, scan=True)
        assert answer.warnings == ("not scanned: objdump: No such file or directory",)

    @pytest.mark.parametrize(
        ("name", "content", "problem"),
        [
            ("demo.whl", b"", "invalid wheel file name: "),
            ("demo-1.0-py3-none-any.whl", b"PK", "invalid zip file"),
            ("demo-2.0-py3-none-any.whl", None, "does not exist"),
        ],
    )
    def test_what_is_no_wheel(self, name: str, content: bytes | None, problem: str, tmp_path: Path) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ClassifyError, match=problem):
            classify(str(tmp_path / name), BUILTIN)
