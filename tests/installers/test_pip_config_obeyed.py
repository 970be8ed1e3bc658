"""What is written is obeyed: by real pip, by real uv, and by the real shells of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.factories import clean_environ, make_tree, make_wheel, pip_report, run_pip
from tests.pips import pip_environ
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import PipConfig, Setting, pip_config
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.pip_table import Constraints
from wheelhouse_resolver.utils.urls import file_url

HOST = Host(arch="avx2", layer="gentoo")

#: Each of these means something to some reader of find-links.
HOSTILE = (
    "with space", "two  spaces", "100%", "%41", "%(here)s", "#hash", "semi;colon", "ünïcode", "漢字",
    "\U0001f600", "single'quote", 'double"quote', "$HOME", "${HOME}", "back\\slash", "com,ma", "~", "~root",
    "`id`", "a&b", "[x]", "*?", "!bang", "--dash", "a=b:c", "{b}", "(p)", "<a>|b", "@at+plus", "tail ",
)  # fmt: skip

#: The worst of all: a root that holds every one of them.
WORST = "~ 100%41 #;,ünï'\"$HOME\\`id`&[x]*?!=:{b}(p)<a>|@+ "


def write_config(path: Path, config: PipConfig, form: str = "ini") -> Path:
    path.write_text(config.render(form), encoding="utf-8")
    return path


def site_with(root: Path, pip: Mapping[str, Any], **wheels: str) -> Site:
    """A wheelhouse with one wheel a project (`name="1.0"`) and that [pip] table."""
    filenames = [f"{name}-{version}-py3-none-any.whl" for name, version in wheels.items()]
    frozen = {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in pip.items()}
    return make_tree(root, {"gentoo/avx2": filenames})._replace(pip=MappingProxyType(frozen))


class TestPip:
    @pytest.fixture
    def worst(self, tmp_path: Path) -> Site:
        return make_tree(
            tmp_path / WORST,
            {
                "generic": ["demo-1.0-py3-none-any.whl"],
                "gentoo/avx": ["demo-1.1-py3-none-any.whl"],
                "gentoo/avx512": ["demo-9.0-py3-none-any.whl"],
            },
        )

    @pytest.fixture
    def environ(self, worst: Site, tmp_path: Path) -> dict[str, str]:
        config = write_config(tmp_path / "pip.conf", pip_config(worst, HOST, offline=True))
        return pip_environ(PIP_CONFIG_FILE=str(config))

    def test_install(self, any_pip: list[str], environ: dict[str, str], worst: Site) -> None:
        expected = {"demo": file_url(f"{worst.root}/gentoo/avx/demo-1.1-py3-none-any.whl")}
        assert pip_report("demo", environ=environ, pip=any_pip) == expected

    def test_install_for_real(self, any_pip: list[str], environ: dict[str, str], tmp_path: Path) -> None:
        done = run_pip("install", "--target", tmp_path / "here", "demo", environ=environ, pip=any_pip)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "here/demo.py").read_text() == "MARK = 'gentoo/avx/demo-1.1-py3-none-any.whl'\n"

    @pytest.mark.parametrize(("command", "option"), [("download", "--dest"), ("wheel", "--wheel-dir")])
    def test_download_and_wheel(
        self, command: str, option: str, any_pip: list[str], environ: dict[str, str], tmp_path: Path
    ) -> None:
        done = run_pip(command, option, tmp_path / "here", "demo", environ=environ, pip=any_pip)
        assert done.returncode == 0, done.stderr
        assert [path.name for path in (tmp_path / "here").iterdir()] == ["demo-1.1-py3-none-any.whl"]

    def test_index_versions(self, any_pip: list[str], environ: dict[str, str]) -> None:
        done = run_pip("index", "versions", "demo", environ=environ, pip=any_pip)
        assert done.returncode == 0, done.stderr
        assert "Available versions: 1.1, 1.0\n" in done.stdout

    def test_lock(self, any_pip: list[str], environ: dict[str, str], tmp_path: Path) -> None:
        if run_pip("lock", "--help", environ=environ, pip=any_pip).returncode:
            pytest.skip("this pip has no `lock`")
        done = run_pip("lock", "--output", tmp_path / "pylock.toml", "demo", environ=environ, pip=any_pip)
        assert done.returncode == 0, done.stderr
        assert "demo-1.1-py3-none-any.whl" in (tmp_path / "pylock.toml").read_text()

    @pytest.mark.slow
    @pytest.mark.parametrize("form", ["ini", "json"])
    def test_directories_of_every_hostile_name(self, form: str, any_pip: list[str], tmp_path: Path) -> None:
        for number, name in enumerate(HOSTILE):
            make_wheel(tmp_path / "more" / name, f"p{number}-1.0-py3-none-any.whl")
        more = tuple(str(tmp_path / "more" / name) for name in HOSTILE)
        site = make_tree(tmp_path / "tree", {})._replace(pip=MappingProxyType({"find-links": more}))
        config = pip_config(site, HOST, offline=True)
        if form == "ini":
            environ = pip_environ(PIP_CONFIG_FILE=str(write_config(tmp_path / "pip.conf", config)))
        else:
            environ = pip_environ(**json.loads(config.render("json")))
        projects = [f"p{number}" for number in range(len(HOSTILE))]
        assert pip_report(*projects, environ=environ, pip=any_pip) == {
            project: file_url(f"{directory}/{project}-1.0-py3-none-any.whl")
            for project, directory in zip(projects, more, strict=True)
        }

    def test_options_of_the_site(self, any_pip: list[str], tmp_path: Path) -> None:
        constraints = tmp_path / "constraints ü %.txt"
        constraints.write_text("demo<2\n")
        site = make_tree(
            tmp_path / "tree", {"generic": [f"demo-{version}-py3-none-any.whl" for version in ("1.0", "2.0")]}
        )
        site = site._replace(pip=MappingProxyType({"constraint": (str(constraints),), "timeout": 3}))
        config = pip_config(site, HOST, offline=True)
        expected = {"demo": file_url(f"{site.root}/generic/demo-1.0-py3-none-any.whl")}
        for environ in (
            pip_environ(PIP_CONFIG_FILE=str(write_config(tmp_path / "pip.conf", config))),
            pip_environ(**config.environment()),
        ):
            assert pip_report("demo", environ=environ, pip=any_pip) == expected

    def test_a_section_of_one_command(self, any_pip: list[str], tmp_path: Path) -> None:
        """What replaces the global find-links still names the wheelhouse."""
        more = make_wheel(tmp_path / "more", "other-1.0-py3-none-any.whl")
        site = site_with(
            tmp_path / "tree", {"install": {"find-links": (str(more.parent),), "pre": True}}, demo="1.0rc1"
        )
        make_wheel(tmp_path / "tree/generic", "demo-0.9-py3-none-any.whl")
        config = write_config(tmp_path / "pip.conf", pip_config(site, HOST, offline=True))
        found = pip_report("demo", "other", environ=pip_environ(PIP_CONFIG_FILE=str(config)), pip=any_pip)
        assert found == {
            "demo": file_url(f"{site.root}/gentoo/avx2/demo-1.0rc1-py3-none-any.whl"),
            "other": file_url(str(more)),
        }

    def test_an_option_of_every_kind_is_read_back(self, any_pip: list[str], tmp_path: Path) -> None:
        pip = {
            "timeout": 7,
            "disable-pip-version-check": True,
            "cert": "/etc/a path #1; 100%/$HOME 'x'.pem",
            "only-binary": ("numpy", "scipy"),
            "trusted-host": ("a.example", "b.example:80"),
            "install": {"no-compile": False},
        }
        site = site_with(tmp_path / WORST, pip)
        config = write_config(tmp_path / "pip.conf", pip_config(site, HOST))
        done = run_pip("config", "list", environ=pip_environ(PIP_CONFIG_FILE=str(config)), pip=any_pip)
        links = "\n".join(["", *pip_config(site, HOST).find_links])
        for line in [
            "global.timeout='7'",
            "global.disable-pip-version-check='true'",
            f"global.cert={pip['cert']!r}",
            "global.only-binary='numpy,scipy'",
            r"global.trusted-host='\na.example\nb.example:80'",
            "install.no-compile='false'",
            f"global.find-links={links!r}",
        ]:
            assert line in done.stdout.splitlines()


def uv(*arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if command is None:
        pytest.skip("uv is not installed")
    more = {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1"}
    return subprocess.run([command, *arguments], env={**environ, **more}, capture_output=True, text=True)


def make_sdist(directory: Path, project: str) -> Path:
    """A source distribution that says so when something tries to build it."""
    directory.mkdir(parents=True, exist_ok=True)
    source = directory / f"{project}-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text(f"Metadata-Version: 2.2\nName: {project}\nVersion: 1.0\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "backend.py").write_text('raise RuntimeError("it was built")\n')
    path = directory / f"{project}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(source, source.name)
    shutil.rmtree(source)
    return path


class TestUv:
    @pytest.fixture
    def base(self, tmp_path: Path) -> dict[str, str]:
        environ = clean_environ(UV_CACHE_DIR=str(tmp_path / "cache"))
        del environ["UV_NO_CONFIG"]
        return environ

    def install(self, target: Path, *requirements: str, environ: Mapping[str, str]) -> str:
        done = uv(
            "pip", "install", "--python", sys.executable, "--target", str(target), *requirements,
            environ=environ,
        )  # fmt: skip
        return done.stderr if done.returncode else ""

    @pytest.mark.slow
    @pytest.mark.parametrize("form", ["json", "uv"])
    @pytest.mark.parametrize("name", [*HOSTILE, WORST])
    def test_wheels_come_from_the_right_directory(
        self, name: str, form: str, base: dict[str, str], tmp_path: Path
    ) -> None:
        site = make_tree(
            tmp_path / name,
            {
                "gentoo/avx2": ["demo-1.1-py3-none-any.whl"],
                "gentoo/avx512": ["demo-9.0-py3-none-any.whl"],
                "generic": ["demo-1.0-py3-none-any.whl", "other-2.0-py3-none-any.whl"],
            },
        )
        config = pip_config(site, HOST, offline=True)
        if form == "json":
            environ = {**base, **json.loads(config.render("json"))}
        else:
            environ = {**base, "UV_CONFIG_FILE": str(write_config(tmp_path / "uv.toml", config, "uv"))}
        assert self.install(tmp_path / "here", "demo", "other", environ=environ) == ""
        assert (tmp_path / "here/demo.py").read_text() == "MARK = 'gentoo/avx2/demo-1.1-py3-none-any.whl'\n"
        assert (tmp_path / "here/other.py").read_text() == "MARK = 'generic/other-2.0-py3-none-any.whl'\n"

    @pytest.mark.parametrize("form", ["uv", "uv-find-links"])
    def test_every_key_of_the_file_is_one_that_uv_knows(
        self, form: str, base: dict[str, str], tmp_path: Path
    ) -> None:
        options = {
            "index-url": "https://i.example/simple",
            "extra-index-url": ("https://a.example/simple", "https://b.example/simple"),
            "trusted-host": ("a.example", "b.example:8080"),
            "pre": True,
            "require-hashes": True,
        }
        for number, binary in enumerate([("numpy", "scipy"), ":all:"]):
            pip = {**options, "only-binary": binary, "no-binary": binary, "no-index": binary == ":all:"}
            config = pip_config(site_with(tmp_path / str(number), pip), HOST)
            config = config._replace(constraints=Constraints(("demo<2",), ("demo<2",)))
            path = write_config(tmp_path / "uv.toml", config, form)
            environ = {**base, "UV_CONFIG_FILE": str(path)}
            listing = ("pip", "list", "--python", sys.executable)
            done = uv(*listing, environ=environ)
            assert done.returncode == 0, done.stderr
            # It does look: a key that it does not know is an error.
            path.write_text("no-such-key = true\n" + path.read_text())
            assert "unknown field `no-such-key`" in uv(*listing, environ=environ).stderr

    def test_constraint_files(self, base: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo<2\n")
        (tmp_path / "b ü.txt").write_text("other<2\n")
        pip = {"constraint": (str(tmp_path / "a.txt"), str(tmp_path / "b ü.txt"))}
        site = site_with(tmp_path / "tree", pip, demo="1.0", other="1.0")
        for name in ("demo", "other"):
            make_wheel(tmp_path / "tree/generic", f"{name}-2.0-py3-none-any.whl")
        environ = {**base, **pip_config(site, HOST, offline=True).environment()}
        assert self.install(tmp_path / "here", "demo", "other", environ=environ) == ""
        assert sorted(path.name for path in (tmp_path / "here").glob("*.dist-info")) == [
            "demo-1.0.dist-info",
            "other-1.0.dist-info",
        ]

    @pytest.mark.parametrize("form", ["json", "uv"])
    def test_indexes(self, form: str, base: dict[str, str], tmp_path: Path) -> None:
        for index in ("main", "more", "third"):
            wheel = make_wheel(tmp_path / "wheels", f"{index}-1.0-py3-none-any.whl")
            page = tmp_path / index / index / "index.html"
            page.parent.mkdir(parents=True)
            page.write_text(f'<a href="{wheel.as_uri()}">{wheel.name}</a>')
        pip = {
            "index-url": (tmp_path / "main").as_uri(),
            "extra-index-url": ((tmp_path / "more").as_uri(), (tmp_path / "third").as_uri()),
        }
        config = pip_config(site_with(tmp_path / "tree", pip, demo="1.0"), HOST)
        if form == "json":
            environ = {**base, **config.environment()}
        else:
            environ = {**base, "UV_CONFIG_FILE": str(write_config(tmp_path / "uv.toml", config, "uv"))}
        assert self.install(tmp_path / "here", "demo", "main", "more", "third", environ=environ) == ""

    @pytest.mark.parametrize("form", ["json", "uv"])
    def test_pre(self, form: str, base: dict[str, str], tmp_path: Path) -> None:
        site = site_with(tmp_path / "tree", {"pre": True}, demo="2.0rc1")
        make_wheel(tmp_path / "tree/generic", "demo-1.0-py3-none-any.whl")
        config = pip_config(site, HOST, offline=True)
        if form == "json":
            environ = {**base, **config.environment()}
        else:
            environ = {**base, "UV_CONFIG_FILE": str(write_config(tmp_path / "uv.toml", config, "uv"))}
        assert self.install(tmp_path / "here", "demo", environ=environ) == ""
        assert (tmp_path / "here/demo-2.0rc1.dist-info").is_dir()

    def test_require_hashes(self, base: dict[str, str], tmp_path: Path) -> None:
        site = site_with(tmp_path / "tree", {"require-hashes": True}, demo="1.0")
        environ = {**base, **pip_config(site, HOST, offline=True).environment()}
        assert "--require-hashes" in self.install(tmp_path / "here", "demo", environ=environ)

    @pytest.mark.parametrize(
        ("pip", "refusal"),
        [
            pytest.param({}, "", id="nothing"),
            pytest.param({"only-binary": ("other", "sdist")}, "no usable wheels", id="only-binary"),
            pytest.param({"only-binary": ":all:"}, "no usable wheels", id="only-binary-all"),
        ],
    )
    @pytest.mark.parametrize("form", ["json", "uv"])
    def test_only_binary(
        self, form: str, pip: dict[str, Any], refusal: str, base: dict[str, str], tmp_path: Path
    ) -> None:
        config = pip_config(site_with(tmp_path / "tree", pip), HOST, offline=True)
        make_sdist(tmp_path / "tree/generic", "sdist")
        self.check_run("sdist", config, form, refusal or "it was built", base, tmp_path)

    @pytest.mark.parametrize(
        ("pip", "refusal"),
        [
            pytest.param({}, "", id="nothing"),
            pytest.param({"no-binary": ("other", "demo")}, "no source distribution", id="no-binary"),
            pytest.param({"no-binary": ":all:"}, "no source distribution", id="no-binary-all"),
        ],
    )
    @pytest.mark.parametrize("form", ["json", "uv"])
    def test_no_binary(
        self, form: str, pip: dict[str, Any], refusal: str, base: dict[str, str], tmp_path: Path
    ) -> None:
        config = pip_config(site_with(tmp_path / "tree", pip, demo="1.0"), HOST, offline=True)
        self.check_run("demo", config, form, refusal, base, tmp_path)

    def check_run(
        self, project: str, config: PipConfig, form: str, words: str, base: dict[str, str], tmp_path: Path
    ) -> None:
        """`uv run`, which obeys the variables of these options; `uv pip` obeys the file only."""
        if form == "json":
            environ = {**base, **config.environment()}
        else:
            environ = {**base, "UV_CONFIG_FILE": str(write_config(tmp_path / "uv.toml", config, "uv"))}
        done = uv(
            "run", "--no-project", "--python", sys.executable, "--with", project, "python", "-c", "pass",
            environ=environ,
        )  # fmt: skip
        assert (done.returncode != 0) == bool(words), done.stderr
        assert words in done.stderr

    def test_build_constraint_files_are_read(self, base: dict[str, str], tmp_path: Path) -> None:
        site = site_with(tmp_path / "tree", {"build-constraint": "/nowhere/build.txt"}, demo="1.0")
        environ = {**base, **pip_config(site, HOST, offline=True).environment()}
        assert "/nowhere/build.txt" in self.install(tmp_path / "here", "demo", environ=environ)

    def test_the_variable_of_trusted_hosts_is_one_that_uv_knows(self, base: dict[str, str]) -> None:
        told = uv("help", "pip", "install", environ=base).stdout
        assert "UV_INSECURE_HOST" in re.findall(r"UV_[A-Z_]+", told)


#: What shells would expand, split or choke on, all in one value, and some of it alone.
VALUES = (
    "plain",
    "",
    "two words",
    "two  spaces and a tab's worth  ",
    "it's \"quoted\" and 'quoted'",
    "$HOME ${HOME} $(id) `id` $1 $$",
    "back\\slash \\\\ \\' \\\" \\n end\\",
    "!bang !! !$ !*",
    "* ? [a-z] {a,b} ~ ~root",
    "a;b&c|d<e>f(g)h",
    "#comment %percent ^caret @at =equals",
    "'",
    "\\",
    "-n",
    WORST.encode("ascii", "ignore").decode(),
)

SHELLS = [
    pytest.param("sh", ["dash", "-c", 'eval "$(cat "$0")"; exec "$@"'], id="dash-eval"),
    pytest.param("sh", ["dash", "-c", '. "$0"; exec "$@"'], id="dash-source"),
    pytest.param("sh", ["bash", "--norc", "-c", 'eval "$(cat "$0")"; exec "$@"'], id="bash-eval"),
    pytest.param("sh", ["bash", "--norc", "-c", '. "$0"; exec "$@"'], id="bash-source"),
    pytest.param("sh", ["bash", "--norc", "-c", 'set -H -u -e; . "$0"; exec "$@"'], id="bash-with-history"),
    pytest.param("sh", ["ksh", "-c", '. "$0"; exec "$@"'], id="ksh-source"),
    pytest.param("sh", ["zsh", "-f", "-c", 'eval "$(cat "$0")"; exec "$@"'], id="zsh-eval"),
    pytest.param("sh", ["zsh", "-f", "-c", '. "$0"; exec "$@"'], id="zsh-source"),
    pytest.param("csh", ["tcsh", "-f", "-c", "source $argv[1]:q; $argv[2-]:q"], id="tcsh-source"),
    pytest.param("csh", ["tcsh", "-f", "-c", 'eval "`cat $argv[1]:q`"; $argv[2-]:q'], id="tcsh-eval"),
    pytest.param("fish", ["fish", "--no-config", "-c", "source $argv[1]; $argv[2..]"], id="fish-source"),
    pytest.param("fish", ["fish", "--no-config", "-c", "cat $argv[1] | source; $argv[2..]"], id="fish-pipe"),
    pytest.param("fish", ["fish", "--no-config", "-c", "eval (cat $argv[1]); $argv[2..]"], id="fish-eval"),
]


class TestShells:
    def evaluated(self, shell: Sequence[str], script: Path) -> dict[str, str]:
        """The environment of a program that *shell* starts after it has evaluated *script*."""
        if shutil.which(shell[0]) is None:
            pytest.skip(f"{shell[0]} is not installed")
        show = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
        done = subprocess.run(
            [*shell, str(script), *show], env=clean_environ(), capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        found: dict[str, str] = json.loads(done.stdout)
        return found

    @pytest.mark.parametrize(("form", "shell"), SHELLS)
    def test_a_shell_is_given_exactly_the_environment(
        self, form: str, shell: list[str], tmp_path: Path
    ) -> None:
        settings = tuple(Setting(f"x{number}", (value,)) for number, value in enumerate(VALUES))
        links = tuple(file_url(f"{tmp_path}/{name}") for name in HOSTILE)
        config = PipConfig("a comment", (Setting("find-links", links), *settings))
        script = tmp_path / "settings"
        script.write_text(config.render(form))
        found = self.evaluated(shell, script)
        expected = config.environment()
        assert {name: found.get(name) for name in expected} == expected
