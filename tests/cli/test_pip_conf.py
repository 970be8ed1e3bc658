from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import BUILTIN_LABELS, REAL_LAYOUT, clean_environ, make_tree, make_wheel
from tests.pips import fetch_pip
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import FORMATS, pip_config
from wheelhouse_resolver.site.model import Site

GENTOO = ("--layer", "gentoo", "--arch", "generic")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path / "tree", {})
    return tmp_path / "tree"


@pytest.fixture
def real_site(tmp_path: Path, cli: Cli) -> Path:
    config = tmp_path / "site.toml"
    root = f'root = "{tmp_path}/tree"\n'
    config.write_text(f"{root}{REAL_LAYOUT}[pip]\nprefer-binary = true\n")
    cli("init", "--config", config)
    return config


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_what_the_library_renders(form: str, cli: Cli, root: Path) -> None:
    outcome = cli("pip-conf", "--format", form, "--root", root, *GENTOO)
    config = pip_config(Site.default(root), Host(layer="gentoo"))
    assert outcome == (0, config.render(form), "")


def test_offline_and_keep_missing(cli: Cli, root: Path) -> None:
    (root / "generic").rmdir()
    assert f"file://{root}/generic\n" not in cli("pip-conf", "--root", root, *GENTOO).out
    outcome = cli("pip-conf", "--offline", "--keep-missing", "--root", root, *GENTOO)
    assert f"    file://{root}/generic\nno-index = true\n" in outcome.out


def test_what_a_format_cannot_say_is_a_warning(cli: Cli, root: Path, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    (tmp_path / "c.txt").write_text("one===text\ntwo<2\n")
    table = f'[pip]\nconstraint = "{tmp_path}/c.txt"\n[pip.install]\npre = true\n'
    config.write_text(f'root = "{root}"\n{table}')
    outcome = cli("pip-conf", "--config", config, *GENTOO, "--format", "uv")
    assert outcome.code == 0
    first, second = outcome.err.splitlines()
    assert first.startswith("warning: [pip.install]: only an INI file")
    assert second == f"warning: one===text ({tmp_path}/c.txt, line 1): uv compares no versions as text"
    assert 'constraint-dependencies = [\n    "two<2",\n]\n' in outcome.out


@pytest.mark.parametrize("form", ["sh", "csh", "fish", "json"])
def test_variables_name_a_file_for_uv(form: str, cli: Cli, root: Path, tmp_path: Path) -> None:
    config, limits, written = (tmp_path / name for name in ("site.toml", "limits.txt", "it's.toml"))
    limits.write_text("one===text\n")
    config.write_text(f'root = "{root}"\n[pip]\nconstraint = "{limits}"\n')
    shared = ("pip-conf", "--config", config, *GENTOO, "--format")
    for _ in range(2):  # written, and kept
        outcome = cli(*shared, form, "--uv-config", written)
        said = f"warning: one===text ({limits}, line 1): uv compares no versions as text\n"
        assert (outcome.code, outcome.err) == (0, said)
        assert set(re.findall("UV_[A-Z_]+", outcome.out)) == {"UV_CONFIG_FILE"}
        assert "PIP_FIND_LINKS" in outcome.out
        assert cli(*shared, "uv").out == written.read_text()
        written.chmod(0o444)
        if form == "json":
            assert json.loads(outcome.out)["UV_CONFIG_FILE"] == str(written)


def test_a_file_for_uv_goes_with_variables(cli: Cli, root: Path, tmp_path: Path) -> None:
    for arguments in (("--format", "uv"), (), ("--all", "--output-dir", tmp_path / "out")):
        outcome = cli("pip-conf", "--root", root, *arguments, "--uv-config", tmp_path / "uv.toml")
        assert outcome.code == 2
        assert outcome.err.startswith("error: --uv-config goes with --format sh, csh, fish, json\n")
    outcome = cli("pip-conf", "--root", root, *GENTOO, "--format", "sh", "--uv-config", tmp_path / "a\nb")
    assert (outcome.code, outcome.out) == (2, "")
    assert os.listdir(tmp_path) == ["tree"]


def test_no_directory_at_all_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("pip-conf", "--root", tmp_path, *GENTOO)
    assert outcome.code == 0
    assert outcome.err.startswith("warning: no directory of this host's search path exists below ")


def test_a_constraints_file_that_is_a_pipe_is_not_waited_for(cli: Cli, root: Path, tmp_path: Path) -> None:
    config, limits = tmp_path / "site.toml", tmp_path / "limits.txt"
    config.write_text(f'root = "{root}"\n[pip]\nconstraint = "{limits}"\n')
    os.mkfifo(limits)
    done = cli("pip-conf", "--config", config, *GENTOO)
    assert done.code == 0
    assert done.err == f"warning: {limits} cannot be read (not a regular file): every pip install fails\n"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "demo[fast]==1.0",
            "demo[fast]==1.0 ({path}, line 1): a constraint cannot have extras: every pip install",
        ),
        ("demo == ?", "{path}, line 1: invalid requirement 'demo == ?'"),
        (None, "{path} cannot be read (No such file or directory): every pip install fails"),
        ("demo @ file:///demo-1.0-py3-none-any.whl", ""),
        ("demo==1.0", ""),
    ],
    ids=str,
)
def test_a_constraints_file_that_stops_pip_is_a_warning(
    text: str | None, warning: str, cli: Cli, root: Path, tmp_path: Path
) -> None:
    config, limits = tmp_path / "site.toml", tmp_path / "limits.txt"
    config.write_text(f'root = "{root}"\n[pip]\nconstraint = "{limits}"\n')
    if text is not None:
        limits.write_text(f"{text}\n")
    for _ in range(2):  # asked, and remembered
        done = cli("pip-conf", "--config", config, *GENTOO)
        assert done.code == 0
        assert f"constraint =\n    {limits}\n" in done.out
        assert done.err.startswith(f"warning: {warning.format(path=limits)}") if warning else done.err == ""
    limits.write_text("demo==1.0; python_version < '4'\n-c more.txt\n")
    (tmp_path / "more.txt").write_text("one[x]\n")
    assert "one[x] (" in cli("pip-conf", "--config", config, *GENTOO).err
    (tmp_path / "more.txt").write_text("one\n")
    assert cli("pip-conf", "--config", config, *GENTOO).err == ""


def test_a_build_constraint_that_is_missing_is_a_warning(cli: Cli, root: Path, tmp_path: Path) -> None:
    """pip opens it for wheels, too; what is in it counts where it builds."""
    config, limits = tmp_path / "site.toml", tmp_path / "build.txt"
    config.write_text(f'root = "{root}"\n[pip]\nbuild-constraint = "{limits}"\n')
    problem = f"the build-constraint {limits} cannot be read (No such file or directory): "
    problem += "every pip install fails (pip 25.3 and later)"
    assert cli("pip-conf", "--config", config, *GENTOO).err == f"warning: {problem}\n"
    assert problem in cli("audit", "--config", config).out
    limits.write_text("not a requirement!\n")
    assert cli("pip-conf", "--config", config, *GENTOO).err == ""


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("release", ["25.2", "25.3", "26.3"])
def test_what_pip_does_with_one_and_with_options_that_it_no_longer_has(
    release: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    make_wheel(tmp_path / "links", "demo-1.0-py3-none-any.whl")
    pip = fetch_pip(f"pip=={release}", tmp_path_factory.getbasetemp())
    (tmp_path / "content.txt").write_text("not a requirement!\n")
    (tmp_path / "option.txt").write_text("--global-option=-q\ndemo\n")

    def installs(limits: str, *asked: str) -> bool:
        environ = {**clean_environ(), "PIP_CONFIG_FILE": os.devnull, "PIP_BUILD_CONSTRAINT": limits}
        options = ("--no-index", "--find-links", str(tmp_path / "links"), "--dry-run", "--target", "t")
        done = subprocess.run([*pip, "install", *options, *asked], env=environ, cwd=tmp_path)
        return done.returncode == 0

    assert installs("/nowhere/build.txt", "demo") is (release == "25.2")
    assert installs("content.txt", "demo")
    assert installs("", "-r", "option.txt") is (release == "25.2")


class TestOutput:
    def test_it_is_written_to_the_file_and_nothing_to_stdout(
        self, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        expected = cli("pip-conf", "--root", root, *GENTOO).out
        outcome = cli("pip-conf", "--root", root, *GENTOO, "--output", tmp_path / "pip.conf")
        assert outcome == (0, "", "")
        assert (tmp_path / "pip.conf").read_text() == expected
        assert sorted(os.listdir(tmp_path)) == ["pip.conf", "tree"]

    def test_the_old_file_is_replaced_whole(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        """A reader that has the old file open goes on reading the old content."""
        path = tmp_path / "pip.conf"
        path.write_text("old\n" * 1000)
        with path.open() as reader:
            cli("pip-conf", "--root", root, *GENTOO, "--output", path)
            assert reader.read() == "old\n" * 1000
        assert path.read_text().startswith("# wheelhouse of layer gentoo")

    def test_nothing_is_rewritten_when_nothing_changed(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        path = tmp_path / "pip.conf"
        cli("pip-conf", "--root", root, *GENTOO, "--output", path)
        before = path.stat()
        cli("pip-conf", "--root", root, *GENTOO, "--output", path)
        after = path.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_a_link_is_followed(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("real.conf")
        cli("pip-conf", "--root", root, *GENTOO, "--output", tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real.conf").is_file()

    @pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], ids=oct)
    def test_a_new_file_follows_the_umask(self, umask: int, cli: Cli, root: Path, tmp_path: Path) -> None:
        before = os.umask(umask)
        try:
            cli("pip-conf", "--root", root, *GENTOO, "--output", tmp_path / "pip.conf")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "pip.conf").stat().st_mode) == 0o666 & ~umask

    def test_a_replaced_file_keeps_its_permissions(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        path = tmp_path / "pip.conf"
        path.write_text("old")
        path.chmod(0o600)
        cli("pip-conf", "--root", root, *GENTOO, "--output", path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestAll:
    def test_the_files_of_the_built_in_site(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        directory = tmp_path / "etc/pip"
        outcome = cli("pip-conf", "--all", "--output-dir", directory, "--root", root)
        assert (outcome.code, outcome.err) == (0, "")
        names = {f"pip-{'-'.join(reversed(label.split('/')))}.conf" for label in BUILTIN_LABELS}
        assert set(os.listdir(directory)) == names
        *lines, totals = outcome.out.splitlines()
        assert {line.removeprefix(f"wrote {directory}/") for line in lines} == names
        assert totals == "11 files written, 0 kept"

    def test_the_files_of_a_real_site(self, cli: Cli, real_site: Path, tmp_path: Path) -> None:
        cli("pip-conf", "--all", "--output-dir", tmp_path / "out", "--config", real_site)
        old = [f"pip-{a}-{layer}.conf" for a in ("avx", "avx2", "avx512", "generic", "sse3")
               for layer in ("gentoo2020", "nix")]  # fmt: skip
        assert sorted(os.listdir(tmp_path / "out")) == sorted(
            [
                *old,
                "pip-x86-64-v3-gentoo2023.conf",
                "pip-x86-64-v4-gentoo2023.conf",
                "pip-generic-gentoo2023.conf",
                "pip-generic.conf",
            ]
        )

    @pytest.mark.parametrize("more", [(), ("--offline",), ("--keep-missing",)], ids=str)
    def test_each_file_is_what_pip_conf_prints_for_such_a_host(
        self, more: tuple[str, ...], cli: Cli, real_site: Path, tmp_path: Path
    ) -> None:
        cli("pip-conf", "--all", "--output-dir", tmp_path / "out", "--config", real_site, *more)
        for name in os.listdir(tmp_path / "out"):
            arch, _, layer = name.removeprefix("pip-").removesuffix(".conf").rpartition("-")
            host = ("--arch", arch, "--layer", layer) if arch else ("--arch", "generic", "--layer", "none")
            printed = cli("pip-conf", "--config", real_site, *host, *more).out
            assert (tmp_path / "out" / name).read_text() == printed

    def test_a_second_run_rewrites_nothing(self, cli: Cli, real_site: Path, tmp_path: Path) -> None:
        arguments = ("pip-conf", "--all", "--output-dir", tmp_path / "out", "--config", real_site)
        cli(*arguments)
        before = {path: path.stat() for path in (tmp_path / "out").iterdir()}
        outcome = cli(*arguments)
        *lines, totals = outcome.out.splitlines()
        assert {line[:5] for line in lines} == {"kept "}
        assert totals == f"0 files written, {len(lines)} kept"
        for path, status in before.items():
            after = path.stat()
            assert (after.st_ino, after.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)

    def test_only_what_changed_is_rewritten(self, cli: Cli, real_site: Path, tmp_path: Path) -> None:
        arguments = ("pip-conf", "--all", "--output-dir", tmp_path / "out", "--config", real_site)
        cli(*arguments)
        (tmp_path / "tree/gentoo2023/x86-64-v4").rmdir()
        wrote = [line for line in cli(*arguments).out.splitlines() if line.startswith("wrote")]
        assert wrote == [f"wrote {tmp_path}/out/pip-x86-64-v4-gentoo2023.conf"]


class TestXdg:
    """`--all --form xdg`: a directory for each class, with a file for pip and one for uv."""

    def test_each_file_is_what_pip_conf_prints_and_all_can_read_it(
        self, cli: Cli, real_site: Path, tmp_path: Path
    ) -> None:
        arguments = (
            "pip-conf",
            "--all",
            "--form",
            "xdg",
            "--output-dir",
            tmp_path / "a/b",
            "--config",
            real_site,
        )
        before = os.umask(0o077)
        try:
            outcome = cli(*arguments)
        finally:
            os.umask(before)
        assert outcome.out.endswith("\n28 files written, 0 kept\n")
        classes = os.listdir(tmp_path / "a/b")
        assert len(classes) == 14
        for name in classes:
            arch, _, layer = name.rpartition("-")
            host = ("--arch", arch, "--layer", layer) if arch else ("--arch", "generic", "--layer", "none")
            for file, form in (("pip/pip.conf", "ini"), ("uv/uv.toml", "uv")):
                printed = cli("pip-conf", "--config", real_site, *host, "--format", form).out
                assert (tmp_path / "a/b" / name / file).read_text() == printed
        for path in (tmp_path / "a").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o555 == (0o555 if path.is_dir() else 0o444)
        assert cli(*arguments).out.endswith("\n0 files written, 28 kept\n")

    def test_both_forms_side_by_side_and_what_neither_is_for_any_more(
        self, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        """What is stale is reported, not removed: somebody's session may use it still."""
        output, config = tmp_path / "etc", tmp_path / "site.toml"
        (output / "theirs/pip").mkdir(parents=True)
        (output / "theirs/pip/pip.conf").write_text("[global]\n")
        both = [("pip-conf", "--all", "--output-dir", output, "--form", form) for form in ("file", "xdg")]
        for arguments in both:
            outcome = cli(*arguments, "--root", root)
            assert (outcome.code, outcome.err) == (0, "")
        config.write_text(f'root = "{root}"\n[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n')
        gone = ["avx-gentoo", "avx512-gentoo", "sse3-gentoo"]
        gone += [f"{arch}-nix" for arch in ("avx", "avx2", "avx512", "generic", "sse3")]
        for arguments, start, end in zip(both, ("pip-", ""), (".conf", ""), strict=True):
            outcome = cli(*arguments, "--config", config)
            paths = sorted(f"{output}/{start}{name}{end}" for name in gone)
            assert outcome.err.splitlines() == [
                f"warning: {path} is for no kind of host that the site has now: remove it" for path in paths
            ]
            assert outcome.code == 0
        assert len(os.listdir(output)) == 11 + 11 + 1

    def test_what_uv_cannot_say_is_one_warning(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        config = tmp_path / "site.toml"
        (tmp_path / "limits.txt").write_text("demo==1.0\n")
        config.write_text(f'root = "{root}"\n[pip]\nno-deps = true\nconstraint = "{tmp_path}/limits.txt"\n')
        outcome = cli(
            "pip-conf", "--all", "--form", "xdg", "--output-dir", tmp_path / "out", "--config", config
        )
        assert outcome.err == "warning: no-deps: uv has no such setting\n"
        assert '"demo==1.0",' in (tmp_path / "out/avx2-nix/uv/uv.toml").read_text()

    @pytest.mark.parametrize(
        ("more", "problem"),
        [
            (("--form", "xdg"), "--form says what --all writes"),
            (("--all", "--form", "xdg", "--output-dir", "/a:b"), "XDG_CONFIG_DIRS is split at colons"),
            (
                ("--all", "--form", "xdg", "--output-dir", "x", "--format", "uv"),
                "leave out --output and --format",
            ),
            (("--all", "--form", "xdg", "--output-dir", "taken"), "taken/avx512-gentoo"),
            (("--all", "--form", "xdg", "--output-dir", "pages"), "there is a static index"),
        ],
    )
    def test_bad_input(
        self, more: tuple[str, ...], problem: str, cli: Cli, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(root)
        (root / "taken").mkdir()
        (root / "taken/avx512-gentoo").touch()
        (root / "pages/avx-nix").mkdir(parents=True)
        (root / "pages/avx-nix/index.html").touch()
        failed = cli("pip-conf", "--root", root, *more)
        assert failed.code == 2
        assert problem in failed.err
        assert not os.path.exists("/a:b")


def test_json_is_an_object_of_variables(cli: Cli, root: Path) -> None:
    found = json.loads(cli("pip-conf", "--format", "json", "--root", root, *GENTOO).out)
    assert set(found) == {"PIP_FIND_LINKS", "UV_FIND_LINKS"}


def test_a_static_index_is_named_in_every_form_and_missed(cli: Cli, root: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/index/avx2-gentoo"
    command = [
        "pip-conf",
        "--root",
        root,
        "--index",
        tmp_path / "index",
        "--arch",
        "avx2",
        "--layer",
        "gentoo",
    ]
    done = cli(*command)
    assert done.out == f"# wheelhouse of layer gentoo, arch avx2\n[global]\nextra-index-url =\n    {url}\n"
    assert done.err.startswith(f"warning: there is no index for this host at {tmp_path}/index/avx2-gentoo: `")
    assert f"wheelhouse-resolver index --root {root} --output {tmp_path}/index" in done.err
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    refused = cli("pip-conf", "--root", root, "--index", tmp_path / "full")
    assert refused.code == 2
    assert f"{tmp_path}/full: it holds other files, and is no index" in refused.error
    refused = cli("pip-conf", "--root", root, "--view", tmp_path / "none")
    assert refused.error == (
        f"error: --view {tmp_path}/none: there is no such directory "
        f"hint: `wheelhouse-resolver view --root {root} --output {tmp_path}/none` makes it"
    )
    (tmp_path / "index/avx2-gentoo").mkdir(parents=True)
    (tmp_path / "index/avx2-gentoo/index.html").touch()
    entry = f'index-strategy = "unsafe-best-match"\n\n[[index]]\nurl = "{url}"\n'
    for more, end in (([], ""), (["--offline"], "default = true\n")):
        done = cli(*command, *more, "--format", "uv")
        assert (done.out.partition("\n")[2], done.err) == (entry + end, "")
    done = cli(*command, "--offline", "--format", "json")
    assert json.loads(done.out) == {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def test_the_index_of_the_site_file_is_for_its_own_tree_only(cli: Cli, root: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f'root = "{root}"\n[index]\ndirectory = "{tmp_path}/index"\n')
    for more, place in (
        ([], f"{tmp_path}/index/"),
        (["--view", str(tmp_path)], ""),
        (["--root", str(tmp_path)], ""),
        (["--view", str(tmp_path), "--index", str(tmp_path / "other")], f"{tmp_path}/other/"),
    ):
        done = cli("pip-conf", "--config", site, *more)
        assert done.code == 0
        assert ("index-url" in done.out) == bool(place)
        assert place in done.out
