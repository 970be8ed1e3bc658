"""A site above another one's read-only wheelhouse: every command, and the installers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_tree, make_wheel
from tests.wheelhouse import Done, WheelhouseFixture, everything_below
from wheelhouse_resolver.builder.publish import UnpublishableError, check_publishable
from wheelhouse_resolver.site.model import Site

TAGS = "cp311-cp311-linux_x86_64"

#: The wheels of the base, as they were copied there: no stamps.
NATIONAL = {
    "gentoo/avx2": [f"demo-1.0-{TAGS}.whl", f"only-1.0-{TAGS}.whl"],
    "gentoo/avx512": [f"demo-1.0-{TAGS}.whl"],
    "generic": [f"demo-1.0-{TAGS}.whl", "pure-2.0-py3-none-any.whl"],
}

#: As a host with AVX2 in the Gentoo layer, with the wheels for Python 3.11.
HOST = ("--layer", "gentoo", "--arch", "avx2", "--python", "3.11")


class Overlay(WheelhouseFixture):
    """A site with a wheelhouse of its own above the *base*, which anybody here could write to."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.base = directory / "national"
        make_tree(self.base, NATIONAL)
        self.configure()
        self.before = everything_below(self.base)

    def configure(self, more: str = "", base: str = "") -> None:
        """Use the site file with *more* tables, and more keys of the base."""
        text = f'root = "{self.root}"\n{more}\n[[base]]\nname = "national"\nroot = "{self.base}"\n{base}'
        self.use_config(text)

    def json(self, *arguments: str) -> tuple[int, Any]:
        """What a command prints as JSON."""
        done = self.run(*arguments)
        assert done.err == ""
        return done.code, json.loads(done.out)


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Overlay:
    return Overlay(tmp_path, capsys)


def test_what_is_published_is_above_the_base_and_nothing_is_written_there(house: Overlay) -> None:
    own = house.wheel(f"demo-1.0-{TAGS}.whl")
    done = house.publish("--to", "gentoo/generic", own)
    stamped = f"demo-1.0-1000100000generic-{TAGS}.whl"
    assert house.wheels() == [f"gentoo/generic/{stamped}"]
    assert "stamped" not in done.out  # no wheel of the base was
    done = house.run("pick", *HOST, "demo")
    assert done.code == 0
    assert f"{house.root}/gentoo/generic/{stamped}" in done.out
    done = house.run("pick", *HOST, "only")
    assert done.out == f"{house.base}/gentoo/avx2/only-1.0-{TAGS}.whl\n"
    assert house.run("restamp").code == 0
    assert house.run("publish", "--rebuild", "--to", "gentoo/avx2", own).code == 0
    assert house.run("restamp", "--retag").code == 0
    assert house.run("withdraw", stamped).code == 0
    assert house.run("restore", stamped).code == 0
    assert house.run("restamp", "--undo").code == 0
    assert everything_below(house.base) == house.before


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (
            "publish --to national/gentoo/avx2 {own}",
            "national/gentoo/avx2: is a directory of the base 'national', which is read-only",
        ),
        (
            "publish --to gentoo/avx2 --remove-source {base}/gentoo/avx2/only-1.0-{tags}.whl",
            "{base}/gentoo/avx2/only-1.0-{tags}.whl: is in the base 'national', which is read-only: "
            "it cannot be removed",
        ),
        (
            "withdraw --to national/generic pure-2.0-py3-none-any.whl",
            "national/generic: is a directory of the base 'national', which is read-only",
        ),
        (
            "withdraw pure-2.0-py3-none-any.whl",
            "pure-2.0-py3-none-any.whl: not in any directory of the wheelhouse",
        ),
        (
            "restore --to national/generic pure-2.0-py3-none-any.whl",
            "national/generic: is a directory of the base 'national', which is read-only",
        ),
        ("index --output {base}/index", "{base}/index: it is in the base 'national', which is read-only"),
        (
            "relabel --in-place --local-label x {base}/gentoo/avx2/only-1.0-{tags}.whl",
            "cannot write {base}/gentoo/avx2: it is in the base 'national', which is read-only",
        ),
        ("view --output {base}/view", "{base}/view: it is in the base 'national', which is read-only"),
    ],
)
def test_what_would_write_into_a_base_is_refused_with_one_line(
    house: Overlay, command: str, problem: str
) -> None:
    own = house.wheel(f"demo-1.0-{TAGS}.whl")
    values = {"own": own, "base": house.base, "tags": TAGS}
    done = house.run(*shlex.split(command.format(**values)))
    assert (done.code, done.out) == (2, "")
    assert problem.format(**values) in done.err.splitlines()[0]
    assert everything_below(house.base) == house.before
    assert house.wheels() == []


def test_an_own_directory_that_leads_into_the_base_is_not_written_to(house: Overlay) -> None:
    own, link = house.wheel(f"demo-1.0-{TAGS}.whl"), house.root / "gentoo/avx2"
    link.rmdir()
    link.symlink_to(house.base / "gentoo/avx2")
    name = f"only-1.0-{TAGS}.whl"
    for command in (
        *(f"publish --to gentoo/avx2 {own}", f"withdraw {name}", f"restore {name}"),
        *("restamp", "restamp --undo", f"index --output {house.root}/index --metadata"),
    ):
        done = house.run(*command.split())
        problem = f"cannot write {link}: it is a link into the base 'national', which is read-only"
        assert (done.code, done.err) == (2, f"error: {problem}\n"), command
    assert everything_below(house.base) == house.before


def test_answers_say_which_root_a_wheel_is_from(house: Overlay) -> None:
    own = f"only-1.0-1000100000generic-{TAGS}.whl"
    house.add("gentoo/generic", own)
    done = house.run("avail", *HOST)
    rows = [line.split() for line in done.out.splitlines()]
    assert [[row[0], row[-1]] for row in rows if row[0] in ("demo", "only", "pure")] == [
        ["demo", "national/gentoo/avx2"],
        ["demo", "national/generic"],
        ["only", "gentoo/generic"],
        ["only", "national/gentoo/avx2"],
        ["pure", "national/generic"],
    ]
    _, found = house.json("pick", "pure", "--json", *HOST)
    assert found[0]["best"]["base"] == "national"
    _, found = house.json("path", "--json", *HOST[:4])
    assert [each.get("base") for each in found] == [None] * 5 + ["national"] * 5
    code, found = house.json(
        *("why-not", "pure>2", "--json", "--layer", "none", "--arch", "generic", "--python", "3.11")
    )
    assert (code, found[0]["suggestions"][0]["gives"]["base"]) == (1, "national")


def test_configurations_of_all_forms_name_the_base_after_ones_own(house: Overlay, tmp_path: Path) -> None:
    own = ["gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"]
    expected = [f"file://{root}/{each}" for root in (house.root, house.base) for each in own]
    done = house.run("pip-conf", *HOST)
    assert done.out.split()[-10:] == expected
    done = house.run("pip-conf", "--format", "uv", *HOST)
    assert [line.split('"')[1] for line in done.out.splitlines() if line.startswith("url")] == expected
    view = tmp_path / "view"
    assert house.run("view", "--output", view).code == 0
    done = house.run("pip-conf", "--view", view, *HOST)
    views = [view / place / each for place in ("", "national") for each in own]
    # Of a view there are the directories that the wheelhouse has.
    assert done.out.split()[-10:] == [f"file://{each}" for each in views]
    done = house.run("lock", "only", *HOST)
    assert f"file://{house.base}/gentoo/avx2/only-1.0-{TAGS}.whl" in done.out


def test_hosts_that_only_the_base_has_directories_for_have_classes_and_nothing_is_published_for_them(
    house: Overlay, tmp_path: Path
) -> None:
    house.configure('[[layer]]\nname = "gentoo"\narchs = ["avx2"]', '[[base.layer]]\nname = "gentoo"\n')
    text = house.root.parent / "site.toml"
    text.write_text(f'{text.read_text()}archs = ["avx2", "avx512"]\n')
    configs = tmp_path / "configs"
    assert house.run("pip-conf", "--all", "--output-dir", configs).code == 0
    assert {path.name for path in configs.iterdir()} == {
        *("pip-generic.conf", "pip-generic-gentoo.conf", "pip-avx2-gentoo.conf", "pip-avx512-gentoo.conf"),
    }
    assert f"{house.base}/gentoo/avx512" in (configs / "pip-avx512-gentoo.conf").read_text()
    done = house.run("modulefile", "--dialect", "lmod", "--layer", "gentoo", "--static", configs)
    assert (done.code, done.err) == (0, "")
    assert '["avx2 avx512"] = "pip-avx512-gentoo.conf"' in done.out
    assert '"avx2", "avx512"' in done.out
    site = Site.load(text, environ={})
    with pytest.raises(UnpublishableError, match="avx512 in layer gentoo: this site has no directory for it"):
        check_publishable(site, "gentoo", ["avx512"])


def test_init_makes_ones_own_directories_only(house: Overlay) -> None:
    shutil.rmtree(house.root)
    (house.base / "nix/avx").rmdir()
    before = everything_below(house.base)
    assert house.run("init").code == 0
    assert (house.root / "nix/avx").is_dir()
    assert everything_below(house.base) == before
    house.base.rename(house.base.with_name("away"))
    assert house.run("init").code == 0
    assert not house.base.exists()


def test_a_base_that_is_not_mounted_is_a_warning_and_stops_what_would_write_without_it(
    house: Overlay, tmp_path: Path
) -> None:
    own = house.wheel(f"demo-1.0-{TAGS}.whl")
    house.publish("--to", "gentoo/generic", own)
    house.base.rename(tmp_path / "away")
    missing = f"wheelhouse {house.base}: does not exist, and is the base 'national' of this site"
    for command in ("pick demo", "avail", "pip-conf", "why-not demo", "path"):
        done = house.run(*command.split(), *HOST)
        assert (done.code, done.err) == (0, f"warning: {missing}\n"), command
        assert str(house.base) not in done.out
    # As at each login or module load, where nobody can do anything about it.
    for form in ("sh", "csh", "fish", "json"):
        done = house.run("pip-conf", "--format", form, *HOST)
        assert (done.code, done.err) == (0, ""), form
        assert str(house.base) not in done.out
    hint = "hint: mount it, or take its [[base]] out of the site file"
    for command in (
        "publish --to gentoo/avx2 {own}",
        "restamp",
        "index --output {out}",
        "view --output {out}",
        "pip-conf --all --output-dir {out}",
    ):
        done = house.run(*shlex.split(command.format(own=own, out=tmp_path / "out")))
        assert (done.code, done.out, done.err) == (2, "", f"error: {missing}\n{hint}\n"), command
    done = house.run("audit")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "warning: missing-base: does not exist, and is the base 'national' of this site\n"
        f"    {house.base}\n    fix: mount it, or take its [[base]] out of the site file\n"
        "0 errors, 1 warning\n"
    )


def test_audit_says_once_what_find_links_do_not_keep_in_a_base_and_how_it_can_be_served(
    house: Overlay,
) -> None:
    own = house.wheel(f"only-1.0-{TAGS}.whl")
    house.publish("--to", "gentoo/generic", own)
    make_wheel(house.base / "generic", "pure-3.0-py3-none-any.whl").write_bytes(b"not a zip file")
    code, found = house.json("audit", "--json")
    assert (code, [each["kind"] for each in found]) == (1, ["broken", "wrong-order"])
    broken, order = found
    command = f"wheelhouse-resolver {{}} --config {house.root.parent}/site.toml --output {house.root}/{{}}"
    index, view = (command.format(each, each) for each in ("index", "view"))
    assert broken["fix"] == (
        "the staff of the base 'national' can fix it; a build that is published here goes first"
    )
    assert order["fix"] == f"serve it through an index (`{index}`), a view (`{view}`) or uv's flat indexes"
    assert order["message"].endswith("the most specific wheel of 1 version in the base 'national': demo 1.0")
    assert order["hosts"] == ["gentoo/avx2", "gentoo/avx512"]
    # Through an index alone the order is right.
    house.configure(f'[index]\ndirectory = "{house.root.parent}/index"')
    assert house.run("index").code == 1
    code, found = house.json("audit", "--json")
    assert [each["kind"] for each in found] == ["broken"]


def test_a_base_whose_inodes_are_others_at_each_mount_is_not_read_again(
    house: Overlay, tmp_path: Path
) -> None:
    house.add("generic", "own-1.0-py3-none-any.whl")
    house.configure(f'[index]\ndirectory = "{tmp_path}/index"')
    assert house.json("index", "--json")[1]["read"] == 6
    for root in (house.base, house.root):
        for path in [*root.rglob("*.whl")]:
            above = path.parent.stat()
            shutil.copy2(path, tmp_path / path.name)
            os.replace(tmp_path / path.name, path)
            os.utime(path.parent, ns=(above.st_atime_ns, above.st_mtime_ns))
    _, found = house.json("audit", "--json")
    links = [each["paths"] for each in found if each["kind"] == "index-link"]
    assert links == [[f"{house.root}/generic/own-1.0-py3-none-any.whl"]]
    assert house.json("index", "--json")[1]["read"] == 1


def test_a_base_that_one_may_not_write_to_is_enough(
    open_directory: Path,
    as_nobody: Callable[[Callable[[], Done]], Done],
    capsys: pytest.CaptureFixture[str],
) -> None:
    house = Overlay(open_directory, capsys)
    own, output = house.wheel(f"only-1.0-{TAGS}.whl"), open_directory / "output"
    output.mkdir()
    there = [house.base, *house.base.rglob("*")]
    for path in there:
        path.chmod(path.stat().st_mode & 0o555 | 0o444)
    for path in [house.root, *house.root.rglob("*"), house.inbox, own, output]:
        os.chown(path, *((65534, 65534) if os.geteuid() == 0 else (-1, -1)))
    before = everything_below(house.base)
    commands = (
        f"publish --to gentoo/generic {own}",
        "restamp",
        f"index --output {output}/index --metadata",
        f"view --output {output}/view",
        f"withdraw only-1.0-1000100000generic-{TAGS}.whl",
    )
    try:
        for command in commands:
            done = as_nobody(partial(house.run, *command.split()))
            assert (done.code, done.err) == (0, ""), command
        assert everything_below(house.base) == before
        page = (output / "index/avx2-gentoo/demo/index.html").read_text()
        assert f'href="{house.base}/gentoo/avx2/demo-1.0-{TAGS}.whl#sha256=' in page
        assert [*output.glob("view/national/gentoo/avx2/only-*")] != []
    finally:
        for path in there:
            path.chmod(path.stat().st_mode | 0o200)
