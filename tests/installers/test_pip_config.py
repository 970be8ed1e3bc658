from __future__ import annotations

import configparser
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.factories import BUILTIN_LABELS, make_tree
from wheelhouse_resolver.errors import NoWheelhouseError, UnsafeValueError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import FORMATS, PipConfig, Setting, pip_config, static_configs
from wheelhouse_resolver.site.layout import Arch, Layer
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url

HOST = Host(arch="avx2", layer="gentoo")


def frozen(value: Any) -> Any:
    return MappingProxyType({k: frozen(v) for k, v in value.items()}) if isinstance(value, dict) else value


def config_of(root: Path, pip: Mapping[str, Any] = MappingProxyType({}), **options: Any) -> PipConfig:
    """The configuration of a site with an empty tree and that [pip] table."""
    site = make_tree(root, {})._replace(pip=frozen(dict(pip)))
    return pip_config(site, HOST, **options)


def ini_of(config: PipConfig) -> dict[str, dict[str, str]]:
    """The INI file as pip reads it: its parser does no interpolation."""
    parser = configparser.RawConfigParser()
    parser.read_string(config.render("ini"))
    return {section: dict(parser[section]) for section in parser.sections()}


class TestFileUrl:
    @given(
        path=st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029")).map(
            "/".__add__
        )
    )
    @example(path="/")
    @example(path="/a b%20#;?&'\"$HOME`~\\,!*[x]{y}|<z>^@:=+é漢\U0001f600")
    def test_it_is_what_pathlib_makes(self, path: str) -> None:
        # pathlib would tidy the path first.
        tidy = str(PurePosixPath(path))
        assert file_url(tidy) == PurePosixPath(tidy).as_uri()

    @pytest.mark.parametrize("path", ["/a\nb", "/a\rb", "/a\0b", "/\x1b[31m", "/a\x7f", "/\x85", "/\u2028"])
    def test_a_control_character_is_refused(self, path: str) -> None:
        with pytest.raises(UnsafeValueError, match=r"newline|control character"):
            file_url(path)

    def test_what_is_no_utf_8_is_refused(self) -> None:
        with pytest.raises(UnsafeValueError, match="UTF-8"):
            file_url(os.fsdecode(b"/caf\xe9"))


class TestFindLinks:
    def test_the_search_path_most_specific_first(self, tmp_path: Path) -> None:
        expected = ["gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"]
        found = config_of(tmp_path).find_links
        assert list(found) == [f"file://{tmp_path}/{label}" for label in expected]

    def test_directories_that_do_not_exist_are_left_out_unless_kept(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {}, labels=["gentoo/avx", "generic"])
        urls = [f"file://{tmp_path}/gentoo/avx", f"file://{tmp_path}/generic"]
        assert list(pip_config(site, HOST).find_links) == urls
        assert len(pip_config(site, HOST, keep_missing=True).find_links) == 5

    def test_with_no_directory_there_is_no_find_links(self, tmp_path: Path) -> None:
        config = pip_config(make_tree(tmp_path, {}, labels=[]), HOST)
        assert config.find_links == ()
        assert config.environment() == {}
        assert ini_of(config) == {"global": {}}

    @pytest.mark.parametrize("kind", ["missing", "file"])
    def test_a_root_that_is_no_directory_is_an_error(self, kind: str, tmp_path: Path) -> None:
        root = tmp_path / "root"
        if kind == "file":
            root.touch()
        with pytest.raises(NoWheelhouseError):
            pip_config(Site.default(root), HOST)
        with pytest.raises(NoWheelhouseError):
            static_configs(Site.default(root))

    @pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x1bb", "a\x9bb", "a\u2029b"], ids=ascii)
    def test_a_control_character_in_the_root_is_refused(self, name: str, tmp_path: Path) -> None:
        site = Site.default(tmp_path)._replace(root=str(tmp_path / name))  # as unchecked as can be
        (tmp_path / name).mkdir()
        with pytest.raises(UnsafeValueError) as raised:
            pip_config(site, HOST, keep_missing=True)
        assert raised.value.value.startswith(str(tmp_path / name))
        assert str(raised.value).isprintable()

    def test_what_the_site_adds_comes_after_ours(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, {"find-links": ("/sw/extra wheels", "https://example.org/wheels")})
        assert config.find_links[0] == f"file://{tmp_path}/gentoo/avx2"
        assert config.find_links[-2:] == ("file:///sw/extra%20wheels", "https://example.org/wheels")

    def test_a_section_that_replaces_it_gets_ours_too(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, {"install": {"find-links": "/extra"}, "download": {"no-deps": True}})
        ini = ini_of(config)
        assert ini["install"]["find-links"] == ini["global"]["find-links"] + "\n/extra"
        assert "find-links" not in ini["download"]


class TestIndex:
    """A static index instead of the directories."""

    OURS = "file:///i%20x/avx2-gentoo"

    def config(self, root: Path, pip: Mapping[str, Any] = MappingProxyType({}), **options: Any) -> PipConfig:
        return config_of(root, pip, **{"index": "/i x", **options})

    def test_online_ours_is_the_last_of_the_extra_ones(self, tmp_path: Path) -> None:
        assert self.config(tmp_path).settings == (Setting("extra-index-url", (self.OURS,)),)
        pip = {"index-url": "https://mirror/", "extra-index-url": ("https://a/", "https://b/")}
        ini = ini_of(self.config(tmp_path, {**pip, "install": {"extra-index-url": "https://c/"}}))
        assert ini["global"] == {
            "index-url": "https://mirror/",
            "extra-index-url": f"\nhttps://a/\nhttps://b/\n{self.OURS}",
        }
        assert ini["install"] == {"extra-index-url": f"\nhttps://c/\n{self.OURS}"}

    @pytest.mark.parametrize(
        ("pip", "offline"),
        [
            ({}, True),
            ({"no-index": True}, False),
            ({"no_index": "yes", "index-url": "https://x/"}, False),
            ({"extra-index-url": "https://x/", "install": {"index-url": "https://y/"}}, True),
        ],
    )
    def test_offline_it_is_the_only_one(self, pip: dict[str, Any], offline: bool, tmp_path: Path) -> None:
        ini = ini_of(self.config(tmp_path, pip, offline=offline))
        assert ini["global"] == {"index-url": self.OURS}
        assert all(section == {} for name, section in ini.items() if name != "global")

    def test_find_links_of_the_site_stay(self, tmp_path: Path) -> None:
        ini = ini_of(self.config(tmp_path, {"find-links": "/extra", "install": {"find-links": "/more"}}))
        assert ini["global"]["find-links"] == "\n/extra"
        assert ini["install"]["find-links"] == "\n/more"

    def test_a_section_that_asks_no_index_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnsafeValueError, match="pip would not ask our index either"):
            self.config(tmp_path, {"install": {"no-index": True}})

    @pytest.mark.parametrize("keep", [False, True])
    def test_the_site_file_says_where_it_is_and_may_keep_find_links(self, keep: bool, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {}, labels=["generic"])
        site = site._replace(tables=frozen({"index": {"directory": "/i x", "find-links": keep}}))
        links = (Setting("find-links", (f"file://{tmp_path}/generic",)),) * keep
        assert pip_config(site, HOST).settings == (*links, Setting("extra-index-url", (self.OURS,)))
        assert pip_config(site, HOST, index="").settings == (
            Setting("find-links", (f"file://{tmp_path}/generic",)),
        )
        (other,) = pip_config(site, HOST, index="/other").settings[keep:]
        assert other.values == ("file:///other/avx2-gentoo",)

    def test_a_cpu_that_has_more_than_its_arch_has_a_class_of_its_own(self, tmp_path: Path) -> None:
        ladder = tuple(Arch(name, rank, target=name, family="aarch64") for name, rank in (
            ("neoverse_v1", 600), ("neoverse_v2", 700)
        ))  # fmt: skip
        layer = Layer("site", ("site",), ("neoverse_v1", "neoverse_v2"))
        site = Site(str(tmp_path), ladder, (layer,))
        for archs, name in ((("neoverse_v2",), "neoverse_v2-site"), (None, "neoverse_v2+neoverse_v1-site")):
            able = archs or ("neoverse_v1", "neoverse_v2")
            host = Host(arch="neoverse_v2", layer="site", archs=able)
            assert pip_config(site, host, index="/i").index_path == f"/i/{name}"


class TestIni:
    def test_the_file(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {}, labels=["gentoo/avx2", "generic"])._replace(
            pip=frozen({"only-binary": ("numpy", "scipy"), "install": {"no-compile": True}})
        )
        assert pip_config(site, HOST, offline=True).render("ini") == (
            "# wheelhouse of layer gentoo, arch avx2, most specific directory first\n"
            "[global]\n"
            "find-links =\n"
            f"    file://{tmp_path}/gentoo/avx2\n"
            f"    file://{tmp_path}/generic\n"
            "no-index = true\n"
            "only-binary = numpy,scipy\n"
            "\n"
            "[install]\n"
            "no-compile = true\n"
        )

    def test_ini_is_the_default(self, tmp_path: Path) -> None:
        config = config_of(tmp_path)
        assert config.render() == config.render("ini")

    @pytest.mark.parametrize(
        ("option", "value", "expected"),
        [
            ("disable-pip-version-check", True, "true"),
            ("prefer-binary", False, "false"),
            ("retries", 3, "3"),
            ("timeout", "20", "20"),
            ("index-url", "https://example.org/simple", "https://example.org/simple"),
            ("index_url", "https://example.org/50%25", "https://example.org/50%25"),
            ("cert", "/etc/a path/with # and ; in it.pem", "/etc/a path/with # and ; in it.pem"),
            ("cache-dir", "~/.cache/$USER", "~/.cache/$USER"),
            ("extra-index-url", ("https://a/", "https://b/"), "\nhttps://a/\nhttps://b/"),
            ("extra-index-url", "https://a/  https://b/", "\nhttps://a/\nhttps://b/"),
            ("trusted-host", ("a.example", "b.example:80"), "\na.example\nb.example:80"),
            ("constraint", "/etc/constraints.txt", "\n/etc/constraints.txt"),
            ("constraint", ("/etc/with space.txt",), "\nfile:///etc/with%20space.txt"),
            ("constraint", ("/etc/ünï.txt",), "\nfile:///etc/%C3%BCn%C3%AF.txt"),
            ("constraint", "/etc/a.txt /etc/b.txt", "\n/etc/a.txt\n/etc/b.txt"),
            ("only-binary", ("numpy", "scipy"), "numpy,scipy"),
            ("only-binary", "numpy, scipy", "numpy,scipy"),
            ("no-binary", (":all:",), ":all:"),
            ("no-binary", ":none:", ":none:"),
        ],
    )
    def test_an_option_of_the_site(self, option: str, value: Any, expected: str, tmp_path: Path) -> None:
        found = ini_of(config_of(tmp_path, {option: value}))["global"]
        assert found[option.replace("_", "-")] == expected

    def test_sections_of_single_commands(self, tmp_path: Path) -> None:
        pip = {"timeout": 5, "install": {"pre": True, "constraint": ("/c.txt",)}, "wheel": {"no-deps": True}}
        ini = ini_of(config_of(tmp_path, pip))
        assert list(ini) == ["global", "install", "wheel"]
        assert ini["install"] == {"pre": "true", "constraint": "\n/c.txt"}

    def test_offline(self, tmp_path: Path) -> None:
        assert ini_of(config_of(tmp_path, offline=True))["global"]["no-index"] == "true"
        assert "no-index" not in ini_of(config_of(tmp_path))["global"]
        assert ini_of(config_of(tmp_path, {"no-index": False}, offline=True))["global"]["no-index"] == "true"

    @pytest.mark.parametrize(
        ("pip", "problem"),
        [
            ({"cert": "/etc/a\nb"}, "newline"),
            ({"cert": "/etc/a\x00b"}, "control character"),
            ({"index-url": "https://exämple.org/"}, "ASCII"),
            ({"cert": "/etc/ünï.pem"}, "ASCII"),
            ({"trusted-host": ("bücher.example",)}, "ASCII"),
            ({"cert": " /etc/a.pem"}, "white space at the ends"),
            ({"cert": "# no"}, "comment"),
            ({"cert": ("one", "; no")}, "comment"),
            ({"constraint": "relative name.txt"}, "splits this option at spaces"),
            ({"trusted-host": "one two"}, "splits this option at spaces"),
            ({"index-url": "https://a/", "index_url": "https://b/"}, "is given twice"),
            ({"Index-URL": "https://a/"}, "not an option of pip"),
            ({"in dex": 1}, "not an option of pip"),
            ({"a]\nb": 1}, "not an option of pip"),
            ({"a=b": 1}, "not an option of pip"),
            ({"": 1}, "not an option of pip"),
            ({"global": {"timeout": 1}}, "not a command of pip"),
            ({"in]stall": {"timeout": 1}}, "not a command of pip"),
            ({"install": {"cert": "a\nb"}}, "newline"),
            ({"install": {"cer t": "a"}}, "not an option of pip"),
            ({"install": {"index-url": "https://a/", "index_url": "https://b/"}}, "is given twice"),
        ],
    )
    def test_what_pip_would_read_back_differently_is_refused(
        self, pip: dict[str, Any], problem: str, tmp_path: Path
    ) -> None:
        with pytest.raises(UnsafeValueError, match=problem) as raised:
            config_of(tmp_path, pip)
        assert "[pip" in str(raised.value)
        assert str(raised.value).isprintable()

    @given(
        value=st.text(min_size=1, max_size=20) | st.text("ab #;%=:\"'\\$[]\n\t", min_size=1, max_size=12),
        option=st.sampled_from(["cert", "index-url", "proxy", "cache-dir"]),
    )
    def test_a_value_is_read_back_as_it_was_or_refused(
        self, value: str, option: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        root = tmp_path_factory.getbasetemp() / "shared tree"
        try:
            config = config_of(root, {option: value})
        except UnsafeValueError:
            return
        assert ini_of(config)["global"][option] == value


class TestEnvironment:
    def test_for_pip_and_for_uv(self, tmp_path: Path) -> None:
        pip = {
            "constraint": ("/c.txt", "/d e.txt"),
            "only-binary": ("numpy", "scipy"),
            "extra-index-url": ("https://a/", "https://b/"),
            "index-url": "https://i/",
            "trusted-host": ("a", "b"),
            "timeout": 5,
        }
        links = config_of(tmp_path).find_links
        assert config_of(tmp_path, pip, offline=True).environment() == {
            "PIP_FIND_LINKS": " ".join(links),
            "PIP_NO_INDEX": "true",
            "PIP_CONSTRAINT": "/c.txt file:///d%20e.txt",
            "PIP_ONLY_BINARY": "numpy,scipy",
            "PIP_EXTRA_INDEX_URL": "https://a/ https://b/",
            "PIP_INDEX_URL": "https://i/",
            "PIP_TRUSTED_HOST": "a b",
            "PIP_TIMEOUT": "5",
            "UV_FIND_LINKS": ",".join(links),
            "UV_CONSTRAINT": "/c.txt file:///d%20e.txt",
            "UV_NO_BUILD_PACKAGE": "numpy scipy",
            "UV_DEFAULT_INDEX": "file:///nonexistent",
            "UV_INSECURE_HOST": "a b",
        }

    @pytest.mark.parametrize(
        ("option", "value", "expected"),
        [
            ("only-binary", ":all:", {"UV_NO_BUILD": "1"}),
            ("no-binary", ":all:", {"UV_NO_BINARY": "1"}),
            ("no-binary", "numpy", {"UV_NO_BINARY_PACKAGE": "numpy"}),
            ("pre", True, {"UV_PRERELEASE": "allow"}),
            ("pre", "yes", {"UV_PRERELEASE": "allow"}),
            ("pre", False, {}),
            ("pre", "off", {}),
            ("require-hashes", True, {"UV_REQUIRE_HASHES": "1"}),
            ("no-index", False, {}),
            ("index-url", "https://i/", {"UV_DEFAULT_INDEX": "https://i/"}),
            # Of equal wheels pip takes the last index's, uv the first's.
            (
                "extra-index-url",
                ("https://a/", "https://b/"),
                {
                    "UV_EXTRA_INDEX_URL": "https://b/ https://a/",
                    "UV_INDEX_STRATEGY": "unsafe-best-match",
                },
            ),
            ("build-constraint", "/b.txt", {"UV_BUILD_CONSTRAINT": "/b.txt"}),
            ("progress-bar", "off", {}),
        ],
    )
    def test_what_uv_calls_it(
        self, option: str, value: Any, expected: dict[str, str], tmp_path: Path
    ) -> None:
        found = config_of(tmp_path, {option: value}).environment()
        ours = {k: v for k, v in found.items() if k.startswith("UV_") and k != "UV_FIND_LINKS"}
        assert ours == expected

    def test_json_is_the_environment(self, tmp_path: Path) -> None:
        config = config_of(tmp_path / 'q"ü', {"timeout": 5})
        assert json.loads(config.render("json")) == config.environment()

    @pytest.mark.parametrize("form", ["sh", "csh", "fish", "json", "uv"])
    def test_sections_of_single_commands_are_told_to_be_left_out(self, form: str, tmp_path: Path) -> None:
        config = config_of(tmp_path, {"install": {"pre": True}})
        assert config.left_out(form) == ["[pip.install]: only an INI file has settings of single commands"]
        assert config.left_out("ini") == []


def test_an_unknown_format_is_an_error_that_lists_the_known(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    with pytest.raises(ValueError, match="ini, sh, csh, fish, json, uv, uv-find-links"):
        config.render("yaml")


@pytest.mark.parametrize("form", FORMATS)
def test_everything_written_is_ascii_and_ends_with_a_newline(form: str, tmp_path: Path) -> None:
    text = config_of(tmp_path / "ünï", {"constraint": "/ü.txt"}).render(form)
    assert text.isascii()
    assert text.endswith("\n")


#: The layers of a real site: gentoo2020 beside gentoo, and gentoo2023 with its own names.
REAL_LAYERS = (
    Layer(name="nix", directories=("nix",), archs=("sse3", "avx", "avx2", "avx512")),
    Layer(name="gentoo2020", directories=("gentoo2020", "gentoo"), archs=("sse3", "avx", "avx2", "avx512")),
    Layer(
        name="gentoo2023",
        directories=("gentoo2023",),
        archs=("avx2", "avx512"),
        names=(("avx2", "x86-64-v3"), ("avx512", "x86-64-v4")),
    ),
)
REAL_SEARCH: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"avx512": ("avx512", "avx2"), "avx2": ("avx2",), "avx": ("avx",)}
)


class TestStatic:
    def test_one_file_for_every_layer_and_arch_of_the_built_in_site(self, tmp_path: Path) -> None:
        found = static_configs(make_tree(tmp_path, {}))
        assert sorted(found) == sorted("-".join(reversed(label.split("/"))) for label in BUILTIN_LABELS)

    def test_two_kinds_of_host_whose_files_would_have_one_name_are_refused(self, tmp_path: Path) -> None:
        site = Site.parse(
            f"""
            root = "{tmp_path}"
            [[arch]]
            name = "x86-64"
            target = "x86_64"
            [[arch]]
            name = "x86-64-v3"
            target = "x86_64_v3"
            [[layer]]
            name = "v3-gentoo"
            [[layer]]
            name = "gentoo"
            """,
            "site.toml",
        )
        with pytest.raises(UnsafeValueError) as caught:
            static_configs(site)
        assert "cannot write the class of hosts 'x86-64-v3-gentoo' safely: " in str(caught.value)
        assert "v3-gentoo/x86-64" in str(caught.value)
        assert "gentoo/x86-64-v3" in str(caught.value)

    def test_of_a_site_with_names_of_its_own(self, tmp_path: Path) -> None:
        site = Site(str(tmp_path), layers=REAL_LAYERS, search=REAL_SEARCH)
        found = static_configs(site, keep_missing=True)
        assert sorted(found) == [
            "avx-gentoo2020",
            "avx-nix",
            "avx2-gentoo2020",
            "avx2-nix",
            "avx512-gentoo2020",
            "avx512-nix",
            "generic",
            "generic-gentoo2020",
            "generic-gentoo2023",
            "generic-nix",
            "sse3-gentoo2020",
            "sse3-nix",
            "x86-64-v3-gentoo2023",
            "x86-64-v4-gentoo2023",
        ]
        labels = {
            name: [url.removeprefix(f"file://{tmp_path}/") for url in config.find_links]
            for name, config in found.items()
        }
        assert labels["x86-64-v4-gentoo2023"] == [
            "gentoo2023/x86-64-v4",
            "gentoo2023/x86-64-v3",
            "gentoo2023/generic",
            "generic",
        ]
        assert labels["avx2-gentoo2020"] == [
            "gentoo2020/avx2",
            "gentoo/avx2",
            "gentoo2020/generic",
            "gentoo/generic",
            "generic",
        ]
        assert labels["avx-nix"] == ["nix/avx", "nix/generic", "generic"]
        assert labels["generic"] == ["generic"]

    @pytest.mark.parametrize(
        "flag", [{}, {"offline": True}, {"keep_missing": True}, {"index": "/i"}], ids=str
    )
    def test_each_is_what_a_host_of_that_layer_and_arch_gets(
        self, flag: dict[str, Any], tmp_path: Path
    ) -> None:
        site = Site(str(tmp_path), layers=REAL_LAYERS, search=REAL_SEARCH)
        for directory in site.directories()[::2]:
            Path(directory.path).mkdir(parents=True)
        found = static_configs(site, **flag)
        hosts = {
            "generic": Host(),
            **{
                f"{layer.name_of(arch)}-{layer.name}": Host(arch=arch, layer=layer.name)
                for layer in REAL_LAYERS
                for arch in ("generic", *layer.archs)
            },
        }
        assert found == {name: pip_config(site, host, **flag) for name, host in hosts.items()}


@pytest.mark.parametrize("option", ["all-releases", "only-final", "no-binary", "only-binary"])
def test_names_of_projects_are_separated_by_commas(option: str) -> None:
    config = PipConfig("", (Setting(option, ("one", "two")),))
    assert f"\n{option} = one,two\n" in config.render()
    assert config.environment()["PIP_" + option.upper().replace("-", "_")] == "one,two"


@pytest.mark.parametrize("form", ["sh", "json", "uv"])
def test_what_uv_has_nothing_like_is_left_out(form: str) -> None:
    settings = (Setting("no-deps", ("true",)), Setting("only-final", ("one",)), Setting("pre", ("no",)))
    config = PipConfig("", settings)
    assert config.left_out("ini") == []
    assert config.left_out(form) == ["no-deps: uv has no such setting", "only-final: uv has no such setting"]
