from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import clean_environ, run_cli
from wheelhouse_resolver.errors import NoWheelhouseError, SiteFileError
from wheelhouse_resolver.installers.uv_table import offered_variables
from wheelhouse_resolver.site import config
from wheelhouse_resolver.site.create import site_template
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, BUILTIN_LAYERS
from wheelhouse_resolver.site.model import Site

# -- finding it ------------------------------------------------------------------------------------------


def write(path: Path, root: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'root = "{root}"\n')
    return path


def endless(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Where site files are looked for: `user`, `machine`, `other`."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"{tmp_path}/etc/xdg:{tmp_path}/opt/xdg")

    def place(name: str) -> Path:
        folders = {"user": "home/.config", "machine": "etc/xdg", "second machine": "opt/xdg"}
        if name in folders:
            return tmp_path / folders[name] / "wheelhouse-resolver" / "site.toml"
        return tmp_path / name / "site.toml"

    return place


@pytest.mark.parametrize(
    "there",
    [
        ("given", "environment", "user", "machine", "second machine"),
        ("environment", "user", "machine", "second machine"),
        ("user", "machine", "second machine"),
        ("machine", "second machine"),
        ("second machine",),
    ],
    ids=lambda there: there[0],
)
def test_the_first_site_file_is_taken(
    there: tuple[str, ...], places: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in there:
        write(places(name), f"/of/{name}")
    if "environment" in there:
        monkeypatch.setenv("WHEELHOUSE_CONFIG", str(places("environment")))
    site = Site.load(places("given") if "given" in there else None)
    assert site.root == f"/of/{there[0]}"
    assert site.source == str(places(there[0]))


def test_without_a_site_file_the_built_in_site_is_at_the_users_wheelhouse(
    places: Callable[[str], Path], tmp_path: Path
) -> None:
    wheelhouse = tmp_path / "home" / ".local" / "share" / "wheelhouse"
    wheelhouse.mkdir(parents=True)
    assert Site.load() == Site.default(wheelhouse)


def test_the_machines_wheelhouse_beats_the_users(
    places: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path}/first:{tmp_path}/second")
    for folder in ("home/.local/share", "second"):
        (tmp_path / folder / "wheelhouse").mkdir(parents=True)
    assert Site.load().root == str(tmp_path / "second" / "wheelhouse")


def test_the_wheelhouse_of_the_layouts_origin_beats_all(
    places: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home/.local/share/wheelhouse").mkdir(parents=True)
    monkeypatch.setattr(config, "ORIGIN", str(tmp_path))
    assert Site.load().root == str(tmp_path)


def test_without_any_wheelhouse_the_error_says_how_to_make_one(
    places: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "ORIGIN", "/nonexistent/origin")
    monkeypatch.setenv("XDG_DATA_DIRS", "/nonexistent/data")
    with pytest.raises(NoWheelhouseError) as caught:
        Site.load()
    assert "tried /nonexistent/origin, /nonexistent/data/wheelhouse, " in str(caught.value)
    assert caught.value.hint == (
        "name one with --root or WHEELHOUSE_ROOT, or make one: wheelhouse-resolver init --root DIR"
    )
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("with_file", [True, False], ids=["over-a-site-file's", "over-the-built-in-site's"])
@pytest.mark.parametrize(
    ("argument", "variable", "expected"),
    [
        ("/argument", "/variable", "/argument"),
        (None, "/variable", "/variable"),
        ("/argument", "", "/argument"),
    ],
    ids=["argument-first", "then-WHEELHOUSE_ROOT", "argument-alone"],
)
def test_the_root_can_be_given(
    argument: str | None,
    variable: str,
    expected: str,
    with_file: bool,
    places: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if with_file:
        write(places("user"), "/of/user")
    monkeypatch.setenv("WHEELHOUSE_ROOT", variable)
    assert Site.load(root=argument).root == expected


def test_a_given_root_makes_the_files_own_unnecessary(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("[search]\navx = []\n")
    site = Site.load(file, root="/w")
    assert (site.root, site.search) == ("/w", {"avx": ()})


def test_a_given_root_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Site.load(root="wheels").root == str(tmp_path / "wheels")


def test_a_given_root_that_no_file_could_name_is_an_error() -> None:
    with pytest.raises(NoWheelhouseError) as caught:
        Site.load(root="/a\nb")
    assert str(caught.value) == r"wheelhouse /a\nb: the path cannot be used: it holds a newline"


def test_variables_set_to_nothing_are_not_set(
    places: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(places("user"), "/of/user")
    monkeypatch.setenv("WHEELHOUSE_CONFIG", "")
    monkeypatch.setenv("WHEELHOUSE_ROOT", "")
    assert Site.load().root == "/of/user"


def test_an_environment_can_stand_for_the_processs_own(places: Callable[[str], Path]) -> None:
    file = write(places("other"), "/of/other")
    assert Site.load(environ={"WHEELHOUSE_CONFIG": str(file)}).root == "/of/other"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda _: None, "cannot be read: No such file or directory", id="missing"),
        pytest.param(lambda path: path.mkdir(), "cannot be read: Is a directory", id="directory"),
        pytest.param(os.mkfifo, "cannot be read: not a regular file", id="pipe"),
        pytest.param(
            lambda path: path.symlink_to("/dev/zero"), "cannot be read: not a regular file", id="device"
        ),
        pytest.param(endless, "cannot be read: longer than 16 MiB", id="endless"),
        pytest.param(
            lambda path: path.write_bytes(b'root = "\xff"'), "is not UTF-8, as TOML must be", id="not-utf-8"
        ),
    ],
)
@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_named_site_file_that_cannot_be_read_is_an_error(
    make: Callable[[Path], object], expected: str, how: str, tmp_path: Path
) -> None:
    path = tmp_path / "site.toml"
    make(path)
    argument, environ = (path, {}) if how == "argument" else (None, {"WHEELHOUSE_CONFIG": str(path)})
    with pytest.raises(SiteFileError) as caught:
        Site.load(argument, environ=environ)
    assert str(caught.value) == f"{path}: {expected}"


def test_a_change_of_the_file_is_seen_at_once(tmp_path: Path) -> None:
    file = write(tmp_path / "site.toml", "/aaa")
    status = file.stat()
    assert Site.load(file).root == "/aaa"
    write(file, "/bbb")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Site.load(file).root == "/bbb"


# -- the template ----------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """*text* with the comment marks removed from its examples; prose stays a comment."""
    lines = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        is_example = bare.startswith("[") or bare.partition(" = ")[0].replace("-", "").isalnum()
        lines.append(bare if is_example else line)
    return "\n".join(lines)


@pytest.mark.parametrize(
    "root",
    ["/w", "/a b/ü/%20#", '/with "quotes"', "/back\\slash", "/'", "/\U0001f600"],
    ids=["plain", "hostile", "quotes", "backslash", "apostrophe", "astral"],
)
def test_the_template_is_the_built_in_site_at_that_root(root: str) -> None:
    assert Site.parse(site_template(root), "site.toml") == Site.default(root)._replace(source="site.toml")


def test_the_templates_ladder_is_the_built_in_one() -> None:
    text = uncommented(site_template("/w"))
    assert "\n[[arch]]" in text
    assert Site.parse(text, "site.toml").ladder == BUILTIN_LADDER


def test_the_templates_examples_are_a_valid_site_that_shows_every_key() -> None:
    text = uncommented(site_template("/w"))
    site = Site.parse(text, "site.toml")
    nix, gentoo2023 = site.layers
    assert nix == BUILTIN_LAYERS[0]
    assert gentoo2023._asdict() == {
        "name": "gentoo2023",
        "directories": ("gentoo2023",),
        "archs": ("avx2", "avx512"),
        "names": (("avx2", "x86-64-v3"),),
        "env": (("EBVERSIONGENTOO", "2023"),),
        "interpreter": ("/cvmfs/*/gentoo/2023/*",),
        "os_release": (("ID", ("gentoo",)), ("VERSION_ID", ("2.8", "2.9*"))),
        "default": False,
        "generic": False,
    }
    assert site.search == {"avx512": ("avx512", "avx2")}
    assert set(site.pip) == {"constraint", "only-binary", "disable-pip-version-check"}
    assert set(offered_variables(site)) == {"UV_CACHE_DIR", "UV_LINK_MODE", "UV_PYTHON_DOWNLOADS"}


def test_init_writes_the_template(tmp_path: Path) -> None:
    done = run_cli("init", "--root", tmp_path / "w", environ=clean_environ(HOME=str(tmp_path)))
    assert done.returncode == 0
    assert [path.read_text() for path in tmp_path.rglob("site.toml")] == [site_template(f"{tmp_path}/w")]
