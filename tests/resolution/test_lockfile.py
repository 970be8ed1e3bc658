"""Lock files: what they say, and that stock installers install exactly that."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.pylock import Pylock, PylockSelectError

from tests.factories import make_tree, make_wheel, plain_python
from tests.pips import pip_environ
from tests.programs import Program, one_of_each_everyday
from tests.resolution import lock
from wheelhouse_resolver.errors import LockNameError, UnreadableWheelError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import target_python
from wheelhouse_resolver.resolution.lockfile import check_name, lock_text
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOST = Host(arch="avx2", layer="gentoo")

#: Label -> file names; what is locked of them is in `LOCKED`.
WHEELS = {
    "generic": [
        "a_b-1.0+site-py3-none-any.whl",
        "c-1.0rc1-1000generic-py3-none-any.whl",
        "d-1.0-py3-none-any.whl",
        "e-3.0-py3-none-any.whl",
    ],
    "gentoo/avx2": ["c-1.0rc1-400000avx2-py3-none-any.whl", "e-1.0-400000avx2-py3-none-any.whl"],
    "gentoo/avx512": ["c-1.0rc1-500000avx512-py3-none-any.whl"],
}
LOCKED = {
    "a_b": "generic/a_b-1.0+site-py3-none-any.whl",
    "c": "gentoo/avx2/c-1.0rc1-400000avx2-py3-none-any.whl",
    "d": "generic/d-1.0-py3-none-any.whl",
    "e": "gentoo/avx2/e-1.0-400000avx2-py3-none-any.whl",
}


def house(root: Path) -> Site:
    site = make_tree(root, WHEELS)
    # In a circle, with extras: nothing that an installer should find difficult.
    for name, needs in {"a_b": ["c", "e"], "d": ["a_b[x]"], "e": ["a_b[y]"]}.items():
        path = root / LOCKED[name]
        mark = f"MARK = {LOCKED[name]!r}\n"
        make_wheel(path.parent, path.name, requires_dist=needs, extras=["x", "y"], files={f"{name}.py": mark})
    return site


def text_for(site: Site, form: str, host: Host = HOST) -> str:
    return lock_text(lock(["d"], site, host, constraints=["e<2"]), host, form)


class TestPylock:
    def test_what_it_says(self, tmp_path: Path) -> None:
        site = house(tmp_path / "tree")
        said = tomllib.loads(text_for(site, "pylock"))
        assert (said["lock-version"], said["created-by"]) == ("1.0", "wheelhouse-resolver")
        assert [each["name"] for each in said["packages"]] == ["a-b", "c", "d", "e"]
        first = said["packages"][0]
        path = tmp_path / "tree" / LOCKED["a_b"]
        assert first == {
            "name": "a-b",
            "version": "1.0+site",
            "dependencies": [{"name": "c"}, {"name": "e"}],
            "wheels": [
                {
                    "name": path.name,
                    "url": file_url(str(path)),
                    "size": path.stat().st_size,
                    "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
                }
            ],
        }
        assert said["tool"]["wheelhouse-resolver"] == {
            "requirements": ["d"],
            "layer": "gentoo",
            "arch": "avx2",
        }

    def test_it_is_valid_and_for_such_a_python_only(self, tmp_path: Path) -> None:
        site = house(tmp_path)
        here = Pylock.from_dict(tomllib.loads(text_for(site, "pylock")))
        names = [package.name for package, _ in here.select()]
        assert names == ["a-b", "c", "d", "e"]
        other = HOST._replace(python=plain_python("3.8"))
        elsewhere = Pylock.from_dict(tomllib.loads(text_for(site, "pylock", other)))
        with pytest.raises(PylockSelectError, match="does not satisfy"):
            list(elsewhere.select())
        older = {**default_environment(), "python_version": "3.8", "python_full_version": "3.8.1"}
        assert len(list(elsewhere.select(environment=older))) == 4  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["pylock.toml", "/a b/pylock.gpu.toml"])
    def test_its_names(self, name: str) -> None:
        check_name(name, "pylock")
        with pytest.raises(
            LockNameError, match=r"installers know a pylock by its name \(PEP 751\)"
        ) as raised:
            check_name(name, "requirements")
        assert raised.value.hint == (
            "name a requirements file otherwise than pylock.toml or pylock.NAME.toml"
        )

    @pytest.mark.parametrize("name", ["lock.toml", "pylock.a.b.toml", "pylock", "pylock..toml", "uv.lock"])
    def test_no_other_name(self, name: str) -> None:
        check_name(name, "requirements")
        with pytest.raises(
            LockNameError, match=r"installers know a pylock by its name \(PEP 751\)"
        ) as raised:
            check_name(name, "pylock")
        assert raised.value.hint == ("name it pylock.toml or pylock.NAME.toml, or use --format requirements")


class TestRequirements:
    def test_what_it_says(self, tmp_path: Path) -> None:
        site = house(tmp_path)
        lines = text_for(site, "requirements").splitlines()
        comments = [line for line in lines if line.startswith("# ")]
        assert lines[: len(comments)] == comments
        assert "layer gentoo, arch avx2" in comments[1]
        assert comments[-1] == "# asked for: d"
        expected = []
        for name, file in LOCKED.items():
            digest = hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
            url = file_url(f"{tmp_path}/{file}")
            names = ["a-b[x]", "a-b[y]"] if name == "a_b" else [name]
            expected += [f"{each} @ {url} --hash=sha256:{digest}" for each in names]
        assert lines[len(comments) :] == expected

    def test_a_requirement_cannot_smuggle_in_a_line(self, tmp_path: Path) -> None:
        found = lock(["e; os_name != 'x\u2028evil @ file:///evil.whl'"], house(tmp_path), HOST)
        lines = lock_text(found, HOST, "requirements").splitlines()
        assert [line.partition(" ")[0] for line in lines] == ["#", "#", "#", "e"]


@pytest.mark.parametrize("form", ["pylock", "requirements"])
class TestBoth:
    def test_the_same_bytes_twice(self, form: str, tmp_path: Path) -> None:
        site = house(tmp_path)
        assert text_for(site, form) == text_for(site, form)

    def test_a_wheel_that_was_replaced_has_another_hash(self, form: str, tmp_path: Path) -> None:
        site = house(tmp_path)
        before = text_for(site, form)
        path = tmp_path / LOCKED["c"]
        make_wheel(path.parent, path.name, files={"c.py": "MARK = 'new'\n"})
        after = text_for(site, form)
        assert hashlib.sha256(path.read_bytes()).hexdigest() in after
        assert len(before.splitlines()) == len(after.splitlines())
        assert before != after

    def test_a_wheel_that_is_gone_meanwhile_is_an_error(self, form: str, tmp_path: Path) -> None:
        site = house(tmp_path)
        found = lock(["c"], site, HOST)
        path = tmp_path / LOCKED["c"]
        path.unlink()
        with pytest.raises(UnreadableWheelError, match="No such file") as raised:
            lock_text(found, HOST, form)
        assert raised.value.path == str(path)

    def test_of_nothing(self, form: str, tmp_path: Path) -> None:
        found = lock(["d; python_version < '3'"], house(tmp_path), HOST)
        assert "file:" not in lock_text(found, HOST, form)


def installed(program: Program, lock_file: Path, target: Path) -> dict[str, str]:
    """module -> MARK of what *program* really installs by *lock_file*, offline; or the `error` it shows."""
    if program.release == "uv":
        options = ["pip", "install", "--offline", "--python", program.python]
    else:
        options = ["install", "--no-compile"]
    done = subprocess.run(
        [*program.command, *options, "--quiet", "--no-index", "--target", str(target), "-r", str(lock_file)],
        env=pip_environ(UV_NO_CACHE="1"),
        text=True,
        capture_output=True,
    )
    if done.returncode != 0:
        return {"error": done.stderr}
    marks = {each.stem: each.read_text().partition(" = ")[2].strip() for each in target.glob("*.py")}
    return {module: ast.literal_eval(mark) for module, mark in marks.items()}


#: What a path may hold that a URL or a TOML string may not.
HOSTILE = "wheel house #1%41é+@'x"


@one_of_each_everyday
def test_installers_install_exactly_what_the_requirements_name(program: Program, tmp_path: Path) -> None:
    site = house(tmp_path / HOSTILE)
    file = tmp_path / "locked.txt"
    file.write_text(text_for(site, "requirements"))
    assert installed(program, file, tmp_path / "target") == LOCKED


@pytest.mark.network
@pytest.mark.parametrize("program", ["pip", "uv"], indirect=True)
class TestPylockInstalled:
    """pip knows lock files since 26.1."""

    def host(self, program: Program) -> Host:
        return HOST._replace(python=target_python(program.python)[0])

    def test_exactly_what_it_names(self, program: Program, tmp_path: Path) -> None:
        site = house(tmp_path / HOSTILE)
        file = tmp_path / "pylock.test.toml"
        file.write_text(text_for(site, "pylock", self.host(program)))
        assert installed(program, file, tmp_path / "target") == LOCKED

    def test_not_for_another_python(self, program: Program, tmp_path: Path) -> None:
        site = house(tmp_path / "tree")
        file = tmp_path / "pylock.toml"
        file.write_text(text_for(site, "pylock", HOST._replace(python=plain_python("3.8"))))
        error = installed(program, file, tmp_path / "target")["error"]
        assert "environment" in error
        assert not (tmp_path / "target").exists() or not list((tmp_path / "target").glob("*.py"))

    def test_not_when_a_wheel_was_changed(self, program: Program, tmp_path: Path) -> None:
        site = house(tmp_path / "tree")
        file = tmp_path / "pylock.toml"
        file.write_text(text_for(site, "pylock", self.host(program)))
        path = tmp_path / "tree" / LOCKED["c"]
        make_wheel(path.parent, path.name, files={"c.py": "MARK = 'evil'\n"})
        error = installed(program, file, tmp_path / "target")["error"].lower()
        assert "hash" in error
