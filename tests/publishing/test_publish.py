"""`publish`, `withdraw` and `restore`: what a site's administrator can do with them, and cannot do wrong."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import shlex
import stat
import struct
import subprocess
import sys
import termios
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_wheel, pack, record_of, run_cli, run_pip, wheel_files
from tests.wheelhouse import WheelhouseFixture, everything_below
from tests.whole import assert_whole, content_of, headers_of, wheels_below
from wheelhouse_resolver.cli.main import main
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.pages import Pages
from wheelhouse_resolver.publishing.place import place
from wheelhouse_resolver.publishing.plan import PlannedWheel, PublishOptions
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.atomic import AlreadyExistsError
from wheelhouse_resolver.wheelfile.validate import check_wheel

PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
PURE = "demo-1.0-py3-none-any.whl"
STAMPED = "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
STAMPED_PURE = "demo-1.0-1000generic-py3-none-any.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def one(marks: str) -> dict[str, dict[str, bytes]]:
    """Options for a wheel whose content is *marks*."""
    return {"files": {"demo.py": f"MARK = {marks!r}\n".encode()}}


# -- where to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "label", "build"),
    [
        (["--to", "gentoo/avx2"], "gentoo/avx2", "400000avx2"),
        (["--to", "gentoo/avx2/"], "gentoo/avx2", "400000avx2"),
        (["--to", "generic"], "generic", "1000generic"),
        (["--to", "nix/generic"], "nix/generic", "100000generic"),
        (["--arch", "avx512", "--layer", "nix"], "nix/avx512", "500000avx512"),
        (["--layer", "gentoo"], "gentoo/generic", "100000generic"),
        (["--layer", "none"], "generic", "1000generic"),
        (["--arch", "generic"], "generic", "1000generic"),
    ],
    ids=" ".join,
)
def test_the_options_name_the_directory(
    house: WheelhouseFixture, options: list[str], label: str, build: str
) -> None:
    done = house.publish(house.wheel(PLAIN), *options)
    name = f"demo-1.0-{build}-cp311-cp311-linux_x86_64.whl"
    assert house.wheels() == [f"{label}/{name}"]
    assert done.out == f"placed   {house.root}/{label}/{name}\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--to", "gentoo/avx3"], "unknown arch 'avx3': this site has generic, sse3, avx, avx2, avx512"),
        (["--to", "../evil"], "--to ../evil: not a directory of this site\nhint: it has gentoo/avx512, "),
        (["--to", "gentoo"], "--to gentoo: not a directory of this site\nhint: it has "),
        (["--to", ""], "--to : not a directory of this site\nhint: it has "),
        (["--arch", "avx2"], "--arch avx2: needs --layer\nhint: one of nix, gentoo, none"),
        (["--layer", "prefix"], "unknown layer 'prefix': this site has nix, gentoo, none"),
        (["--layer", "none", "--arch", "avx2"], "--arch avx2: needs --layer"),
        (["--to", "generic", "--arch", "avx2"], "--to generic: cannot be combined with --layer and --arch"),
        ([], f"{PLAIN}: cannot determine the target directory: the wheel holds compiled code\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_no_directory_is_made_up(house: WheelhouseFixture, options: list[str], error: str) -> None:
    done = house.run("publish", house.wheel(PLAIN), *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {error}")
    assert house.wheels() == []


def test_pure_python_goes_to_generic_unless_told_otherwise(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE))
    house.publish(house.wheel("other-1.0-py2.py3-none-any.whl"), "--to", "gentoo/avx")
    assert house.wheels() == [
        "generic/" + STAMPED_PURE,
        "gentoo/avx/other-1.0-300000avx-py2.py3-none-any.whl",
    ]


_SIDE_BY_SIDE = """
root = "/unused"
[[layer]]
name = "gentoo2020"
directories = ["gentoo2020", "gentoo"]
archs = ["avx", "avx2"]
[[layer]]
name = "gentoo2023"
directories = ["gentoo2023"]
archs = ["avx2"]
names = { avx2 = "x86-64-v3" }
"""


@pytest.mark.parametrize(
    ("options", "placed"),
    [
        (["--layer", "gentoo2020", "--arch", "avx2"], "gentoo2020/avx2/demo-1.0-401000avx2"),
        (["--to", "gentoo2020/avx2"], "gentoo2020/avx2/demo-1.0-401000avx2"),
        (["--to", "gentoo/avx2"], "gentoo/avx2/demo-1.0-400000avx2"),
        (["--to", "gentoo2023/x86-64-v3"], "gentoo2023/x86-64-v3/demo-1.0-400000avx2"),
        (["--to", "gentoo2023/avx2"], "gentoo2023/x86-64-v3/demo-1.0-400000avx2"),
        (["--layer", "gentoo2023", "--arch", "x86-64-v3"], "gentoo2023/x86-64-v3/demo-1.0-400000avx2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_sites_own_directories_are_named_as_the_site_names_them(
    house: WheelhouseFixture, options: list[str], placed: str
) -> None:
    house.publish(house.wheel(PLAIN), *options, config=_SIDE_BY_SIDE)
    assert house.wheels() == [f"{placed}-cp311-cp311-linux_x86_64.whl"]


def test_a_layer_without_that_arch_has_no_directory_for_it(house: WheelhouseFixture) -> None:
    options = ["--layer", "gentoo2023", "--arch", "avx"]
    done = house.run("publish", house.wheel(PLAIN), *options, config=_SIDE_BY_SIDE)
    assert (done.code, done.err) == (2, "error: --arch avx: layer gentoo2023 has no directory for it\n")


def test_the_search_of_a_site_may_leave_out_a_directory_that_one_publishes_into(
    house: WheelhouseFixture,
) -> None:
    config = 'root = "/unused"\n[search]\navx512 = ["avx2"]\n'
    options = ["--layer", "gentoo", "--arch", "avx512"]
    house.publish(house.wheel(PLAIN), *options, config=config)
    assert house.wheels() == ["gentoo/avx512/demo-1.0-500000avx512-cp311-cp311-linux_x86_64.whl"]


def test_a_missing_directory_is_made_and_a_missing_wheelhouse_is_not(
    house: WheelhouseFixture, tmp_path: Path
) -> None:
    (house.root / "gentoo" / "avx2").rmdir()
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert house.wheels() == [f"gentoo/avx2/{STAMPED}"]
    house.root = tmp_path / "nowhere"
    done = house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert done.code == 2
    assert "does not exist" in done.err
    assert not house.root.exists()


# -- the stamp ---------------------------------------------------------------------------------------------


def test_the_stamp_stands_in_the_name_and_in_wheel_and_record_is_right(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    path = house.root / "gentoo/avx2" / STAMPED
    assert_whole(path)
    assert dict(headers_of(path, "WHEEL"))["Build"] == "400000avx2"
    assert content_of(path) == content_of(house.inbox / PLAIN)


@pytest.mark.parametrize(
    ("upstream", "stamped"),
    [("1", "400001avx2"), ("7abc", "400007avx2"), ("999", "400999avx2"), ("0", "400000avx2"),
     ("500003avx512", "400003avx2"), ("400000avx2", "400000avx2"), ("300001avx", "400001avx2")],
)  # fmt: skip
def test_an_upstream_build_number_is_kept_within_the_band(
    house: WheelhouseFixture, upstream: str, stamped: str
) -> None:
    house.publish(house.wheel(f"demo-1.0-{upstream}-cp311-cp311-linux_x86_64.whl"), "--to", "gentoo/avx2")
    assert house.wheels("gentoo/avx2") == [f"demo-1.0-{stamped}-cp311-cp311-linux_x86_64.whl"]
    assert_whole(wheels_below(house.root)[0])


@pytest.mark.parametrize("upstream", ["1000", "20240101", "400000", "400000other"])
def test_an_upstream_build_number_above_the_band_is_refused(house: WheelhouseFixture, upstream: str) -> None:
    wheel = house.wheel(f"demo-1.0-{upstream}-cp311-cp311-linux_x86_64.whl")
    done = house.run("publish", wheel, "--to", "gentoo/avx2")
    assert done.code == 2
    assert "does not fit a stamp (0 to 999)" in done.err
    assert house.wheels() == []


@pytest.mark.parametrize(
    ("version", "label", "result"),
    [
        ("1.0", "site", "1.0+site"),
        ("1.0+cu12", "site", "1.0+cu12.site"),
        ("1.0+site", "site", "1.0+site"),
        ("1.0+cu12.site", "site", "1.0+cu12.site"),
        ("1.0", "Site_2-b", "1.0+site.2.b"),
        ("2!1.0rc1.post2.dev3", "site", "2!1.0rc1.post2.dev3+site"),
        ("1.0+1", "01", "1.0+1"),
    ],
)
def test_a_local_label_is_appended_everywhere_the_version_stands(
    house: WheelhouseFixture, version: str, label: str, result: str
) -> None:
    data = {f"demo-{version}.data/scripts/run": b"#!python\n", "demo.py": b""}
    house.publish(house.wheel(f"demo-{version}-py3-none-any.whl", files=data), "--local-label", label)
    (path,) = wheels_below(house.root)
    assert path.name == f"demo-{result}-1000generic-py3-none-any.whl"
    assert_whole(path)
    assert dict(headers_of(path, "METADATA"))["Version"] == result
    with zipfile.ZipFile(path) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {
            "demo.py", f"demo-{result}.data", f"demo-{result}.dist-info",
        }  # fmt: skip
    check_wheel(str(path))


@pytest.mark.parametrize(
    ("option", "version"), [([], "1.0+site"), (["--local-label=own"], "1.0+own"), (["--local-label="], "1.0")]
)
def test_the_label_of_the_site_is_appended_unless_the_command_line_says_another(
    house: WheelhouseFixture, option: list[str], version: str, tmp_path: Path
) -> None:
    config = tmp_path / "site.toml"
    config.write_text(f'root = "{house.root}"\n[publish]\nlocal-label = "site"\n')
    done = house.run("publish", house.wheel(PURE), *option, "--config", str(config))
    assert done.code == 0, done.err
    (path,) = wheels_below(house.root)
    assert f"-{version}-1000generic-" in path.name


@pytest.mark.parametrize("label", ["si te", "a/b", "..", "+", "\u00e9", "a\nb", "-"])
def test_what_is_no_local_label_is_refused(house: WheelhouseFixture, label: str) -> None:
    done = house.run("publish", house.wheel(PURE), f"--local-label={label}")
    assert done.code == 2
    assert "(letters, digits, dots)" in done.err
    assert done.err.count("\n") == 1
    assert house.wheels() == []


def test_publishing_the_same_twice_elsewhere_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    placed: list[bytes] = []
    for number in range(2):
        house = WheelhouseFixture(tmp_path / str(number), capsys)
        data = {"demo.py": b"x" * 1000, "demo-1.0.data/scripts/run": b"#!python\n"}
        wheel = house.wheel(PLAIN, files=data)
        os.utime(wheel, (10**9 * number, 10**9 * number))
        house.publish(wheel, "--to", "gentoo/avx2", "--local-label", "site", "--glibc-tag", "2.36")
        placed += [path.read_bytes() for path in wheels_below(house.root)]
    assert len(placed) == 2
    assert placed[0] == placed[1]


@pytest.mark.parametrize(
    ("given", "tags"),
    [("2.36", "linux_x86_64.manylinux_2_36_x86_64"), ("3.0", "linux_x86_64.manylinux_3_0_x86_64")],
)
def test_a_glibc_tag_is_added_to_the_linux_tags(house: WheelhouseFixture, given: str, tags: str) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2", "--glibc-tag", given)
    assert house.wheels("gentoo/avx2") == [f"demo-1.0-400000avx2-cp311-cp311-{tags}.whl"]
    assert_whole(wheels_below(house.root)[0])


def test_the_glibc_tag_of_the_running_python_is_the_default(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2", "--glibc-tag")
    version = os.confstr("CS_GNU_LIBC_VERSION")
    if not version:
        pytest.skip("this Python has no glibc")
    level = version.split()[1].replace(".", "_")
    (name,) = house.wheels("gentoo/avx2")
    assert name.endswith(f"-linux_x86_64.manylinux_{level}_x86_64.whl")


def test_a_glibc_tag_leaves_other_wheels_as_they_are(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE), "--glibc-tag", "2.36")
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


@pytest.mark.parametrize("given", ["2", "2.x", "2.36.1", "x", "glibc"])
def test_a_glibc_tag_that_is_no_version_is_refused(house: WheelhouseFixture, given: str) -> None:
    done = house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2", "--glibc-tag", given)
    assert (done.code, done.err) == (
        2, f"error: --glibc-tag {given}: must be a glibc version, such as 2.36\n"
    )  # fmt: skip


# -- what real programs say --------------------------------------------------------------------------------


@pytest.mark.network
def test_pip_installs_what_was_published_and_is_content(
    house: WheelhouseFixture, tmp_path: Path, newest_pip: list[str]
) -> None:
    files = {
        "demo/__init__.py": b"VALUE = 42\n",
        "demo-1.0.data/scripts/demo-run": b"#!python\nimport demo\nprint('ran', demo.VALUE)\n",
        'demo-1.0.data/data/share/demo/caf\u00e9, "x".txt': b"data",
    }
    entries: list[tuple[str | zipfile.ZipInfo, bytes]] = []
    for name, data in wheel_files(PURE, files=files, requires_dist=["other"]).items():
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o755 if name.endswith("demo-run") else 0o644) << 16
        entries.append((info, data))
    house.publish(pack(house.inbox / PURE, entries), "--local-label", "site")
    house.publish(house.wheel("other-2.0-py3-none-any.whl"))
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip = [*newest_pip, "--python", str(environment / "bin" / "python")]
    links = ["--no-index", "--find-links", str(house.root / "generic")]
    done = run_pip("install", *links, "demo", pip=pip)
    assert done.returncode == 0, done.stderr
    assert run_pip("check", pip=pip).stdout == "No broken requirements found.\n"
    listed = json.loads(run_pip("list", "--format", "json", pip=pip).stdout)
    assert {each["name"]: each["version"] for each in listed} == {"demo": "1.0+site", "other": "2.0"}
    ran = subprocess.run([environment / "bin" / "demo-run"], capture_output=True, text=True, check=True)
    assert ran.stdout == "ran 42\n"
    assert (environment / 'share/demo/caf\u00e9, "x".txt').read_bytes() == b"data"


# -- refusing ----------------------------------------------------------------------------------------------


def test_every_finding_of_every_wheel_is_listed_and_nothing_is_placed(house: WheelhouseFixture) -> None:
    good = house.wheel(PLAIN)
    files = wheel_files("evil-1.0-py3-none-any.whl")
    files["evil.py"] = b"changed"
    files["../evil"] = b""
    files["/evil"] = b""
    evil = pack(house.inbox / "evil-1.0-py3-none-any.whl", files)
    empty = house.inbox / "empty-1.0-py3-none-any.whl"
    empty.touch()
    done = house.run("publish", good, evil, empty, "--to", "gentoo/avx2")
    assert done.code == 1
    assert done.out == ""
    assert done.err.splitlines() == [
        f"refused {evil}: entry '../evil' is outside of the archive",
        f"refused {evil}: entry '/evil' is outside of the archive",
        f"refused {empty}: empty file",
        "error: 2 wheels refused, nothing placed",
    ]
    assert house.wheels() == []


def test_a_wheel_that_is_not_there_is_told(house: WheelhouseFixture) -> None:
    done = house.run("publish", house.wheel(PURE), house.inbox / "missing-1.0-py3-none-any.whl")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {house.inbox}/missing-1.0-py3-none-any.whl: does not exist\n"


def test_a_pipe_is_not_waited_for(house: WheelhouseFixture) -> None:
    house.inbox.mkdir()
    os.mkfifo(house.inbox / PURE)
    done = house.run("publish", house.inbox / PURE)
    assert done.code == 1
    assert done.err.startswith(f"refused {house.inbox}/{PURE}: cannot be read: not a regular file\n")


def test_a_name_with_a_newline_is_told_on_one_line(house: WheelhouseFixture) -> None:
    house.inbox.mkdir()
    (house.inbox / "demo-1.0\n-py3-none-any.whl").write_bytes(b"x")
    done = house.run("publish", house.inbox / "demo-1.0\n-py3-none-any.whl")
    assert done.code == 1
    assert len(done.err.splitlines()) == 2


# -- several wheels ----------------------------------------------------------------------------------------


def test_several_wheels_are_placed_in_one_go(house: WheelhouseFixture) -> None:
    names = [f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl" for number in range(3)]
    house.publish(*(house.wheel(name) for name in names), "--to", "gentoo/avx2")
    assert house.wheels("gentoo/avx2") == [
        f"demo{number}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl" for number in range(3)
    ]


def test_a_wheel_given_twice_is_placed_once(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.wheel(PURE)
    (house.inbox / "link").symlink_to(house.inbox)
    monkeypatch.chdir(house.inbox)
    house.publish(PURE, f"./{PURE}", house.inbox / PURE, f"link/{PURE}")
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


@pytest.mark.parametrize(
    "other", [PLAIN, "Demo-1.0.0-0x-cp311-cp311-linux_x86_64.whl"], ids=["same", "spelling"]
)
def test_two_wheels_that_would_get_one_name_are_refused(
    house: WheelhouseFixture, tmp_path: Path, other: str
) -> None:
    first, second = house.wheel(PLAIN), make_wheel(tmp_path / "more", other, **one("other"))
    done = house.run("publish", first, second, "--to", "gentoo/avx2")
    assert done.code == 2
    assert f"{other}: {first} would get the same name" in done.err
    assert house.wheels() == []


def test_when_one_cannot_be_placed_the_others_are_and_it_is_told(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", STAMPED, **one("other"))
    other = house.wheel("other-1.0-cp311-cp311-linux_x86_64.whl")
    done = house.run("publish", house.wheel(PLAIN), other, "--to", "gentoo/avx2")
    assert done.code == 1
    assert "already exists with different content" in done.err
    assert "other-1.0-400000avx2-cp311-cp311-linux_x86_64.whl" in house.wheels("gentoo/avx2")


# -- what stands there already -----------------------------------------------------------------------------


def test_publishing_again_is_a_quiet_success(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    before = everything_below(house.root / "gentoo" / "avx2")
    done = house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2")
    assert done.out == f"present  {house.root}/gentoo/avx2/{STAMPED}\n"
    assert everything_below(house.root / "gentoo" / "avx2") == before


def test_the_same_files_packed_otherwise_are_the_same_content(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    files = list(wheel_files(PLAIN).items())
    pack(house.inbox / PLAIN, files[:1] + files[1:], zipfile.ZIP_STORED)
    assert house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2").out.startswith("present ")


def test_other_content_is_never_placed_over(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN, **one("first")), "--to", "gentoo/avx2")
    before = everything_below(house.root)
    done = house.run("publish", house.wheel(PLAIN, **one("other")), "--to", "gentoo/avx2")
    assert (done.code, done.out) == (1, "")
    again = ("publish", "--to", "gentoo/avx2")
    rebuild, replace = (
        house.site.command(*again, option, str(house.inbox / PLAIN)) for option in ("--rebuild", "--replace")
    )
    assert done.err == (
        f"error: {house.root}/gentoo/avx2/{STAMPED}: already exists with different content\n"
        f"hint: to add it as a corrected build: `{rebuild}`; to move the old one to .trash/: `{replace}`\n"
    )
    assert {path: state for path, state in everything_below(house.root).items() if path.endswith(".whl")} == {
        path: state for path, state in before.items() if path.endswith(".whl")
    }


@pytest.mark.parametrize("kind", ["directory", "dangling", "pipe", "damaged"])
def test_anything_that_has_the_name_is_in_the_way(house: WheelhouseFixture, kind: str) -> None:
    path = house.root / "gentoo/avx2" / STAMPED
    if kind == "directory":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to("nothing")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"half")
    before = path.lstat().st_ino
    done = house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert done.code == 1
    assert "already exists with different content" in done.err
    assert path.lstat().st_ino == before
    house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2", "--replace")
    assert_whole(path)
    (slot,) = (house.root / "gentoo/avx2/.trash").iterdir()
    assert (slot / STAMPED).lstat().st_ino == before


def test_a_standing_wheel_whose_data_rotted_is_not_taken_for_the_same(house: WheelhouseFixture) -> None:
    house.publish(
        house.wheel(PLAIN, files={"demo.py": b"x" * 100, "data": bytes(range(256))}), "--to", "gentoo/avx2"
    )
    path = house.root / "gentoo/avx2" / STAMPED
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        content[archive.getinfo("data").header_offset + 60] ^= 1
    path.write_bytes(content)
    done = house.run("publish", house.inbox / PLAIN, "--to", "gentoo/avx2")
    assert done.code == 1
    assert "already exists with different content" in done.err


def test_replace_moves_the_old_one_to_the_trash(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN, **one("first")), "--to", "gentoo/avx2")
    old = content_of(house.root / "gentoo/avx2" / STAMPED)
    done = house.publish(house.wheel(PLAIN, **one("other")), "--to", "gentoo/avx2", "--replace")
    assert done.out == f"replaced {house.root}/gentoo/avx2/{STAMPED}\n"
    assert content_of(house.root / "gentoo/avx2" / STAMPED) == content_of(house.inbox / PLAIN)
    (slot,) = (house.root / "gentoo/avx2/.trash").iterdir()
    assert content_of(slot / STAMPED) == old


def test_replace_of_the_same_content_replaces_nothing(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    done = house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2", "--replace")
    assert done.out.startswith("present ")
    assert not (house.root / "gentoo/avx2/.trash").exists()


def test_a_rebuild_takes_the_next_build_number_and_keeps_the_old_one(house: WheelhouseFixture) -> None:
    for number in range(3):
        house.publish(house.wheel(PLAIN, **one(str(number))), "--to", "gentoo/avx2", "--rebuild")
    assert house.wheels("gentoo/avx2") == [
        f"demo-1.0-40000{number}avx2-cp311-cp311-linux_x86_64.whl" for number in range(3)
    ]
    for path in wheels_below(house.root):
        assert_whole(path)


def test_a_rebuild_counts_from_the_upstream_number_and_from_unstamped_builds(
    house: WheelhouseFixture,
) -> None:
    house.add("gentoo/avx2", "demo-1.0-4-cp310-cp310-linux_x86_64.whl")
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2", "--rebuild")
    house.publish(
        house.wheel("demo-1.0-9-cp311-cp311-linux_x86_64.whl", **one("9")), "--to", "gentoo/avx2", "--rebuild"
    )
    assert house.wheels("gentoo/avx2") == [
        "demo-1.0-400004avx2-cp310-cp310-linux_x86_64.whl",
        "demo-1.0-400005avx2-cp311-cp311-linux_x86_64.whl",
        "demo-1.0-400009avx2-cp311-cp311-linux_x86_64.whl",
    ]


def test_a_rebuild_never_takes_the_name_of_a_withdrawn_wheel(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    house.publish(house.wheel(PLAIN, **one("1")), "--to", "gentoo/avx2", "--rebuild")
    house.run("withdraw", "demo-1.0-400001avx2-cp311-cp311-linux_x86_64.whl")
    house.publish(house.wheel(PLAIN, **one("2")), "--to", "gentoo/avx2", "--rebuild")
    assert house.wheels("gentoo/avx2") == [
        STAMPED, "demo-1.0-400002avx2-cp311-cp311-linux_x86_64.whl",
    ]  # fmt: skip


def test_a_rebuild_that_is_repeated_adds_no_second_build(house: WheelhouseFixture) -> None:
    """As a script does that was killed after the first time."""
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    house.publish(house.wheel(PLAIN, **one("1")), "--to", "gentoo/avx2", "--rebuild")
    again = house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2", "--rebuild")
    latest = "demo-1.0-400001avx2-cp311-cp311-linux_x86_64.whl"
    assert again.out == f"present  {house.root}/gentoo/avx2/{latest}\n"
    assert house.wheels("gentoo/avx2") == [STAMPED, latest]
    house.run("withdraw", latest)
    house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2", "--rebuild")
    assert house.wheels("gentoo/avx2") == [STAMPED, latest.replace("1avx2", "2avx2")]


def test_after_the_last_build_number_there_is_none(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", "demo-1.0-400998avx2-cp311-cp311-linux_x86_64.whl")
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2", "--rebuild")
    done = house.run("publish", house.wheel(PLAIN, **one("x")), "--to", "gentoo/avx2", "--rebuild")
    assert (done.code, done.err) == (2, f"error: {PLAIN}: all 1000 build numbers of its version are taken\n")
    assert house.wheels("gentoo/avx2")[-1] == "demo-1.0-400999avx2-cp311-cp311-linux_x86_64.whl"


def test_a_rebuild_in_another_directory_or_of_another_version_counts_for_itself(
    house: WheelhouseFixture,
) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    house.publish(house.inbox / PLAIN, "--to", "gentoo/avx", "--rebuild")
    house.publish(house.wheel("demo-1.1-cp311-cp311-linux_x86_64.whl"), "--to", "gentoo/avx2", "--rebuild")
    assert house.wheels("gentoo") == [
        "avx/demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl",
        f"avx2/{STAMPED}",
        "avx2/demo-1.1-400000avx2-cp311-cp311-linux_x86_64.whl",
    ]


@pytest.mark.parametrize(
    "standing",
    [
        "Demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl",
        "demo-1.0.0-400000avx2-cp311-cp311-linux_x86_64.whl",
        "Demo-1.0-cp311-cp311-linux_x86_64.whl",
    ],
    ids=["case", "version", "unstamped"],
)
def test_another_spelling_of_the_same_name_is_refused(house: WheelhouseFixture, standing: str) -> None:
    house.add("gentoo/avx2", standing)
    done = house.run("publish", house.wheel(PLAIN, **one("x")), "--to", "gentoo/avx2")
    assert done.code == 2
    assert f"{house.root}/gentoo/avx2/{standing} has the same name in another spelling" in done.err
    assert house.wheels("gentoo/avx2") == [standing]
    house.publish(house.inbox / PLAIN, "--to", "gentoo/avx2", "--rebuild")
    assert "demo-1.0-400001avx2-cp311-cp311-linux_x86_64.whl" in house.wheels("gentoo/avx2")


# -- neighbours --------------------------------------------------------------------------------------------


def test_unstamped_wheels_of_the_version_that_a_host_sees_too_are_stamped_first(
    house: WheelhouseFixture,
) -> None:
    # Most specific first, so that no installer's pick is wrong at any moment.
    for label in ("generic", "gentoo/avx", "gentoo/avx512", "nix/avx2"):
        house.add(label, PLAIN)
    house.add("gentoo/avx", "demo-0.9-cp311-cp311-linux_x86_64.whl")
    house.add("gentoo/avx", "other-1.0-cp311-cp311-linux_x86_64.whl")
    done = house.publish(house.wheel(PLAIN, **one("x")), "--to", "gentoo/avx2")
    *lines, totals = done.out.splitlines()
    assert totals == "3 stamped, 1 placed"
    assert [line.split("/house/")[1] for line in lines] == [
        "gentoo/avx512/demo-1.0-500000avx512-cp311-cp311-linux_x86_64.whl",
        "gentoo/avx/demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl",
        "generic/demo-1.0-1000generic-cp311-cp311-linux_x86_64.whl",
        f"gentoo/avx2/{STAMPED}",
    ]
    assert "nix/avx2/" + PLAIN in house.wheels()  # no host of gentoo sees it
    assert "gentoo/avx/demo-0.9-cp311-cp311-linux_x86_64.whl" in house.wheels()
    assert "gentoo/avx/other-1.0-cp311-cp311-linux_x86_64.whl" in house.wheels()
    assert PLAIN not in house.wheels("gentoo/avx")
    for path in wheels_below(house.root):
        assert_whole(path)


def test_stale_stamps_are_mended_too(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx", "demo-1.0-999007avx-cp311-cp311-linux_x86_64.whl")
    house.publish(house.wheel(PLAIN, **one("x")), "--to", "gentoo/avx2")
    assert house.wheels("gentoo/avx") == ["demo-1.0-300007avx-cp311-cp311-linux_x86_64.whl"]


def test_no_restamp_refuses_and_names_the_command(house: WheelhouseFixture) -> None:
    standing = house.add("generic", PLAIN)
    done = house.run("publish", house.wheel(PLAIN, **one("x")), "--to", "gentoo/avx2", "--no-restamp")
    assert (done.code, done.out) == (2, "")
    assert f"{standing} has no current stamp" in done.err
    assert f"hint: run `{house.site.command('restamp')}` first" in done.err
    assert house.wheels() == [f"generic/{PLAIN}"]


def test_no_restamp_places_where_there_is_nothing_to_stamp(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2", "--no-restamp")
    assert house.wheels() == [f"gentoo/avx2/{STAMPED}"]


def test_a_neighbour_that_cannot_be_stamped_is_told_and_nothing_is_placed(house: WheelhouseFixture) -> None:
    (house.root / "generic" / PLAIN).write_bytes(b"half")
    done = house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert done.code == 2
    assert f"{house.root}/generic/{PLAIN}: invalid wheel: invalid zip file" in done.err
    assert house.wheels() == [f"generic/{PLAIN}"]


def test_where_a_neighbour_could_not_be_stamped_nothing_of_that_version_is_placed(
    house: WheelhouseFixture,
) -> None:
    house.publish(house.wheel(PLAIN, **one("stamped")), "--to", "gentoo/avx2")
    unstamped = house.add("gentoo/avx2", PLAIN, **one("unstamped"))
    before = house.wheels()
    new = house.wheel(PLAIN, **one("new"))
    other = house.wheel("other-1.0-cp311-cp311-linux_x86_64.whl")
    done = house.run("publish", new, other, "--to", "gentoo/avx")
    assert done.code == 1
    assert f"{unstamped}: cannot be stamped: {STAMPED} already exists with different content" in done.err
    assert f"{new}: not placed: another wheel of this version could not be stamped first\n" in done.err
    assert house.wheels() == sorted([*before, "gentoo/avx/other-1.0-300000avx-cp311-cp311-linux_x86_64.whl"])
    (finding,) = json.loads(house.run("audit", "--json").out)
    assert finding["message"] == f"not stamped, and {STAMPED} is there: installers take that one"
    assert main(shlex.split(finding["fix"])[1:]) == 0
    assert house.run("audit").code == 0
    house.publish(new, "--to", "gentoo/avx")


def test_an_unstamped_wheel_of_the_name_in_the_directory_itself_counts_as_standing_there(
    house: WheelhouseFixture,
) -> None:
    house.add("gentoo/avx2", PLAIN, **one("first"))
    done = house.run("publish", house.wheel(PLAIN, **one("other")), "--to", "gentoo/avx2")
    assert done.code == 1
    assert "already exists with different content" in done.err
    assert house.wheels("gentoo/avx2") == [STAMPED]
    assert b"first" in zipfile.ZipFile(house.root / "gentoo/avx2" / STAMPED).read("demo.py")


# -- tag inversions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "label", "tags"),
    [
        pytest.param(("generic", "cp311-cp311-linux_x86_64"), "gentoo/avx2",
                     "cp311-cp311-manylinux_2_17_x86_64", id="manylinux-over-plain"),
        pytest.param(("generic", "cp311-cp311-manylinux_2_17_x86_64"), "gentoo/avx2",
                     "cp311-cp311-linux_x86_64", id="plain-over-manylinux"),
        pytest.param(("generic", "cp311-cp311-linux_x86_64"), "gentoo/avx2", "cp37-abi3-linux_x86_64",
                     id="abi3-over-cp311"),
        pytest.param(("gentoo/avx2", "py3-none-any"), "generic", "cp311-cp311-linux_x86_64",
                     id="compiled-below-pure"),
    ],
)  # fmt: skip
def test_a_tag_inversion_is_refused_with_the_reason_and_the_fix(
    house: WheelhouseFixture, standing: tuple[str, str], label: str, tags: str
) -> None:
    house.add(standing[0], f"demo-1.0-{standing[1]}.whl")
    before = house.wheels()
    done = house.run("publish", house.wheel(f"demo-1.0-{tags}.whl"), "--to", label)
    assert (done.code, done.out) == (2, "")
    assert "a tag inversion: " in done.err
    assert "has a better wheel tag than" in done.err
    assert "hint: to give it equal tags: " in done.err
    assert "or withdraw the other: " in done.err
    assert house.wheels() == before


@pytest.mark.parametrize(
    ("lower", "upper", "placed"),
    [
        ("linux_x86_64", "manylinux_2_17_x86_64", "linux_x86_64.manylinux_2_17_x86_64"),
        ("manylinux_2_17_x86_64", "linux_x86_64", "linux_x86_64.manylinux_2_17_x86_64"),
    ],
)
def test_retag_mends_an_inversion(house: WheelhouseFixture, lower: str, upper: str, placed: str) -> None:
    house.publish(house.wheel(f"demo-1.0-cp311-cp311-{lower}.whl"), "--to", "generic")
    wheel = house.wheel(f"demo-1.0-cp311-cp311-{upper}.whl", **one("x"))
    house.publish(wheel, "--to", "gentoo/avx2", "--retag")
    assert house.wheels("gentoo/avx2") == [f"demo-1.0-400000avx2-cp311-cp311-{placed}.whl"]
    assert_whole(wheels_below(house.root / "gentoo")[0])
    assert house.run("audit").code == 0


def test_what_retag_cannot_mend_is_refused(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE), "--to", "gentoo/avx2")
    done = house.run("publish", house.wheel(PLAIN), "--to", "generic", "--retag")
    assert done.code == 2
    assert "--retag cannot fix: " in done.err


def test_wheels_that_no_host_sees_together_do_not_invert(house: WheelhouseFixture) -> None:
    house.add("nix/avx2", "demo-1.0-cp311-cp311-linux_x86_64.whl")
    house.publish(house.wheel("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"), "--to", "gentoo/avx512")


# -- sources -----------------------------------------------------------------------------------------------


def test_the_given_files_stay_as_they_are(house: WheelhouseFixture) -> None:
    wheel = house.wheel(PURE)
    before = everything_below(house.inbox)
    house.publish(wheel, "--local-label", "site")
    assert everything_below(house.inbox) == before


def test_remove_source_removes_what_is_placed(house: WheelhouseFixture) -> None:
    first, second = house.wheel(PURE), house.wheel("other-1.0-py3-none-any.whl")
    house.publish(first)
    house.publish(first, second, "--remove-source")
    assert os.listdir(house.inbox) == []
    assert len(house.wheels()) == 2


def test_remove_source_keeps_what_could_not_be_placed(house: WheelhouseFixture) -> None:
    house.add("generic", STAMPED_PURE, **one("other"))
    other = house.wheel("other-1.0-py3-none-any.whl")
    assert house.run("publish", house.wheel(PURE), other, "--remove-source").code == 1
    assert os.listdir(house.inbox) == [PURE]


def test_remove_source_removes_the_link_that_was_given_and_not_where_it_leads(
    house: WheelhouseFixture, tmp_path: Path
) -> None:
    store = make_wheel(tmp_path / "store", PURE)
    house.inbox.mkdir()
    (house.inbox / PURE).symlink_to(store)
    house.publish(house.inbox / PURE, "--remove-source")
    assert os.listdir(house.inbox) == []
    assert store.exists()


@pytest.mark.parametrize("how", ["itself", "through-a-link"])
def test_remove_source_never_removes_the_placed_file_itself(
    house: WheelhouseFixture, tmp_path: Path, how: str
) -> None:
    house.publish(house.wheel(PURE))
    given = house.root / "generic" / STAMPED_PURE
    if how == "through-a-link":
        (tmp_path / "other").symlink_to(house.root)
        given = tmp_path / "other" / "generic" / STAMPED_PURE
    assert house.publish(given, "--remove-source").out.startswith("present ")
    assert_whole(house.root / "generic" / STAMPED_PURE)


def test_remove_source_keeps_a_file_that_was_changed_after_it_was_read(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = house.wheel(PURE, **one("first"))

    def meanwhile(site: Site, planned: PlannedWheel, pages: Pages) -> FileChange:
        change = place(site, planned, pages)
        house.wheel(PURE, **one("second, and longer"))
        return change

    monkeypatch.setattr("wheelhouse_resolver.publishing.publish.place", meanwhile)
    done = house.run("publish", wheel, "--remove-source")
    assert done.code == 1
    assert done.err == f"error: {wheel}: placed, but not removed: changed after it was read\n"
    assert b"second" in zipfile.ZipFile(wheel).read("demo.py")


def test_a_source_that_may_not_be_removed_is_told_and_after_runs_all_the_same(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = house.wheel(PURE)
    unlink = os.unlink

    def denied(path: str, *rest: object, **more: object) -> None:
        if os.fspath(path) == str(wheel):
            raise PermissionError(13, "Permission denied", path)
        unlink(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "unlink", denied)
    done = house.run("publish", wheel, "--remove-source", config=after(f"touch {tmp_path}/ran"))
    assert (done.code, done.err) == (1, f"error: {wheel}: placed, but not removed: Permission denied\n")
    assert (tmp_path / "ran").exists()


def test_a_wheel_that_stands_unstamped_in_the_directory_is_stamped_beside_it(
    house: WheelhouseFixture,
) -> None:
    given = house.add("gentoo/avx2", PLAIN)
    house.publish(given, "--to", "gentoo/avx2")
    assert house.wheels("gentoo/avx2") == [STAMPED, PLAIN]
    house.publish(given, "--to", "gentoo/avx2", "--remove-source")
    assert house.wheels("gentoo/avx2") == [STAMPED]


def test_all_wheels_of_a_directory_can_be_given_at_once(house: WheelhouseFixture) -> None:
    names = [f"demo-1.0-cp3{minor}-cp3{minor}-linux_x86_64.whl" for minor in (10, 11, 12)]
    given = [house.add("gentoo/avx2", name) for name in names]
    house.publish(*given, "--to", "gentoo/avx2", "--remove-source")
    assert house.wheels("gentoo/avx2") == [name.replace("-1.0-", "-1.0-400000avx2-") for name in names]


def test_an_unstamped_wheel_of_another_directory_is_stamped_there_before_it_is_given(
    house: WheelhouseFixture,
) -> None:
    given = house.add("generic", PLAIN)
    done = house.run("publish", given, "--to", "gentoo/avx2")
    assert (done.code, done.out) == (2, "")
    assert (
        f"{given}: in the wheelhouse without a current stamp, and to be published\n"
        f"hint: run `{house.site.command('restamp')}`, and publish" in done.err
    )
    assert house.wheels() == [f"generic/{PLAIN}"]
    house.run("restamp")
    (stamped,) = house.wheels()
    house.publish(house.root / stamped, "--to", "gentoo/avx2")
    assert house.wheels() == [stamped, f"gentoo/avx2/{STAMPED}"]


# -- a dry run ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [[], ["--replace"], ["--rebuild"], ["--remove-source"], ["--local-label", "x"]], ids=" ".join
)
def test_a_dry_run_says_what_would_be_done_and_touches_nothing(
    house: WheelhouseFixture, options: list[str], tmp_path: Path
) -> None:
    house.add("generic", PLAIN)
    house.add("gentoo/avx2", STAMPED, **one("other"))
    (house.root / "gentoo/avx2/.wheelhouse-draft-h-1-1-1.part").touch()
    wheel = house.wheel(PLAIN)
    before = everything_below(tmp_path / "house")
    done = house.run(
        "publish", wheel, "--to", "gentoo/avx2", "--dry-run", *options, config=after(f"touch {tmp_path}/ran")
    )
    assert (done.code, done.err) == (0, "")
    lines = [line for line in done.out.splitlines() if not line.startswith("would place ")]
    assert lines in ([], [f"{done.out.count('would place ')} planned"])
    assert everything_below(tmp_path / "house") == before
    assert wheel.exists()
    assert not (tmp_path / "ran").exists()


def test_a_dry_run_checks_as_a_real_one_does(house: WheelhouseFixture) -> None:
    house.inbox.mkdir()
    (house.inbox / PLAIN).write_bytes(b"half")
    assert house.run("publish", house.inbox / PLAIN, "--to", "gentoo/avx2", "--dry-run").code == 1


# -- the command that runs after ---------------------------------------------------------------------------


def after(command: str) -> str:
    return f'root = "/unused"\n[publish]\nafter = ["sh", "-c", {json.dumps(command)}]\n'


def test_the_after_command_runs_once_for_all_wheels(house: WheelhouseFixture, tmp_path: Path) -> None:
    wheels = [house.wheel(PURE), house.wheel("other-1.0-py3-none-any.whl")]
    house.publish(
        *wheels, config=after(f"echo ran >> {tmp_path}/log; ls {house.root}/generic >> {tmp_path}/log")
    )
    assert (tmp_path / "log").read_text().split() == [
        "ran", STAMPED_PURE, "other-1.0-1000generic-py3-none-any.whl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "problem"),
    [(["false"], "exited with 1"), (["sh", "-c", "kill -9 $$"], "exited with -9"),
     (["/nonexistent/sync"], "No such file or directory")],
    ids=["fails", "killed", "missing"],
)  # fmt: skip
def test_its_failure_is_told_and_the_wheels_stay(
    house: WheelhouseFixture, command: list[str], problem: str
) -> None:
    config = f'root = "/unused"\n[publish]\nafter = {json.dumps(command)}\n'
    done = house.run("publish", house.wheel(PURE), "--remove-source", config=config)
    assert done.code == 1
    assert (
        done.err == f"error: [publish] after: `{shlex.join(command)}` {problem}; the wheels are published\n"
    )
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


def test_it_runs_again_when_the_run_is_repeated_since_the_first_may_have_been_killed(
    house: WheelhouseFixture, tmp_path: Path
) -> None:
    for _ in range(2):
        house.publish(house.wheel(PURE), config=after(f"echo ran >> {tmp_path}/log"))
    assert (tmp_path / "log").read_text() == "ran\nran\n"


def test_it_does_not_run_when_nothing_was_placed(house: WheelhouseFixture, tmp_path: Path) -> None:
    house.add("generic", STAMPED_PURE, **one("other"))
    config = after(f"touch {tmp_path}/ran")
    assert house.run("publish", house.wheel(PURE), config=config).code == 1
    (house.inbox / "bad-1.0-py3-none-any.whl").touch()
    assert house.run("publish", house.inbox / "bad-1.0-py3-none-any.whl", config=config).code == 1
    assert not (tmp_path / "ran").exists()


def test_it_cannot_read_what_was_meant_for_us(house: WheelhouseFixture, tmp_path: Path) -> None:
    house.publish(house.wheel(PURE), config=after(f"cat > {tmp_path}/read"))
    assert (tmp_path / "read").read_text() == ""


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('[publish]\nbefore = ["x"]', "[publish]: unknown key 'before': known: after"),
        ('[publish]\nafter = "sync --all"', "[publish] after: must be an array of strings"),
        ("[publish]\nafter = [1]", "[publish] after: must be a string, not 1"),
        ('[publish]\nafter = [""]', "[publish] after: must not be empty"),
        ("publish = 3", "publish: "),
    ],
)
def test_a_publish_table_that_is_wrong_is_told_with_key_and_file(
    house: WheelhouseFixture, table: str, problem: str
) -> None:
    done = house.run("publish", house.wheel(PURE), config=f'root = "/unused"\n{table}\n')
    assert (done.code, done.out) == (2, "")
    assert problem in done.err
    assert "site.toml" in done.err
    assert done.err.count("\n") == 1
    assert house.wheels() == []


# -- withdrawing and restoring -----------------------------------------------------------------------------


def test_what_is_withdrawn_is_out_of_every_search_path_and_comes_back(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE))
    content = content_of(house.root / "generic" / STAMPED_PURE)
    done = house.run("withdraw", STAMPED_PURE)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"withdrawn {house.root}/generic/.trash/")
    assert house.wheels() == []
    done = house.run("restore", STAMPED_PURE)
    assert (done.code, done.out) == (0, f"restored {house.root}/generic/{STAMPED_PURE}\n")
    assert content_of(house.root / "generic" / STAMPED_PURE) == content


def test_a_wheel_is_withdrawn_from_all_directories_or_from_one(house: WheelhouseFixture) -> None:
    for label in ("gentoo/avx", "gentoo/avx2", "nix/avx2"):
        house.add(label, PLAIN)
    house.run("withdraw", PLAIN, "--to", "gentoo/avx")
    assert house.wheels() == [f"gentoo/avx2/{PLAIN}", f"nix/avx2/{PLAIN}"]
    house.run("withdraw", PLAIN)
    assert house.wheels() == []
    house.run("restore", PLAIN, "--to", "nix/avx2")
    assert house.wheels() == [f"nix/avx2/{PLAIN}"]


def test_of_several_withdrawn_the_last_comes_back(house: WheelhouseFixture) -> None:
    for mark in ("1", "2"):
        house.add("generic", PURE, **one(mark))
        house.run("withdraw", PURE)
    house.run("restore", PURE)
    assert b"'2'" in zipfile.ZipFile(house.root / "generic" / PURE).read("demo.py")


@pytest.mark.parametrize("command", ["withdraw", "restore"])
@pytest.mark.parametrize(
    "name", ["../generic/" + PURE, "/etc/x.whl", "generic/" + PURE, "x", "", ".trash", "../../x.whl"]
)
def test_only_the_plain_name_of_a_wheel_is_taken(house: WheelhouseFixture, command: str, name: str) -> None:
    house.add("generic", PURE)
    done = house.run(command, name)
    assert (done.code, done.out) == (2, "")
    assert "not the file name of a wheel or source archive (without its directory)" in done.err
    assert house.wheels() == [f"generic/{PURE}"]


@pytest.mark.parametrize(
    ("command", "problem"),
    [("withdraw", "not in any directory of the wheelhouse"),
     ("restore", "was not withdrawn from any directory of the wheelhouse")],
)  # fmt: skip
def test_what_is_not_there_is_told(house: WheelhouseFixture, command: str, problem: str) -> None:
    done = house.run(command, PURE)
    assert (done.code, done.out, done.err) == (2, "", f"error: {PURE}: {problem}\n")


def test_nothing_is_restored_over_what_stands_there(house: WheelhouseFixture) -> None:
    house.add("generic", PURE, **one("old"))
    house.run("withdraw", PURE)
    standing = house.add("generic", PURE, **one("new")).read_bytes()
    done = house.run("restore", PURE)
    assert (done.code, done.out) == (2, "")
    command = house.site.command("withdraw", "--to", "generic", PURE)
    assert done.err == (
        f"error: {house.root}/generic/{PURE}: already exists\nhint: to withdraw that one: `{command}`\n"
    )
    assert (house.root / "generic" / PURE).read_bytes() == standing


def test_other_content_under_a_withdrawn_name_is_refused_as_uv_may_know_the_name(
    house: WheelhouseFixture,
) -> None:
    house.publish(house.wheel(PURE, **one("old")))
    house.run("withdraw", STAMPED_PURE)
    new = house.wheel(PURE, **one("new"))
    done = house.run("publish", new)
    assert done.code == 1
    assert "a wheel of this name with different content was withdrawn" in done.err
    assert house.wheels() == []
    house.publish(new, "--rebuild")
    assert house.wheels() == ["generic/demo-1.0-1001generic-py3-none-any.whl"]


def test_the_same_content_under_a_withdrawn_name_is_placed(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE))
    house.run("withdraw", STAMPED_PURE)
    house.publish(house.inbox / PURE)
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


def test_replace_takes_a_withdrawn_name(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE, **one("old")))
    house.run("withdraw", STAMPED_PURE)
    house.publish(house.wheel(PURE, **one("new")), "--replace")
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


def test_a_file_in_the_place_of_the_trash_is_an_error_that_loses_nothing(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE, **one("old")))
    (house.root / "generic/.trash").write_bytes(b"a file")
    done = house.run("publish", house.wheel(PURE, **one("new")), "--replace")
    assert done.code == 2
    assert f"{house.root}/generic/.trash: File exists" in done.err
    assert b"old" in zipfile.ZipFile(house.root / "generic" / STAMPED_PURE).read("demo.py")
    assert house.run("withdraw", STAMPED_PURE).code == 2
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


# -- careless administrators -------------------------------------------------------------------------------


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
def test_all_can_read_what_is_published_whatever_the_umask(house: WheelhouseFixture, mask: int) -> None:
    (house.root / "gentoo/avx2").rmdir()
    with umask(mask):
        house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert stat.S_IMODE((house.root / "gentoo/avx2" / STAMPED).stat().st_mode) == 0o644
    assert (house.root / "gentoo/avx2").stat().st_mode & 0o555 == 0o555


@pytest.mark.parametrize("root", ["house/", "./house", "house//", "link", "link/../house", "../{}/house"])
def test_the_root_may_be_written_in_any_way(
    house: WheelhouseFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    (tmp_path / "link").symlink_to(house.root)
    monkeypatch.chdir(tmp_path)
    wheel = house.wheel(PURE)
    for _ in range(2):
        done = run_cli("publish", wheel, "--root", root.format(tmp_path.name), cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert house.wheels() == [f"generic/{STAMPED_PURE}"]


def test_a_source_in_the_target_directory_is_no_obstacle(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = house.add("generic", PURE)
    monkeypatch.chdir(given.parent)
    house.publish(PURE)
    assert house.wheels("generic") == [STAMPED_PURE, PURE]


def test_a_draft_left_by_a_killed_run_is_cleared_by_the_next(house: WheelhouseFixture) -> None:
    (house.root / "generic/.wheelhouse-draft-h-1-1-1.part").write_bytes(b"half")
    house.publish(house.wheel(PURE))
    assert os.listdir(house.root / "generic") == [STAMPED_PURE]


def test_a_name_that_gets_too_long_is_told(house: WheelhouseFixture) -> None:
    name = f"{'d' * 220}-1.0-py3-none-any.whl"
    done = house.run("publish", house.wheel(name), "--local-label", "a" * 20)
    assert done.code == 2
    assert "File name too long" in done.err
    assert os.listdir(house.root / "generic") == []


def test_other_users_cannot_slip_a_link_under_a_draft(house: WheelhouseFixture, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (house.root / "generic/.wheelhouse-draft-h-1-1-1.part").symlink_to(tmp_path / "victim")
    house.publish(house.wheel(PURE))
    assert (tmp_path / "victim").read_bytes() == b"precious"


# -- size --------------------------------------------------------------------------------------------------


def test_a_large_wheel_is_streamed(house: WheelhouseFixture) -> None:
    block = random.Random(0).randbytes(1 << 16)
    files = wheel_files(PLAIN, files={"demo.py": b"", "big": block * 1600})  # 100 MB
    wheel = pack(house.inbox / PLAIN, files, zipfile.ZIP_STORED)
    code = (
        "import sys\n"
        "from wheelhouse_resolver.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "(peak,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(code, int(peak.split()[1]) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "publish", wheel, "--to", "gentoo/avx2", "--root", house.root],
        env=clean_environ(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    exit_code, megabytes = done.stdout.split()[-2:]
    assert exit_code == "0"
    assert int(megabytes) < 60
    assert_whole(house.root / "gentoo/avx2" / STAMPED)


@pytest.mark.slow
def test_more_files_than_the_old_zip_format_counts_are_published(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE, files={f"d/{number}": b"" for number in range(70_000)}))
    assert_whole(house.root / "generic" / STAMPED_PURE)


# -- progress ----------------------------------------------------------------------------------------------


def test_on_a_terminal_there_is_a_bar_and_elsewhere_nothing(house: WheelhouseFixture) -> None:
    wheels = [house.wheel(f"demo{number}-1.0-py3-none-any.whl") for number in range(3)]
    command = [
        sys.executable,
        "-m",
        "wheelhouse_resolver",
        "publish",
        *map(str, wheels),
        "--root",
        str(house.root),
    ]
    terminal, ours = os.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 25, 80, 0, 0))
    done = subprocess.run(command, env=clean_environ(), stdout=subprocess.PIPE, stderr=ours, text=True)
    os.close(ours)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal that is closed
        while chunk := os.read(terminal, 4096):
            shown += chunk
    os.close(terminal)
    assert done.returncode == 0
    assert b"checking" in shown
    assert b"placing" in shown
    assert done.stdout.count("placed ") == 3
    quiet = subprocess.run(command, env=clean_environ(), capture_output=True, text=True)
    assert quiet.stderr == ""


# -- the library -------------------------------------------------------------------------------------------


class Recording(PublishObserver):
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def changed(self, change: FileChange) -> None:
        self.heard.append(change.result)

    def failed(self, error: WheelhouseError) -> None:
        self.heard.append(type(error).__name__)


def test_one_call_checks_plans_and_places(house: WheelhouseFixture) -> None:
    house.add("generic", PLAIN)
    house.add("gentoo/avx2", "taken-1.0-400000avx2-cp311-cp311-linux_x86_64.whl", **one("other"))
    wheels = [house.wheel(PLAIN), house.wheel("taken-1.0-cp311-cp311-linux_x86_64.whl")]
    observer = Recording()
    report = publish(house.site, wheels, "gentoo/avx2", observer=observer)
    assert [change.to_dict() for change in report.changes] == [
        {
            "source": f"{house.root}/generic/{PLAIN}",
            "path": f"{house.root}/generic/demo-1.0-1000generic-cp311-cp311-linux_x86_64.whl",
            "result": "stamped",
        },
        {"source": str(wheels[0]), "path": f"{house.root}/gentoo/avx2/{STAMPED}", "result": "placed"},
    ]
    (error,) = report.errors
    assert isinstance(error, AlreadyExistsError)
    assert not report.ok
    assert observer.heard == ["stamped", "placed", "AlreadyExistsError"]


def test_one_that_is_not_sound_stops_all(house: WheelhouseFixture) -> None:
    good, bad = house.wheel(PURE), house.inbox / "bad-1.0-py3-none-any.whl"
    bad.touch()
    report = publish(house.site, [good, bad])
    assert [(error.path, error.findings) for error in report.refused] == [(str(bad), ("empty file",))]
    assert (report.changes, report.ok, house.wheels()) == ((), False, [])


def test_a_dry_run_returns_the_plan_and_changes_nothing(house: WheelhouseFixture) -> None:
    house.add("generic", PLAIN)
    wheel = house.wheel(PLAIN)
    before = everything_below(house.root)
    directory = destination(house.site, "gentoo/avx2")
    report = publish(house.site, [wheel], directory, PublishOptions(dry_run=True))
    assert [(os.path.basename(each.path), each.result) for each in report.changes] == [
        ("demo-1.0-1000generic-cp311-cp311-linux_x86_64.whl", "planned"), (STAMPED, "planned"),
    ]  # fmt: skip
    assert report.ok
    assert everything_below(house.root) == before


def test_an_error_carries_what_it_is_about(house: WheelhouseFixture) -> None:
    with pytest.raises(PublishError) as error:
        publish(house.site, [house.wheel(PURE)], "x/y")
    assert (error.value.what, error.value.problem) == ("--to x/y", "not a directory of this site")
    assert error.value.hint.startswith("it has gentoo/avx512, ")


# -- how often the tree is read ----------------------------------------------------------------------------


def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that are listed from now on, one entry each time."""
    listed: list[str] = []
    for name in ("listdir", "scandir"):

        def listing(real: Callable[[str], object], path: str) -> object:
            listed.append(path)
            return real(path)

        monkeypatch.setattr(os, name, partial(listing, getattr(os, name)))
    return listed


@pytest.mark.parametrize("count", [1, 20])
def test_the_tree_is_listed_once_however_many_wheels(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    names = [f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl" for number in range(count)]
    wheels = [house.wheel(name) for name in names]
    listed = listings(monkeypatch)
    assert len(publish(house.site, wheels, "gentoo/avx2").changes) == count
    searched = [
        f"{house.root}/{label}" for label in ("gentoo/avx2", "gentoo/avx", "gentoo/generic", "generic")
    ]
    assert set(searched) <= set(listed)
    # Its own directory and its trash, which is not there, once more for what killed runs have left.
    twice = [f"{house.root}/gentoo/avx2", f"{house.root}/gentoo/avx2/.trash"]
    assert {path for path in listed if listed.count(path) > 1} <= set(twice)
    assert max(map(listed.count, listed)) == 3


def test_a_record_with_quoted_commas_and_a_signature_is_published_right(house: WheelhouseFixture) -> None:
    files = wheel_files(PURE, files={"demo.py": b"", 'a, "b".txt': b"x", "\u6570\u636e/\u00e9.py": b"y"})
    info = "demo-1.0.dist-info"
    files[f"{info}/WHEEL"] = files[f"{info}/WHEEL"].replace(b"\n", b"\r\n")
    files[f"{info}/METADATA"] = files[f"{info}/METADATA"].replace(b"\n", b"\r\n")
    files[f"{info}/RECORD"] = record_of(files, f"{info}/RECORD").replace(b"\n", b"\r\n")
    files = {"d/": b"", **files, f"{info}/RECORD.jws": b"{}"}
    house.publish(pack(house.inbox / PURE, files), "--local-label", "site")
    (path,) = wheels_below(house.root)
    assert_whole(path)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".jws", "/"))]
        assert archive.read("\u6570\u636e/\u00e9.py") == b"y"
