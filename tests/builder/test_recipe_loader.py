from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from tests.factories import run_pip
from wheelhouse_resolver.builder.recipes.loader import (
    SHIPPED,
    find_recipe,
    load_recipe,
    recipe_directories,
    recipe_files,
)
from wheelhouse_resolver.builder.recipes.model import Patch, Recipe, RecipeError, Source, Substitution, Test
from wheelhouse_resolver.builder.recipes.schema import CONDITIONS, recipe_schema
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.schema import Check, Table, Tables
from wheelhouse_resolver.wheelfile.edit import Edits


def _keys(schema: Mapping[str, Check], above: str = "") -> Iterator[str]:
    for name, check in schema.items():
        one = check.one if isinstance(check, Tables) else check
        if name == "when":
            yield from (f"when.{condition}" for condition in CONDITIONS)
        elif isinstance(one, Table):
            yield from _keys(one.schema, f"{above}{name}.")
        else:
            yield above + name


#: Every key that a recipe may have (`source.url`); in a `[[when]]` all of them, and its conditions.
KEYS = tuple(_keys(recipe_schema("").schema))

#: A recipe with every key there is.
WHOLE = """\
pythons = ["3.11", "3.12"]
build-requires = ["cython<3", "numpy"]
extra-build-requires = ["torch"]
default-build-requires = ["setuptools"]
build-isolation = false
no-binary = true
arch-flags = false
modules = { build = ["gcc/12", "hdf5"], run = ["hdf5"], default = ["cmake", "rust"], without = ["rust"] }

[source]
git = "https://example.org/demo.git"
ref = "v${version}"
subdirectory = "python"
project = "demo-core"

[env]
HDF5_DIR = "${EBROOTHDF5}"
LIBS = "${HDF5_DIR}/lib"

[config-settings]
setup-args = ["-Da=b", "-Dc=${LIBS}"]
compile = "fast"

[[patch]]
file = "fix.patch"
[[patch]]
file = "sub/other.patch"
strip = 0

[[substitute]]
files = "**/setup.py"
pattern = '^VERSION = "(.*)"$'
replacement = 'VERSION = "\\1+${version}"'

[test]
imports = ["demo"]
statements = ["import demo; demo.go()"]
command = "demo --check ${HOME:-/}"
requires = ["pytest"]
timeout = 60
memory = "16G"

[wheel]
add-requires = ["scipy"]
remove-requires = ["oldpkg"]
rename-requires = { faiss-cpu = "faiss" }
narrow-requires = ["numpy"]
replace-requires = ["numpy>=1.20"]
local-label = "site"
tags = "{cp}--"
rpath = ["${EBROOTHDF5}/lib"]

[phases]
before-source = ["wget example.org"]
after-source = ["rm -f generated.c"]
before-build = ["export A=${B-c}", "echo ${#A}"]
after-build = ["true"]
taken-wheel = ["zip -d $WHEELHOUSE_WHEEL demo/old.py"]
before-test = ["ulimit -s unlimited"]

[resources]
cores = 4
memory = "8G"
time = "2:00:00"
constraint = "skylake"
partition = "build"
"""


def write(directory: Path, text: str, name: str = "demo.toml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(text)
    return path


def findings(directory: Path, text: str) -> list[tuple[str, str]]:
    """Everything that is wrong with a recipe."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(write(directory, text)))
    return list(caught.value.findings)


def resolved(
    directory: Path,
    text: str,
    version: str | None = "1.0",
    python: str = "3.11",
    layer: str | None = None,
    arch: str = "generic",
) -> Recipe:
    known = Version(version) if version is not None else None
    return load_recipe(str(write(directory, text))).resolve(known, python, layer, arch)


# -- what can be said --------------------------------------------------------------------------------------


@pytest.fixture
def patches(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("fix.patch", "sub/other.patch"):
        (tmp_path / name).touch()


@pytest.mark.usefixtures("patches")
def test_everything_that_can_be_said(tmp_path: Path) -> None:
    recipe = resolved(tmp_path, WHOLE)
    assert recipe == Recipe(
        name=recipe.name,
        path=str(tmp_path / "demo.toml"),
        digest=hashlib.sha256(WHOLE.encode()).hexdigest(),
        build_modules=("cmake", "gcc/12", "hdf5"),
        run_modules=("hdf5",),
        build_requires=("setuptools", "cython<3", "numpy"),
        extra_requires=("torch",),
        isolation=False,
        not_own=("cmake", "setuptools"),
        no_binary=True,
        source=Source(
            kind="git",
            location="https://example.org/demo.git",
            ref="v${version}",
            subdirectory="python",
            project="demo-core",
        ),
        env=(("HDF5_DIR", "${EBROOTHDF5}"), ("LIBS", "${HDF5_DIR}/lib")),
        config_settings=(
            ("setup-args", "-Da=b"),
            ("setup-args", "-Dc=${LIBS}"),
            ("compile", "fast"),
        ),
        patches=(
            Patch(path=str(tmp_path / "fix.patch"), strip=1),
            Patch(path=str(tmp_path / "sub/other.patch"), strip=0),
        ),
        substitutions=(
            Substitution(
                files="**/setup.py",
                pattern='^VERSION = "(.*)"$',
                replacement='VERSION = "\\1+${version}"',
            ),
        ),
        test=Test(
            imports=("demo",),
            statements=("import demo; demo.go()",),
            command="demo --check ${HOME:-/}",
            requires=("pytest",),
            timeout=60.0,
            memory="16G",
        ),
        edits=Edits(
            add=("scipy",),
            remove=("oldpkg",),
            replace=("numpy>=1.20",),
            rename=(("faiss-cpu", "faiss"),),
            local_label="site",
            tags="cp311--",
        ),
        rpath=("${EBROOTHDF5}/lib",),
        narrow=("numpy",),
        phases=(
            ("before-source", ("wget example.org",)),
            ("after-source", ("rm -f generated.c",)),
            ("before-build", ("export A=${B-c}", "echo ${#A}")),
            ("after-build", ("true",)),
            ("taken-wheel", ("zip -d $WHEELHOUSE_WHEEL demo/old.py",)),
            ("before-test", ("ulimit -s unlimited",)),
        ),
        march=False,
        resources=Resources(cores=4, memory="8G", time="2:00:00", constraint="skylake", partition="build"),
    )


@pytest.mark.usefixtures("patches")
def test_the_example_above_has_every_key_but_those_that_exclude_each_other(tmp_path: Path) -> None:
    document = load_recipe(str(write(tmp_path, WHOLE))).document
    said = set()
    for key, value in document.items():
        several = value if isinstance(value, list) else [value]
        tables = [each for each in several if isinstance(each, dict)]
        free = key in ("env", "config-settings")
        said |= {f"{key}.{name}" for each in tables for name in each} if tables and not free else {key}
    others = {"source.url", "source.directory", "source.sha256", *(f"when.{each}" for each in CONDITIONS)}
    others |= {"only-binary", "placeholder.message", "placeholder.imports", "placeholder.versions"}
    assert said | others == set(KEYS)
    assert said.isdisjoint(others)


def test_the_documentation_lists_the_keys_that_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
    table = page.partition("## The keys")[2].partition("##")[0]
    assert re.findall(r"^\| `([\w.-]+)` \|", table, re.MULTILINE) == list(KEYS)


def test_the_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
    example = page.partition("## An example")[2].partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "demo-setup.patch").touch()
    assert dict(resolved(tmp_path, example, arch="avx512").env)["DEMO_SIMD"] == "avx2"


def test_an_empty_recipe_is_the_defaults(tmp_path: Path) -> None:
    recipe = resolved(tmp_path, "")
    assert recipe == Recipe(name=recipe.name, path=recipe.path, digest=recipe.digest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('url = "https://e.org/a-${version}.tar.gz"\nsha256 = "%s"' % ("Ab" * 32), ("url", "ab" * 32)),
        ('directory = "../checkout"', ("directory", "")),
        ('subdirectory = "python"', ("index", "")),
    ],
    ids=["url", "directory", "index"],
)
def test_where_a_source_can_be(text: str, expected: tuple[str, str], tmp_path: Path) -> None:
    source = resolved(tmp_path, f"[source]\n{text}").source
    assert (source.kind, source.sha256) == expected


# -- what is wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('buid-requires = ["a"]', "", "unknown key 'buid-requires': did you mean 'build-requires'?"),
        ("[test]\nimport = []", "test", "unknown key 'import': did you mean 'imports'?"),
        ("[sources]\ngit = 'x'", "", "unknown key 'sources': did you mean 'source'?"),
        ("[phases]\nbefore-buil = []", "phases", "did you mean 'before-build'?"),
        ("[zzz]", "", "unknown key 'zzz': known: arch-flags, build-isolation,"),
        ('[[when]]\nversoin = ">=1"', "when[1]", "did you mean 'version'?"),
        ('[[when]]\narch = "avx2"\n[[when.when]]\narch = "a"', "when[1]", "unknown key 'when'"),
        ("build-requires = 'cython'", "build-requires", "must be an array of strings, not a string"),
        ("build-requires = ['a b c']", "build-requires", "invalid requirement 'a b c'"),
        ("build-requires = ['']", "build-requires", "must not be empty"),
        ("build-requires = [1]", "build-requires", "must be a string, not 1"),
        ("build-isolation = 'no'", "build-isolation", "must be true or false, not a string"),
        ("modules = ['gcc']", "modules", "must be a table, not an array"),
        ("modules.build = ['gcc; rm']", "modules.build", "'gcc; rm' is not a module name"),
        ("modules.run = ['-f']", "modules.run", "'-f' is not a module name"),
        ("env = { 'A-B' = 'c' }", "env.A-B", "'A-B' is not a variable name"),
        ("env = { A = 1 }", "env.A", "must be a string, not 1"),
        ("env = { A = '${B' }", "env.A", "a `${` in '${B' has no `}`"),
        ("env = { A = '${}' }", "env.A", "`${}` in '${}' is not a variable"),
        ("env = { A = '${B-c}' }", "env.A", "`${B-c}` in '${B-c}' is not a variable"),
        ('env = { A = "a\\u0000" }', "env.A", "holds a NUL character"),
        ("config-settings = { 'a=b' = 'c' }", "config-settings.a=b", "invalid name of a setting"),
        ("config-settings = { a = [1] }", "config-settings.a", "must be a string, not 1"),
        ("patch = 'a'", "patch", "must be an array of tables, [[patch]], not a string"),
        ("[[patch]]\nstrip = 1", "patch[1].file", "missing"),
        ("[[patch]]\nfile = 'gone.patch'", "patch[1].file", "no such file: "),
        ("[[patch]]\nfile = 'demo.toml'\nstrip = -1", "patch[1].strip", "must be a whole number from 0"),
        ("[[patch]]\nfile = 'demo.toml'\nstrip = true", "patch[1].strip", "not true or false"),
        (
            "[[substitute]]\nfiles = 'a'\npattern = '('\nreplacement = ''",
            "substitute[1].pattern",
            "invalid regular expression '('",
        ),
        (
            "[[substitute]]\nfiles = 'a'\npattern = 'b'\nreplacement = '\\1'",
            "substitute[1].replacement",
            "does not fit the pattern: invalid group reference",
        ),
        (
            "[[substitute]]\nfiles = '../a'\npattern = 'b'\nreplacement = ''",
            "substitute[1].files",
            "is not below the source",
        ),
        (
            "[[substitute]]\nfiles = '**.py'\npattern = 'b'\nreplacement = ''",
            "substitute[1].files",
            "must be alone between slashes",
        ),
        ("[test]\nmemory = '8 GB'", "test.memory", "'8 GB' is not a size of memory above 0, such as 8G"),
        ("[test]\nmemory = '0G'", "test.memory", "'0G' is not a size of memory above 0, such as 8G"),
        ("[test]\ntimeout = nan", "test.timeout", "must be a number of seconds above 0"),
        ("[test]\ntimeout = 1e9", "test.timeout", "must be a number of seconds above 0, at most 604800"),
        ("[test]\nimports = ['a b']", "test.imports", "'a b' is not a module name"),
        ("[test]\ntimeout = 0", "test.timeout", "must be a number of seconds above 0"),
        ("[test]\nrequires = ['-e .']", "test.requires", "invalid requirement '-e .'"),
        ("[wheel]\nlocal-label = 'no way'", "wheel.local-label", "no way"),
        ("[wheel]\ntags = 'py3'", "wheel.tags", "invalid wheel tag 'py3'"),
        ("[wheel]\nremove-requires = ['a>1']", "wheel.remove-requires", "'a>1' is not a project name"),
        ("[resources]\nmemory = 'much'", "resources.memory", "'much' is not a size of memory"),
        ("[resources]\ntime = '1 day'", "resources.time", "'1 day' is not a time limit"),
        ("[resources]\ncores = 0", "resources.cores", "must be a whole number from 1"),
        ("[source]\nurl = 'a'\ngit = 'b'", "source", "has url and git: give one of them"),
        ("[source]\ngit = ''", "source.git", "must not be empty"),
        ("[source]\nref = 'v1'", "source.ref", "belongs to a source with `git`"),
        ("[source]\nurl = 'a'\nref = 'v1'", "source.ref", "belongs to a source with `git`"),
        ("[source]\nurl = 'a'\nsha256 = 'abc'", "source.sha256", "'abc' is not a sha256"),
        ("[source]\nsubdirectory = '../a'", "source.subdirectory", "is not below the source"),
        ("no-binary = true\nonly-binary = true", "only-binary", "contradicts no-binary"),
        ("pythons = ['python/3.11']", "pythons", "'python/3.11' is not a version of Python, such as 3.11"),
        ("modules.without = ['-numpy']", "modules.without", "'-numpy' is not a module name"),
        ("[wheel]\nrename-requires = { a = 'b c' }", "wheel.rename-requires.a", "invalid requirement 'b c'"),
        ("[wheel]\nrename-requires = { 'a>1' = 'b' }", "wheel.rename-requires.a>1", "'a>1' is not a project"),
        ("[wheel]\nnarrow-requires = ['scipy']", "wheel.narrow-requires", "unknown project 'scipy'"),
        ("[wheel]\ntags = '{py}--'", "wheel.tags", "invalid wheel tag '{py}--'"),
        ("[placeholder]\nimports = ['demo']", "placeholder.message", "missing"),
        ("[placeholder]\nmessage = 'm'\nversions = ['new']", "placeholder.versions", "invalid version 'new'"),
        ("[source]\nproject = 'a b'", "source.project", "'a b' is not a project name"),
        ("[[when]]\nno-binary = true", "when[1]", "has no condition"),
        ("[[when]]\narch = []", "when[1]", "has no condition"),
        ("[[when]]\nversion = 'new'", "when[1].version", "invalid version specifier 'new'"),
        ("[[when]]\narch = []\nlayer = [1]", "when[1].layer", "must be a string, not 1"),
        ("[[when]]\narch = 'avx2'\nsource.sha256 = '%s'" % ("a" * 64), "when[1].source.sha256", "`url`"),
        ("a = [", "line 1", "not valid TOML"),
    ],
    ids=lambda value: value.replace("\n", " ")[:40] if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_its_key(text: str, key: str, problem: str, tmp_path: Path) -> None:
    ((found, told),) = findings(tmp_path, text)
    assert found == key
    assert problem in told


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = findings(tmp_path, "build-isolaton = true\nenv = 3\n[test]\ntimeout = 'long'\nimprots = []")
    assert [key for key, _ in found] == ["", "env", "test.timeout", "test"]
    path = tmp_path / "demo.toml"
    with pytest.raises(RecipeError, match=r"build-isolation.*must be a table.*imports") as caught:
        load_recipe(str(path))
    assert str(caught.value).startswith(f"{path}: ")


def test_a_section_may_change_the_source_that_is_there(tmp_path: Path) -> None:
    text = """
        [source]
        git = "https://example.org/a.git"
        ref = "v${version}"
        [[when]]
        version = "==1.0"
        source = { ref = "v1.0-fixed" }
        [[when]]
        version = ">=2"
        source = { url = "https://example.org/a-${version}.zip" }
    """
    assert resolved(tmp_path, text).source == Source(
        kind="git", location="https://example.org/a.git", ref="v1.0-fixed"
    )
    # Another place has nothing of the first.
    assert resolved(tmp_path, text, "2.0").source == Source(
        kind="url", location="https://example.org/a-${version}.zip"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"a = '\xff'", "not a UTF-8 text file"), (b"a = " + b"[" * 3000, "not valid TOML")],
    ids=["latin-1", "very-deep"],
)
def test_a_file_that_is_no_recipe(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=problem):
        load_recipe(str(path))
    with pytest.raises(RecipeError, match="cannot be read: No such file or directory"):
        load_recipe(str(tmp_path / "gone.toml"))
    with pytest.raises(RecipeError, match="cannot be read: not a regular file"):
        load_recipe(os.devnull)
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RecipeError, match="cannot be read: not a regular file"):
        load_recipe(str(tmp_path / "pipe.toml"))


# -- whatever a file says ----------------------------------------------------------------------------------

_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["a>1", "${A}", "${", "$$", "*", "**/x", "(", "\\1", "gcc/12", "1-1-1", "<2", "avx2", "4G"]
    ),
)
_ANYTHING = st.recursive(
    st.one_of(_TEXT, st.integers(), st.floats(), st.booleans(), st.just(date(2020, 1, 1))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_WORDS = sorted({part for key in KEYS for part in key.split(".")})


def _tables(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5)


_DOCUMENTS = _tables(
    st.one_of(_ANYTHING, _tables(_ANYTHING), st.lists(st.one_of(_tables(_ANYTHING), _TEXT), max_size=2))
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(_DOCUMENTS)
def test_whatever_a_file_says_it_is_a_recipe_or_an_error(document: dict[str, Any]) -> None:
    path = Path(os.environ["HOME"]) / "demo.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    try:
        file = load_recipe(str(path))
    except RecipeError as error:
        if error.findings and str(error).isprintable():
            return
        raise
    for version in (None, Version("1.0"), Version("2!3.4.dev1+x")):
        for layer in (None, "gentoo"):
            assert isinstance(file.resolve(version, "3.11", layer, "avx2"), Recipe)


# -- [[when]] ----------------------------------------------------------------------------------------------

WHEN = """\
build-requires = ["always"]
env = { A = "1", B = "1" }
[[patch]]
file = "demo.toml"
[[when]]
version = ">=2"
build-requires = ["new"]
env = { B = "2" }
[[when.patch]]
file = "demo.toml"
strip = 2
[[when]]
python = ">=3.12"
env = { PY = "new" }
[[when]]
layer = ["gentoo*", "nix"]
env = { LAYER = "some" }
[[when]]
layer = "none"
env = { LAYER = "none" }
[[when]]
arch = ["avx2", "avx512"]
version = "<3"
env = { ARCH = "wide", B = "3" }
"""


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, {"A": "1", "B": "1", "LAYER": "none"}),
        ({"version": "2.1"}, {"A": "1", "B": "2", "LAYER": "none"}),
        ({"version": "2.1rc1"}, {"A": "1", "B": "2", "LAYER": "none"}),
        ({"version": None}, {"A": "1", "B": "1", "LAYER": "none"}),
        ({"version": None, "arch": "avx2"}, {"A": "1", "B": "1", "LAYER": "none"}),
        ({"python": "3.12"}, {"A": "1", "B": "1", "LAYER": "none", "PY": "new"}),
        ({"python": "3.9"}, {"A": "1", "B": "1", "LAYER": "none"}),
        ({"layer": "gentoo2023"}, {"A": "1", "B": "1", "LAYER": "some"}),
        ({"layer": "other"}, {"A": "1", "B": "1"}),
        ({"arch": "avx2"}, {"A": "1", "B": "3", "LAYER": "none", "ARCH": "wide"}),
        ({"version": "2.0", "arch": "avx512"}, {"A": "1", "B": "3", "LAYER": "none", "ARCH": "wide"}),
        ({"version": "3.0", "arch": "avx2"}, {"A": "1", "B": "2", "LAYER": "none"}),
    ],
    ids=str,
)
def test_sections_apply_when_all_their_conditions_hold_later_ones_over_earlier(
    conditions: dict[str, Any], expected: dict[str, str], tmp_path: Path
) -> None:
    assert dict(resolved(tmp_path, WHEN, **conditions).env) == expected


def test_in_a_section_lists_replace_and_patches_are_added(tmp_path: Path) -> None:
    old, new = resolved(tmp_path, WHEN), resolved(tmp_path, WHEN, "2.0")
    assert (old.build_requires, new.build_requires) == (("always",), ("new",))
    assert ([each.strip for each in old.patches], [each.strip for each in new.patches]) == ([1], [1, 2])


def test_resolving_changes_nothing_in_the_file(tmp_path: Path) -> None:
    file = load_recipe(str(write(tmp_path, WHEN)))
    first = file.resolve(Version("1.0"), "3.11", None, "generic")
    file.resolve(Version("2.0"), "3.12", "gentoo", "avx2")
    assert file.resolve(Version("1.0"), "3.11", None, "generic") == first


# -- where recipes are -------------------------------------------------------------------------------------


def site_with(recipes: Any, source: str | None = None) -> Site:
    tables = MappingProxyType({"build": MappingProxyType({"recipes": recipes})})
    return Site.default("/w")._replace(tables=tables, source=source)


def test_a_sites_directories_come_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [tmp_path / "etc/recipes", tmp_path / "abs", tmp_path / "home/own"]
    for each in found:
        each.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    site = site_with(("recipes", str(tmp_path / "abs"), "~/own"), str(tmp_path / "etc/site.toml"))
    assert recipe_directories(site) == [*map(str, found), SHIPPED]
    assert recipe_directories(Site.default("/w")) == [SHIPPED]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    site = site_with(("recipes",), str(tmp_path / "site.toml"))
    told = rf"^{tmp_path}/site\.toml: \[build\] recipes: {tmp_path}/recipes: no such directory$"
    with pytest.raises(SiteFileError, match=told):
        recipe_directories(site)


@pytest.mark.parametrize("wrong", ["recipes", 3, ("a", 3)], ids=str)
def test_directories_that_are_no_list_of_strings_are_an_error(wrong: Any) -> None:
    with pytest.raises(
        SiteFileError,
        match=r"^/s\.toml: \[build\] recipes: must be a(n array of strings| string), not (a string|3)$",
    ):
        recipe_directories(site_with(wrong, "/s.toml"))


def test_the_first_directory_that_has_a_recipe_counts(tmp_path: Path) -> None:
    write(tmp_path / "a", 'build-requires = ["a"]')
    write(tmp_path / "b", 'build-requires = ["b"]')
    write(tmp_path / "b", "", "other.toml")
    write(tmp_path / "b", "", ".hidden.toml")
    write(tmp_path / "b", "", "notes.md")
    directories = [str(tmp_path / each) for each in ("missing", "a", "b")]
    found = find_recipe("demo", directories)
    assert found is not None
    assert found.path == str(tmp_path / "a/demo.toml")
    assert set(recipe_files(directories)) == {"demo", "other"}
    assert find_recipe("missing", directories) is None


@pytest.mark.parametrize("file", ["Some_Project.toml", "some-project.toml", "some.project.toml"])
@pytest.mark.parametrize("asked", ["some-project", "SOME.PROJECT", "Some__Project"])
def test_names_are_found_in_any_spelling(file: str, asked: str, tmp_path: Path) -> None:
    write(tmp_path, "", file)
    found = find_recipe(asked, [str(tmp_path)])
    assert found is not None
    assert (found.path, found.name) == (str(tmp_path / file), "some-project")


def test_two_recipes_for_one_project_in_one_directory_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "", "a-b.toml")
    write(tmp_path, "", "A_b.toml")
    with pytest.raises(RecipeError, match=r"has two recipes of a-b: A_b\.toml and a-b\.toml"):
        find_recipe("a-b", [str(tmp_path)])


# -- the recipes that ship ---------------------------------------------------------------------------------


def shipped(name: str, version: str = "99") -> Recipe:
    file = find_recipe(name, [SHIPPED])
    assert file is not None
    return file.resolve(Version(version), "3.12", "gentoo", "avx2")


def test_the_shipped_recipes_are_valid() -> None:
    names = sorted(recipe_files([SHIPPED]))
    assert names == ["cython", "h5py", "numpy"]
    for name in names:
        assert shipped(name).test.imports
        assert shipped(name).test.statements
        assert not shipped(name).takes_wheel


def test_numpy_is_told_its_blas_as_its_build_system_wants_it() -> None:
    assert shipped("numpy", "2.0").settings({}, "2.0") == [
        "--config-settings=setup-args=-Dblas=openblas",
        "--config-settings=setup-args=-Dlapack=openblas",
        "--config-settings=setup-args=-Dallow-noblas=false",
    ]
    old = shipped("numpy", "1.25.2")
    assert old.settings({}, "1.25.2") == []
    assert dict(old.env) == {"NPY_BLAS_ORDER": "openblas", "NPY_LAPACK_ORDER": "openblas"}


def commented(name: str) -> str:
    """What a shipped recipe shows in its comments for a recipe of a site's own."""
    text = Path(SHIPPED, f"{name}.toml").read_text(encoding="utf-8")
    return "".join(f"{line}\n" for line in re.findall(r"^#   (.*)$", text, re.MULTILINE))


def test_mkl_and_the_hdf5_of_a_module_are_said_with_the_same_keys(tmp_path: Path) -> None:
    mkl = resolved(tmp_path, commented("numpy"), "2.0")
    assert (mkl.build_modules, mkl.run_modules) == (("imkl",), ("imkl",))
    assert {text for _, text in mkl.config_settings} >= {"-Dblas=mkl", "-Dlapack=mkl"}
    h5py = resolved(tmp_path, commented("h5py"))
    assert h5py.environment({"EBROOTHDF5": "/sw/hdf5"}, "3.0")["HDF5_DIR"] == "/sw/hdf5"


@pytest.mark.network
@pytest.mark.slow
def test_the_recipes_and_what_downloading_needs_are_in_our_own_wheel(tmp_path: Path) -> None:
    project = Path(__file__).parents[2]
    assert run_pip("wheel", "--no-deps", "--wheel-dir", tmp_path, project).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if "/shipped/" in name or "/pip_shim/" in name}
    assert inside == {
        *(f"wheelhouse_resolver/builder/recipes/shipped/{name}.toml" for name in ("cython", "h5py", "numpy")),
        "wheelhouse_resolver/builder/sources/pip_shim/sitecustomize.py",
    }
