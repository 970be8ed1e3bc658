from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse_resolver.errors import InvalidSiteError, SiteFileError
from wheelhouse_resolver.site.document import from_document
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, BUILTIN_LAYERS
from wheelhouse_resolver.site.model import Site

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
        "generic": True,
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
            "unknown key 'xyz': known: arch, audit, base, build, catalogue, fetch, generic, index, layer, "
            "pip, publish, root, search, uv",
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
            '[[layer]]\nname = "x"\nnames = { avx2 = "a//b" }',
            "[[layer]] 'x'.names: invalid directory name 'a//b'",
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
            "[[layer]] 'x'.directories: must name at least one directory",
            id="no-directory",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\ndirectories = ["x", "x"]',
            "[[layer]] 'x'.directories: must name at least one directory, each once",
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
        pytest.param(
            '[[layer]]\nname = "x"\nos-release = { id = "rocky" }',
            "[[layer]] 'x'.os-release.id: 'id' is no variable of os-release, such as ID or VERSION_ID",
            id="os-release-in-lower-case",
        ),
        pytest.param(
            '[[layer]]\nname = "x"\nos-release = { ID = [9] }',
            "[[layer]] 'x'.os-release.ID: must be a string, not 9",
            id="os-release-number",
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
    error = failure("[pip]\n[search]\navx = 1\n")
    assert str(error) == "etc/site.toml: [search] avx: must be an array of strings, not 1; root: missing"
    assert error.hint == "name the wheelhouse's directory in the site file, or give --root"
    assert not failure("[search]\navx = 1\n", root="/w").hint


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
        Site(**from_document(document, "site.toml", "/w"))


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
