from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import clean_environ, run_cli
from wheelhouse_resolver.errors import InvalidSiteError, NoWheelhouseError, SiteFileError
from wheelhouse_resolver.site import config
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, BUILTIN_LAYERS
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.template import site_template

MINIMAL = 'root = "/w"\n'


def failure(text: str, **options: Any) -> SiteFileError:
    with pytest.raises(SiteFileError) as caught:
        Site.parse(text, "etc/site.toml", **options)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


# -- what a site file can say ----------------------------------------------------------------------------


def test_a_root_is_enough_and_gives_the_built_in_site_there() -> None:
    site = Site.parse(MINIMAL, "site.toml")
    assert site == Site.default("/w")._replace(source="site.toml")


def test_every_key_is_understood() -> None:
    site = Site.parse(
        """
        root = "/cvmfs/soft.example.org/custom/python/wheelhouse"

        [[arch]]
        name = "avx"
        features = ["avx", "sse4_2"]
        rank = 310
        [[arch]]
        name = "avx2"
        target = "x86_64_v3"

        [[layer]]
        name = "gentoo2020"
        directories = ["gentoo2020", "gentoo"]
        archs = ["avx", "avx2"]
        names = { avx2 = "x86-64-v3" }
        env = { EBVERSIONGENTOO = "2020" }
        interpreter = ["/cvmfs/*/gentoo/2020/*"]
        default = true

        [search]
        avx2 = ["avx2"]

        [pip]
        constraint = ["/c.txt"]
        prefer-binary = true
        [pip.install]
        no-compile = true
        retries = 3

        [publish]
        group = "staff"
        [build]
        jobs = 4
        """,
        "site.toml",
    )
    assert site.root == "/cvmfs/soft.example.org/custom/python/wheelhouse"
    assert [arch._asdict() for arch in site.ladder] == [
        {"name": "avx", "rank": 310, "target": None, "features": ("avx", "sse4_2"), "family": "x86_64"},
        {"name": "avx2", "rank": 400, "target": "x86_64_v3", "features": (), "family": "x86_64"},
    ]
    (layer,) = site.layers
    assert layer._asdict() == {
        "name": "gentoo2020",
        "directories": ("gentoo2020", "gentoo"),
        "archs": ("avx", "avx2"),
        "names": (("avx2", "x86-64-v3"),),
        "env": (("EBVERSIONGENTOO", "2020"),),
        "interpreter": ("/cvmfs/*/gentoo/2020/*",),
        "os_release": (),
        "default": True,
    }
    assert site.search == {"avx2": ("avx2",)}
    assert site.pip == {
        "constraint": ("/c.txt",),
        "prefer-binary": True,
        "install": {"no-compile": True, "retries": 3},
    }
    assert site.tables == {"publish": {"group": "staff"}, "build": {"jobs": 4}}


def test_an_arch_of_the_built_in_ladder_need_only_be_named() -> None:
    site = Site.parse(MINIMAL + '[[arch]]\nname = "sse3"\n[[arch]]\nname = "avx512"\n', "site.toml")
    assert site.ladder == (BUILTIN_LADDER[0], BUILTIN_LADDER[3])
    assert {layer.archs for layer in site.layers} == {("sse3", "avx512")}


def test_a_layers_directory_is_its_name_and_its_archs_the_whole_ladder_unless_stated() -> None:
    site = Site.parse(MINIMAL + '[[layer]]\nname = "soft"\n', "site.toml")
    assert site.layers[0].directories == ("soft",)
    assert site.layers[0].archs == ("sse3", "avx", "avx2", "avx512")


def test_a_layer_has_its_archs_in_the_order_of_the_ladder() -> None:
    site = Site.parse(
        MINIMAL + '[[layer]]\nname = "soft"\narchs = ["avx512", "generic", "sse3"]\n', "site.toml"
    )
    assert site.layers[0].archs == ("sse3", "avx512")


def test_a_layer_with_a_built_in_ones_name_is_recognised_as_that_one() -> None:
    (nix,) = Site.parse(MINIMAL + '[[layer]]\nname = "nix"\n', "site.toml").layers
    assert nix == BUILTIN_LAYERS[0]


@pytest.mark.parametrize("evidence", ['env = { MY_NIX = "*" }', 'interpreter = ["/nix/*"]'])
def test_a_layer_that_states_evidence_has_no_other(evidence: str) -> None:
    (nix,) = Site.parse(MINIMAL + f'[[layer]]\nname = "nix"\n{evidence}\n', "site.toml").layers
    assert (nix.env, nix.interpreter) in [((("MY_NIX", "*"),), ()), ((), ("/nix/*",))]
    assert nix.os_release == ()


def test_a_site_may_have_no_layers_at_all() -> None:
    site = Site.parse(
        'root = "/w"\n[[layer]]\nname = "plain"\ndirectories = ["."]\ndefault = true\n', "site.toml"
    )
    assert [d.label for d in site.search_path_for("plain", "sse3")] == ["sse3", "generic"]


@pytest.mark.parametrize(
    ("target", "family"), [("neoverse_v1", "aarch64"), ("power10le", "ppc64le"), ("zen4", "x86_64")]
)
def test_the_cpu_family_of_an_arch_is_that_of_its_target(target: str, family: str) -> None:
    (arch,) = Site.parse(MINIMAL + f'[[arch]]\nname = "own"\ntarget = "{target}"\n', "site.toml").ladder
    assert (arch.family, arch.rank) == (family, 200)


def test_an_arch_of_features_that_several_families_have_is_of_none() -> None:
    (arch,) = Site.parse(MINIMAL + '[[arch]]\nname = "own"\nfeatures = ["fma"]\n', "site.toml").ladder
    assert arch.family is None


def test_a_root_below_the_home_directory_may_be_written_with_a_tilde() -> None:
    assert Site.parse('root = "~/wheels/"', "site.toml").root == os.path.expanduser("~/wheels")


def test_values_of_a_site_cannot_be_changed() -> None:
    site = Site.parse(MINIMAL + "[pip.install]\nretries = 3\n", "site.toml")
    with pytest.raises(TypeError):
        site.pip["install"]["retries"] = 4


# -- what is wrong with a site file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param('root = "/w"\n[pip\n', 2, id="bracket-left-open"),
        pytest.param('root = "/w"\n\n\nx ==\n', 4, id="two-equal-signs"),
        pytest.param('root = "/w"\nroot = "/v"\n', 2, id="a-key-twice"),
        pytest.param('root = "/w', 1, id="string-left-open"),
        pytest.param('root = "/w"\nx = [1,\n2', 3, id="array-left-open"),
        pytest.param('root = "/w\x01"', 1, id="control-character"),
    ],
)
def test_a_toml_error_names_the_file_and_the_line(text: str, line: int) -> None:
    error = failure(text)
    assert (error.path, error.line) == ("etc/site.toml", line)
    assert str(error).startswith(f"etc/site.toml, line {line}: not valid TOML: ")


def test_toml_that_is_nested_without_end_is_an_error_like_any_other() -> None:
    assert "not valid TOML" in str(failure("x = " + "[" * 100_000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'rot = "/w"', "unknown key 'rot': did you mean 'root'?", id="at-the-top-with-the-nearest"
        ),
        pytest.param(
            'root = "/w"\nxyz = 1',
            "unknown key 'xyz': known: arch, build, layer, pip, publish, root, search",
            id="nothing-near",
        ),
        pytest.param(
            '[[arch]]\nname = "x"\nfeature = ["avx"]',
            "[[arch]] 'x': unknown key 'feature': did you mean 'features'?",
            id="in-an-arch",
        ),
        pytest.param(
            '[[layer]]\nname = "nix"\n[[layer]]\nname = "x"\ndirectory = ["x"]',
            "[[layer]] 'x': unknown key 'directory': did you mean 'directories'?",
            id="in-a-layer",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(text: str, expected: str) -> None:
    assert str(failure(text, root="/w")) == f"etc/site.toml: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the ladder
        pytest.param('[[arch]]\ntarget = "zen4"', "[[arch]] number 1.name: missing", id="arch-without-name"),
        pytest.param(
            '[[arch]]\nname = "avx"\n[[arch]]\nname = "avx"',
            "[[arch]] 'avx': is listed twice",
            id="two-archs-of-one-name",
        ),
        pytest.param(
            '[[arch]]\nname = "generic"\nfeatures = ["sse2"]',
            "[[arch]] number 1.name: invalid name 'generic'",
            id="arch-called-generic",
        ),
        pytest.param(
            '[[arch]]\nname = "a/b"', "[[arch]] number 1.name: invalid name 'a/b'", id="arch-with-slash"
        ),
        pytest.param(
            '[[arch]]\nname = "own"',
            "[[arch]] 'own': needs either `target` or `features`",
            id="needs-nothing",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\ntarget = "zen4"\nfeatures = ["avx"]',
            "[[arch]] 'avx': needs either `target` or `features`",
            id="target-and-features",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nfeatures = []',
            "[[arch]] 'avx': needs either `target` or `features`",
            id="empty-features",
        ),
        pytest.param(
            '[[arch]]\nname = "own"\ntarget = "x86_64_v33"',
            "[[arch]] 'own'.target: unknown archspec microarchitecture 'x86_64_v33': did you mean '",
            id="unknown-target",
        ),
        pytest.param(
            '[[arch]]\nname = "own"\nfeatures = ["avx", "avx3"]',
            "[[arch]] 'own'.features: unknown archspec feature 'avx3': did you mean ",
            id="unknown-feature",
        ),
        pytest.param(
            '[[arch]]\nname = "avx2"\n[[arch]]\nname = "avx"',
            "[[arch]]: the rank of arch 'avx' is 300, not above 400, the one before it on the ladder",
            id="ladder-from-high-to-low",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nrank = 500\n[[arch]]\nname = "avx2"\nrank = 400',
            "[[arch]]: the rank of arch 'avx2' is 400, not above 500",
            id="ranks-contradict-the-ladder",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nrank = 100',
            "[[arch]]: the rank of arch 'avx' is 100, not above 100",
            id="rank-not-above-the-layers'-generic",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nrank = 0',
            "[[arch]] 'avx'.rank: must be a whole number from 1 to 1000000000, not 0",
            id="rank-zero",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nrank = true',
            "[[arch]] 'avx'.rank: must be a whole number from 1 to 1000000000, not true or false",
            id="rank-true",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nrank = 10000000000',
            "[[arch]] 'avx'.rank: must be a whole number from 1 to 1000000000, not 10000000000",
            id="rank-beyond-what-uv-reads",
        ),
        pytest.param(
            '[[arch]]\nname = "avx"\nrank = 300\n[[arch]]\nname = "avx2"\nrank = 301\n'
            '[[layer]]\nname = "x"\ndirectories = ["x", "y"]',
            "[[arch]]: between the ranks of 'avx' (300) and 'avx2' (301) there must be room for",
            id="no-room-for-directories-side-by-side",
        ),
        # the layers
        pytest.param(
            '[[layer]]\narchs = ["avx"]', "[[layer]] number 1.name: missing", id="layer-without-name"
        ),
        pytest.param(
            '[[layer]]\nname = "none"', "[[layer]] number 1.name: invalid name 'none'", id="layer-called-none"
        ),
        pytest.param(
            '[[layer]]\nname = "x"\n[[layer]]\nname = "x"',
            "[[layer]] 'x': is listed twice",
            id="two-layers-of-one-name",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\narchs = ["avx3"]',
            "[[layer]] 'x'.archs: unknown arch 'avx3': did you mean 'avx",
            id="unknown-arch-in-a-layer",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nnames = { v3 = "x86-64-v3" }',
            "[[layer]] 'x'.names: unknown arch 'v3'",
            id="unknown-arch-in-names",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nnames = { avx2 = "a/b" }',
            "[[layer]] 'x'.names: invalid directory name 'a/b'",
            id="own-name-with-slash",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nnames = { avx2 = "v", avx512 = "v" }',
            "[[layer]] 'x'.names: two archs would share the directory 'v'",
            id="two-archs-with-one-own-name",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nnames = { avx2 = "generic" }',
            "[[layer]] 'x'.names: two archs would share the directory 'generic'",
            id="own-name-generic",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nnames = { avx = "old", avx2 = "avx" }',
            "[[layer]] 'x'.names: 'avx' is another arch of the ladder, not 'avx2'",
            id="own-name-of-another-arch",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nnames = { avx = "fast" }\n'
            '[[layer]]\nname = "y"\ndirectories = ["y", "x"]\nnames = { avx2 = "fast" }',
            "[[layer]] 'y'.names: 'x/fast' is avx2 here and avx in another layer",
            id="a-shared-directory-of-two-archs",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ndirectories = []',
            "[[layer]] 'x'.directories: name at least one directory",
            id="no-directory",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ndirectories = ["x", "x"]',
            "[[layer]] 'x'.directories: name at least one directory, each once",
            id="a-directory-twice",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ndirectories = ["a", "b"]\n'
            '[[layer]]\nname = "y"\ndirectories = ["b", "a"]',
            "[[layer]] directories: layers list the same directories in opposite orders",
            id="directories-in-opposite-orders",
        ),
        *(
            pytest.param(
                f'[[layer]]\nname = "x"\ndirectories = ["{directory}"]',
                f"[[layer]] 'x'.directories: '{directory}' is not a plain path below the root",
                id=f"directory-{directory}",
            )
            for directory in ("/abs", "../up", "a/../b", "a/", "a//b", "./a", "..")
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ndefault = true\n[[layer]]\nname = "y"\ndefault = true',
            "[[layer]]: more than one layer says `default = true`",
            id="two-default-layers",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ndefault = "yes"',
            "[[layer]] 'x'.default: must be true or false",
            id="default-yes",
        ),
        # search
        pytest.param(
            '[search]\navx3 = ["avx"]', "[search] avx3: unknown arch 'avx3'", id="search-of-an-unknown-arch"
        ),
        pytest.param(
            '[search]\navx2 = ["avx", "avx22"]',
            "[search] avx2: unknown arch 'avx22': did you mean 'avx2'?",
            id="unknown-arch-in-a-search",
        ),
        pytest.param(
            '[search]\navx = ["avx2"]',
            "[search] avx: 'avx2' is above 'avx': such a host cannot run it",
            id="search-above-the-host",
        ),
        # types
        pytest.param("root = 1", "root: must be a string, not 1", id="root-number"),
        pytest.param('root = ""', "root: must not be empty", id="root-empty"),
        pytest.param('root = "w/x"', "root: 'w/x' is not an absolute path", id="root-relative"),
        pytest.param("arch = 1", "arch: must be an array of tables, [[arch]], not 1", id="arch-number"),
        pytest.param(
            '[arch]\nname = "avx"', "arch: must be an array of tables, [[arch]], not a table", id="arch-table"
        ),
        pytest.param("layer = [1]", "[[layer]] number 1: must be a table, not 1", id="layer-of-numbers"),
        pytest.param('search = ["avx"]', "[search]: must be a table, not an array", id="search-array"),
        pytest.param(
            '[search]\navx = "avx"',
            "[search] avx: must be an array of strings, not a string",
            id="search-string",
        ),
        pytest.param("pip = true", "[pip]: must be a table, not true or false", id="pip-true"),
        pytest.param("publish = 1", "publish: must be a table, not 1", id="publish-number"),
        pytest.param(
            "[pip]\ntimeout = 1.5", "[pip] timeout: must be a string, a whole number", id="pip-float"
        ),
        pytest.param(
            "[pip]\nfind = 2020-01-01", "[pip] find: must be a string, a whole number", id="pip-date"
        ),
        pytest.param(
            "[pip.install]\nx = [[1]]",
            "[pip.install] x: must be a string, a whole number",
            id="pip-nested-array",
        ),
        pytest.param(
            "[pip.install.x]\ny = 1",
            "[pip.install] x: must be a string, a whole number",
            id="pip-nested-table",
        ),
        pytest.param(
            '[[arch]]\nname = "x"\ntarget = ["zen4"]',
            "[[arch]] 'x'.target: must be a string, not an array",
            id="target-array",
        ),
        pytest.param(
            '[[arch]]\nname = "x"\nfeatures = "avx"',
            "[[arch]] 'x'.features: must be an array of strings, not a string",
            id="features-string",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nenv = ["A"]',
            "[[layer]] 'x'.env: must be a table, not an array",
            id="env-array",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nenv = { A = 1 }', "[[layer]] 'x'.env.A: must be a string", id="env-number"
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ninterpreter = "/x/*"',
            "[[layer]] 'x'.interpreter: must be an array of strings",
            id="interpreter-string",
        ),
        # what would end a line
        pytest.param(
            r'root = "/a\nb"', r"root: '/a\nb' cannot be used: it holds a newline", id="newline-in-root"
        ),
        pytest.param(
            r'root = "/a\u0007"',
            r"root: '/a\x07' cannot be used: it holds a control character (U+0007)",
            id="control-character-in-root",
        ),
        pytest.param(
            r"[[layer]]" + "\n" + r'name = "a\nb"',
            r"[[layer]] number 1.name: 'a\nb' cannot be used: it holds a newline",
            id="newline-in-a-name",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\n' + r'directories = ["a\tb"]',
            r"[[layer]] 'x'.directories: 'a\tb' cannot be used: it holds a control character (U+0009)",
            id="tab-in-a-directory",
        ),
        pytest.param(r'"a\nb" = 1', r"unknown key 'a\nb': known: arch", id="newline-in-a-key"),
    ],
)
def test_what_is_wrong_is_an_error_that_names_the_file_and_the_key(text: str, expected: str) -> None:
    if not text.startswith("root"):
        text = text if text.startswith(("arch", "layer", "search", "pip", "publish", '"')) else "\n" + text
        text = MINIMAL + text
    assert str(failure(text)).startswith(f"etc/site.toml: {expected}")


def test_a_missing_root_is_an_error_that_says_what_to_do() -> None:
    assert str(failure("[pip]\n")) == (
        "etc/site.toml: root: missing: name the wheelhouse's directory, or give --root"
    )


def test_the_line_ends_of_other_systems_are_fine() -> None:
    assert Site.parse('root = "/w"\r\n[pip]\r\n', "site.toml").root == "/w"


@given(st.text())
def test_no_text_whatever_makes_the_reader_fail_in_another_way(text: str) -> None:
    with suppress(SiteFileError):
        Site.parse(text, "site.toml", root="/w")


_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["avx", "x"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "directories", "archs", "names", "env", "features", "rank", "avx"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["root", "arch", "layer", "search", "pip", "publish"]), _VALUES))
def test_no_value_whatever_makes_the_reader_fail_in_another_way(document: dict[str, Any]) -> None:
    with suppress(SiteFileError, InvalidSiteError):
        Site(**config.from_document(document, "site.toml", "/w"))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    error = failure(
        'rot = "/w"\n[[arch]]\nname = "avx"\nrank = 0\n[search]\navx = 1\n[publish]\nafter = 1\n', root="/w"
    )
    assert error.findings == (
        ("", "unknown key 'rot': did you mean 'root'?"),
        ("[[arch]] 'avx'.rank", "must be a whole number from 1 to 1000000000, not 0"),
        ("[search] avx", "must be an array of strings, not 1"),
    )
    assert str(error) == "etc/site.toml: " + "; ".join(
        f"{key}: {problem}" if key else problem for key, problem in error.findings
    )


# -- finding it ------------------------------------------------------------------------------------------


def write(path: Path, root: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'root = "{root}"\n')
    return path


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
        "os_release": (),
        "default": False,
    }
    assert site.search == {"avx512": ("avx512", "avx2")}
    assert set(site.pip) == {"constraint", "only-binary", "disable-pip-version-check"}


def test_init_writes_the_template(tmp_path: Path) -> None:
    done = run_cli("init", "--root", tmp_path / "w", environ=clean_environ(HOME=str(tmp_path)))
    assert done.returncode == 0
    assert [path.read_text() for path in tmp_path.rglob("site.toml")] == [site_template(f"{tmp_path}/w")]
