"""Verifying really installs and imports; what fails is reported, whatever it does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.builder.extensions import compiled, extension_wheel, platform_wheel
from tests.factories import clean_environ, make_wheel, pack, record_of, wheel_files
from tests.pips import real_environ
from tests.requires import compiles
from wheelhouse_resolver.builder.classification.classify import classify
from wheelhouse_resolver.builder.recipes.model import Test
from wheelhouse_resolver.builder.verification.verify import (
    Verification,
    VerificationSettings,
    python_for,
    run_verification,
)
from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.interpreters import Target
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.site.model import Site


@pytest.fixture
def check(quick_environments: None, tmp_path: Path) -> Any:
    """Verify a wheel, with no index; what it requires is in `links`."""
    (tmp_path / "links").mkdir()

    def run(wheel: Path, test: Test = Test(), **options: Any) -> Verification:  # noqa: B008
        how = VerificationSettings(
            python=sys.executable,
            find_links=[str(tmp_path / "links")],
            test=test,
            environ={**clean_environ(), **options.pop("environ", {})},
            offline=True,
            **options,
        )
        return run_verification(str(wheel), how, work=str(tmp_path / "work"), log=str(tmp_path / "log.txt"))

    return run


def problems(found: Verification) -> dict[str, str]:
    return {each.check: each.problem for each in found.findings}


class TestWhatWorks:
    @pytest.mark.slow
    def test_a_wheel_with_what_it_requires(self, check: Any, tmp_path: Path) -> None:
        make_wheel(tmp_path / "links", "needed-1.0-py3-none-any.whl")
        files = {"demo/__init__.py": "import needed", "demo/inner.py": "", "single.py": ""}
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files=files, requires_dist=["needed"])
        found = check(wheel)
        assert found.findings == ()
        assert found.ok
        assert found.imported == ("demo", "single")
        assert found.to_dict()["imported"] == ["demo", "single"]
        assert found.seconds > 0

    @compiles
    def test_an_extension(self, check: Any, tmp_path: Path) -> None:
        found = check(extension_wheel(tmp_path))
        assert (found.findings, found.imported) == ((), ("fast",))

    def test_one_with_nothing_to_import(self, check: Any, tmp_path: Path) -> None:
        wheel = make_wheel(
            tmp_path, "demo-1.0-py3-none-any.whl", files={"demo-1.0.data/scripts/run": "#!/bin/sh\n"}
        )
        assert check(wheel).ok

    def test_a_test_of_its_own(self, check: Any, tmp_path: Path) -> None:
        make_wheel(tmp_path / "links", "helper-1.0-py3-none-any.whl")
        wheel = make_wheel(
            tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "x = 1", "other.py": "1/0"}
        )
        test = Test(
            imports=("demo",),
            statements=("import demo, helper; assert demo.x == 1",),
            command="python -c 'import demo' && test -z \"$(ls)\"",
            requires=("helper",),
        )
        found = check(wheel, test)
        assert (found.findings, found.imported) == ((), ("demo",))


@pytest.mark.network
@pytest.mark.slow
def test_the_wheelhouse_comes_before_the_index(tmp_path: Path) -> None:
    """An old release in the wheelhouse is taken, though the index has newer ones; what it lacks is not."""
    links = tmp_path / "links"
    make_wheel(links, "idna-0.1-py3-none-any.whl")
    found = {}
    for name, requires in (("inside", ["idna"]), ("outside", ["idna>=3", "idna"])):
        wheel = make_wheel(tmp_path, f"{name}-1.0-py3-none-any.whl", requires_dist=requires)
        answer = tmp_path / f"{name}.txt"
        statement = (
            f"from importlib.metadata import version as v; open({str(answer)!r}, 'w').write(v('idna'))"
        )
        options = VerificationSettings(
            python=sys.executable,
            find_links=[str(links)],
            test=Test(statements=(statement,)),
            environ=real_environ(),
        )
        done = run_verification(
            str(wheel), options, work=str(tmp_path / f"work-{name}"), log=str(tmp_path / "log.txt")
        )
        assert done.findings == ()
        found[name] = answer.read_text()
    assert found["inside"] == "0.1"
    assert int(found["outside"].partition(".")[0]) >= 3


class TestWhatFails:
    def test_everything_is_reported_at_once(self, check: Any, tmp_path: Path) -> None:
        files = {
            "good.py": "",
            "bad.py": "raise RuntimeError('no good')",
            "worse.py": "import nowhere_to_be_found",
        }
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files=files)
        found = check(wheel, Test(statements=("assert False",), command="exit 3"))
        assert problems(found) == {
            "statement": "'assert False': exited with 1: AssertionError",
            "command": "'exit 3': exited with 3",
        } | {
            "import bad": "exited with 1: RuntimeError: no good",
            "import worse": "exited with 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        }
        assert found.imported == ("good",)
        assert "RuntimeError: no good" in Path(found.log).read_text()

    def test_a_requirement_that_is_not_there(self, check: Any, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", requires_dist=["nowhere-to-be-found>=3"])
        failed = problems(check(wheel))
        assert list(failed) == ["install"]
        assert "nowhere-to-be-found>=3" in failed["install"]

    @compiles
    def test_a_crash(self, check: Any, tmp_path: Path) -> None:
        found = check(extension_wheel(tmp_path, body="abort();", files={"good.py": ""}))
        assert problems(found)["import fast"].startswith("ended by SIGABRT")
        assert found.imported == ("good",)

    @compiles
    def test_a_segmentation_fault(self, check: Any, tmp_path: Path) -> None:
        found = check(extension_wheel(tmp_path, body="*(volatile int *)0 = 1;"))
        assert problems(found)["import fast"].startswith("ended by SIGSEGV")

    def test_nobody_elses_environment_reaches_in(self, check: Any, tmp_path: Path) -> None:
        make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "import outside"})
        (tmp_path / "outside.py").touch()
        options = {"PYTHONPATH": str(tmp_path), "PYTHONUSERBASE": str(tmp_path), "PIP_USER": "1"}
        failed = problems(check(tmp_path / "demo-1.0-py3-none-any.whl", environ=options))
        assert failed == {"import demo": "exited with 1: ModuleNotFoundError: No module named 'outside'"}

    def test_what_pip_checks_once_it_is_installed(self, check: Any, tmp_path: Path) -> None:
        """Tags inside that contradict the name: `pip install` looks at the name alone."""
        files = wheel_files("needed-1.0-py3-none-any.whl")
        record = "needed-1.0.dist-info/RECORD"
        files["needed-1.0.dist-info/WHEEL"] = files["needed-1.0.dist-info/WHEEL"].replace(
            b"py3-none-any", b"cp27-cp27m-win32"
        )
        files[record] = record_of(files, record)
        wrong = pack(tmp_path / "links/needed-1.0-py3-none-any.whl", files)
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", requires_dist=["needed"])
        assert problems(check(wheel)) == {"requirements": "needed 1.0 is not supported on this platform"}
        # Of the wheel itself, that is found before it is installed.
        found = check(wrong)
        assert problems(found) == {"wheel": "WHEEL has tags cp27-cp27m-win32, the file name py3-none-any"}
        assert found.imported == ()

    @compiles
    def test_a_hang(self, check: Any, tmp_path: Path) -> None:
        found = check(extension_wheel(tmp_path, body="for (;;) sleep(1);"), Test(timeout=3))
        assert "took longer than 3 s" in problems(found)["import fast"]

    @pytest.mark.slow
    def test_something_that_prints_without_end_is_no_trouble(self, check: Any, tmp_path: Path) -> None:
        files = {
            "demo.py": "import sys\nfor _ in range(300_000): print('x' * 100)\n"
            "sys.stdout.flush()\nraise SystemExit('enough')"
        }
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files=files)
        assert problems(check(wheel)) == {"import demo": "exited with 1: enough"}

    def test_tags_that_are_not_for_this_python(self, check: Any, tmp_path: Path) -> None:
        found = check(make_wheel(tmp_path, "demo-1.0-cp27-cp27mu-linux_x86_64.whl"))
        assert "not a supported wheel" in problems(found)["install"]

    def test_what_is_no_wheel(self, check: Any, tmp_path: Path) -> None:
        path = tmp_path / "demo-1.0-py3-none-any.whl"
        path.write_bytes(b"PK and so on")
        assert list(problems(check(path))) == ["wheel"]

    def test_a_python_that_is_none(self, tmp_path: Path) -> None:
        found = run_verification(
            str(make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")),
            VerificationSettings(python="/nowhere/python", environ=clean_environ()),
            work=str(tmp_path / "work"),
            log=str(tmp_path / "log.txt"),
        )
        assert list(problems(found)) == ["environment"]


@compiles
class TestLibraries:
    def needing(
        self, tmp_path: Path, *flags: str, files: Mapping[str, str | bytes] | None = None, **options: Any
    ) -> Path:
        """A wheel whose extension calls into libhelp.so."""
        library = compiled(
            tmp_path / "build/libhelp.so", "int help(void) { return 1; }", "-Wl,-soname,libhelp.so"
        )
        return extension_wheel(
            tmp_path,
            before="extern int help(void);",
            body="help();",
            package="demo/",
            flags=[str(library), *flags],
            files=files,
            **options,
        )

    def test_one_that_is_nowhere(self, check: Any, tmp_path: Path) -> None:
        failed = problems(check(self.needing(tmp_path), Test(imports=("sys",))))
        assert list(failed) == ["libraries"]
        assert failed["libraries"].startswith("demo/fast.")
        assert "needs libhelp.so, which is not found (looked in " in failed["libraries"]

    def test_one_that_the_wheel_holds_where_no_rpath_leads(self, check: Any, tmp_path: Path) -> None:
        self.needing(tmp_path)
        inside = {"demo.libs/libhelp.so": (tmp_path / "build/libhelp.so").read_bytes()}
        failed = problems(check(self.needing(tmp_path, files=inside), Test(imports=("sys",))))
        assert failed["libraries"].endswith(
            "; the wheel contains it as demo.libs/libhelp.so, which no rpath leads to"
        )

    def test_one_that_the_wheel_loads_by_itself(self, check: Any, tmp_path: Path) -> None:
        self.needing(tmp_path)
        code = (
            "import ctypes, os\n"
            "ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libhelp.so'))\n"
            "from demo import fast"
        )
        library = (tmp_path / "build/libhelp.so").read_bytes()
        files: dict[str, str | bytes] = {"demo/libhelp.so": library, "demo/__init__.py": code}
        found = check(self.needing(tmp_path, files=files))
        assert found.findings == ()
        (note,) = found.notes
        assert note.endswith("needs libhelp.so, which no rpath leads to: `import demo` loads it before")

    @pytest.mark.parametrize(
        ("code", "statements", "why"),
        [
            pytest.param(
                "import torchlike; from demo import fast", (), "`import demo` loads {} before", id="import"
            ),
            pytest.param(
                "",
                ("import torchlike, demo.fast",),
                "'import torchlike, demo.fast' loads {} before",
                id="statement",
            ),
            pytest.param("", (), "{}, of what the wheel requires, must be loaded before", id="not-tried"),
        ],
    )
    def test_one_of_a_wheel_that_it_requires(
        self, code: str, statements: tuple[str, ...], why: str, check: Any, tmp_path: Path
    ) -> None:
        """As extensions of PyTorch need libraries that `import torch` has loaded: under their SONAME."""
        self.needing(tmp_path)
        loading = "import ctypes, os; ctypes.CDLL(os.path.dirname(__file__) + '/lib/libhelp.so.1')"
        library = (tmp_path / "build/libhelp.so").read_bytes()
        files: dict[str, str | bytes] = {
            "torchlike/__init__.py": loading,
            "torchlike/lib/libhelp.so.1": library,
        }
        platform_wheel(tmp_path / "links", "torchlike", files)
        wheel = self.needing(tmp_path, files={"demo/__init__.py": code}, requires_dist=["torchlike"])
        found = check(wheel, Test(statements=statements))
        assert found.findings == ()
        (note,) = found.notes
        assert note.startswith("demo/fast.")
        expected = why.format("torchlike/lib/libhelp.so.1")
        assert note.endswith(f" needs libhelp.so, which no rpath leads to: {expected}")
        assert found.to_dict()["notes"] == [note]

    def test_a_loader_that_does_not_answer(
        self, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheelhouse_resolver.builder.verification.libraries._TIMEOUT", 0)
        found = problems(check(self.needing(tmp_path), Test(imports=("sys",))))
        assert found["libraries"].startswith("demo/fast.")
        assert "did not answer within 0 s" in found["libraries"]

    @pytest.mark.usefixtures("quick_environments")
    def test_below_a_directory_whose_name_has_blanks(self, tmp_path: Path) -> None:
        """LD_PRELOAD has no way to name such a path."""
        self.needing(tmp_path)
        inside = {"demo.libs/libhelp.so": (tmp_path / "build/libhelp.so").read_bytes()}
        wheel = self.needing(tmp_path, "-Wl,-rpath,$ORIGIN/../demo.libs", files=inside)
        work = tmp_path / "a: b"
        options = VerificationSettings(
            python=sys.executable, environ=clean_environ(), offline=True, test=Test(imports=("sys",))
        )
        assert (
            run_verification(str(wheel), options, work=str(work), log=str(tmp_path / "log.txt")).findings
            == ()
        )
        shutil.rmtree(work)
        wheel = self.needing(tmp_path)
        (finding,) = run_verification(
            str(wheel), options, work=str(work), log=str(tmp_path / "log.txt")
        ).findings
        assert finding.problem.startswith("demo/fast.")

    def test_one_that_the_wheel_holds(self, check: Any, tmp_path: Path) -> None:
        self.needing(tmp_path)
        inside = {"demo.libs/libhelp.so": (tmp_path / "build/libhelp.so").read_bytes()}
        found = check(self.needing(tmp_path, "-Wl,-rpath,$ORIGIN/../demo.libs", files=inside))
        assert found.findings == ()
        assert found.imported == ("demo",)

    def test_one_of_the_layer(self, check: Any, tmp_path: Path) -> None:
        wheel = self.needing(tmp_path)
        layer = str(tmp_path / "build")
        assert check(wheel, Test(imports=("sys",)), library_dirs=[layer]).ok
        shutil.rmtree(tmp_path / "work")
        assert check(wheel, environ={"LD_LIBRARY_PATH": layer}).ok

    def test_a_damaged_one(self, check: Any, tmp_path: Path) -> None:
        wheel = platform_wheel(tmp_path, "demo", {"demo/__init__.py": "", "demo/x.so": b"\x7fELF?"})
        assert problems(check(wheel))["libraries"].startswith("demo/x.so: a damaged ELF file")


class TestPythonFor:
    def test_the_running_one_if_it_can(self) -> None:
        assert python_for("demo-1.0-py3-none-any.whl") == sys.executable

    def test_one_on_path_of_the_newest_version_that_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def there(version: str) -> Target:
            if version == "2.7":
                raise PythonError(version, "not there")
            return Target(f"/sw/python{version}", version, TargetPython(version, None))

        monkeypatch.setattr("wheelhouse_resolver.builder.verification.verify.target_of", there)
        assert python_for("demo-1.0-cp25.cp26.cp27-none-linux_x86_64.whl") == "/sw/python2.6"

    def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(PythonError, match=r"needs python2\.6, which is not on PATH; give --python"):
            python_for("demo-1.0-cp26-cp26m-linux_x86_64.whl")


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("project", ["numpy", "PyYAML", "ruff", "attrs", "google-api-core"])
def test_real_wheels_work_and_belong_to_no_layer(project: str, tmp_path: Path) -> None:
    """With their requirements from the index."""
    download = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(tmp_path),
    ]
    subprocess.run([*download, project], env=real_environ(), check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    found = run_verification(
        str(wheel),
        VerificationSettings(python=sys.executable, environ=real_environ()),
        work=str(tmp_path / "work"),
        log=str(tmp_path / "log.txt"),
    )
    assert found.findings == ()
    assert found.imported
    belongs = classify(str(wheel), Site.default(tmp_path))
    assert belongs.directory is not None
    assert (belongs.directory.label, belongs.warnings) == ("generic", ())
