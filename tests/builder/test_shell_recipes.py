"""Shell recipes: each construct becomes keys of ours, a command of a phase, or is reported; nothing runs."""

from __future__ import annotations

import builtins
import os
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from wheelhouse_resolver.builder.recipes.loader import RecipeFile
from wheelhouse_resolver.builder.shell_recipes.importer import Imported, import_recipes, write_recipes
from wheelhouse_resolver.builder.shell_recipes.syntax import _parser, parse_shell
from wheelhouse_resolver.errors import MissingExtraError, OutputError
from wheelhouse_resolver.site.layout import Layer
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.toml import parse_toml

GIT = """\
PACKAGE_DOWNLOAD_ARGUMENT="https://git.example.org/demo.git"
PACKAGE_DOWNLOAD_NAME="$PACKAGE-$VERSION.tar.gz"
PACKAGE_DOWNLOAD_METHOD="Git"
PACKAGE_DOWNLOAD_CMD="git clone -j 4 $PACKAGE_DOWNLOAD_ARGUMENT --branch v${VERSION:?} $PACKAGE_FOLDER_NAME"
POST_DOWNLOAD_COMMANDS="tar -zcf ${PACKAGE}-${VERSION}.tar.gz $PACKAGE_FOLDER_NAME"
"""


def place(tmp_path: Path, files: dict[str, str]) -> str:
    """The directory of the shell recipes *files*; a name with a slash is beside it."""
    directory = tmp_path / "config"
    directory.mkdir()
    for name, text in files.items():
        path = tmp_path / name if "/" in name else directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return str(directory)


def taken(tmp_path: Path, text: str, **files: str) -> Imported:
    """What the recipe *text* of demo comes to, on a site with the layers new and old."""
    names = {name.replace("__", "/"): each for name, each in files.items()}
    directory = place(tmp_path, {"demo.sh": text, **names})
    return next(each for each in import_recipes(directory, site()) if each.name == "demo")


def site() -> Site:
    layers = [
        Layer(name, (name,), ("avx2",), env=(("EBVERSIONGENTOO", year),))
        for name, year in (("new", "2023"), ("old", "2020"))
    ]
    return Site.default("/nowhere")._replace(layers=tuple(layers))


def reported(imported: Imported) -> list[str]:
    return [f"{each.line}: {each.text}" for each in imported.reported]


# -- what has a key of its own -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MODULE_BUILD_DEPS='gcc/12 hdf5'", {"modules": {"build": ["gcc/12", "hdf5"]}}),
        (
            "A=fftw\nMODULE_RUNTIME_DEPS=\"hdf5/1 $A\" # why\nMODULE_BUILD_DEPS='cmake'",
            {"modules": {"build": ["hdf5/1", "fftw", "cmake"], "run": ["hdf5/1", "fftw"]}},
        ),
        (
            "PYTHON_DEPS=$'a\\n\\'b\\x3d=1\\''\nTEST_COMMAND=$'cd x\\n\\ud800 \\u0063d \\143'",
            {"extra-build-requires": ["a", "b==1"], "test": {"command": "cd x ? cd c"}},
        ),
        ('A=1\nPYTHON_DEPS=$"b==$A"', {"extra-build-requires": ["b==1"]}),
        ("MODULE_BUILD_DEPS='a -numpy/.2.1'", {"modules": {"build": ["a"], "without": ["numpy"]}}),
        ("MODULE_BUILD_DEPS_DEFAULT=''", {"modules": {"default": []}}),
        ("MODULE_BUILD_DEPS=a\nMODULE_BUILD_DEPS+=' b'", {"modules": {"build": ["a", "b"]}}),
        ("L=(a 'b' \"c/1\")\nMODULE_BUILD_DEPS=${L[*]}", {"modules": {"build": ["a", "b", "c/1"]}}),
        (
            "PYTHON_DEPS=\"torch${TORCH_VERSION:+==$TORCH_VERSION} 'numpy<2' -U\"",
            {"extra-build-requires": ["torch", "numpy<2"]},
        ),
        (
            "PYTHON_DEPS_DEFAULT=''\nPYTHON_VERSIONS='python/3.11 python/3.12'",
            {"default-build-requires": [], "pythons": ["3.11", "3.12"]},
        ),
        (
            "PACKAGE_DOWNLOAD_ARGUMENT=https://example.org/v${VERSION:?needed}.tar.gz",
            {"source": {"url": "https://example.org/v${version}.tar.gz"}},
        ),
        (
            'PACKAGE_DOWNLOAD_ARGUMENT="git+https://example.org/demo@v${VERSION}#egg=demo"',
            {"source": {"git": "https://example.org/demo", "ref": "v${version}"}},
        ),
        ('PACKAGE_DOWNLOAD_ARGUMENT="$PACKAGE==$VERSION"', {}),
        (GIT, {"source": {"git": "https://git.example.org/demo.git", "ref": "v${version}"}}),
        (
            "PACKAGE_DOWNLOAD_CMD='wget -q https://example.org/1.0.zip && echo Saved 1.0.zip'\n"
            'PACKAGE_FOLDER_NAME="demo-1.0/python"',
            {"source": {"url": "https://example.org/1.0.zip", "subdirectory": "python"}},
        ),
        (
            "PACKAGE_DOWNLOAD_CMD='git clone https://example.org/d d && cd d && git checkout abc && cd ..'",
            {"source": {"git": "https://example.org/d", "ref": "abc"}},
        ),
        (
            "PRE_BUILD_COMMANDS=\"export A=1; export B='x y';\n\texport C=${SLURM_CPUS_PER_TASK:-2}\"",
            {"env": {"A": "1", "B": "x y", "C": "${SLURM_CPUS_PER_TASK:-2}"}},
        ),
        (
            "PRE_DOWNLOAD_COMMANDS='export H=$EBROOTHDF5; CPATH=$H/include:$CPATH'",
            {"env": {"H": "${EBROOTHDF5}", "CPATH": "${H:-}/include:${CPATH:-}"}},
        ),
        ("export MODE=fast VERSIONED=$VERSION", {"env": {"MODE": "fast", "VERSIONED": "${version}"}}),
        ("PRE_BUILD_COMMANDS='module load mpi4py'", {"modules": {"build": ["mpi4py"]}}),
        (
            "PRE_BUILD_COMMANDS='cd python; sed -i s/a/b/ setup.py; make -C ..'",
            {
                "source": {"subdirectory": "python"},
                "phases": {"before-build": ["sed -i s/a/b/ setup.py", "make -C .."]},
            },
        ),
        (
            "PRE_BUILD_COMMANDS='make && cd python/lib'",
            {"source": {"subdirectory": "python/lib"}, "phases": {"before-build": ["cd ../..\nmake"]}},
        ),
        (
            "BDIST_WHEEL_ARGS='--with-x -DY=\"a b\"'\n"
            "PIP_WHEEL_ARGS='-Csetup-args=-Dblas=x -C setup-args=-Dy'",
            {
                "config-settings": {
                    "--build-option": ["--with-x", "-DY=a b"],
                    "setup-args": ["-Dblas=x", "-Dy"],
                }
            },
        ),
        ("PYTHON_IMPORT_NAME='PIL'", {"test": {"imports": ["PIL"]}}),
        ('PYTHON_TESTS="demo.test(${N:-1});"', {"test": {"statements": ["import demo; demo.test(1)"]}}),
        ("TEST_COMMAND='demo --help'", {"test": {"command": "demo --help"}}),
        (
            "PRE_TEST_COMMANDS='export T=1; ulimit -s 8192'\nPYTHON_IMPORT_NAME=demo",
            {
                "phases": {"before-test": ['export T="1"']},
                "test": {"command": "ulimit -s 8192\npython -c 'import demo'"},
            },
        ),
        (
            "RPATH_TO_ADD=\"'\\$ORIGIN/../lib:\\$EBROOTHDF5/lib'\"\nRPATH_ADD_ORIGIN=yes",
            {"wheel": {"rpath": ["$ORIGIN/../lib", "${EBROOTHDF5}/lib", "$ORIGIN"]}},
        ),
        (
            'UPDATE_REQUIREMENTS=\'"numpy (<2)" "faiss-cpu->faiss"\'',
            {"wheel": {"replace-requires": ["numpy<2"], "rename-requires": {"faiss-cpu": "faiss"}}},
        ),
        (
            'POST_BUILD_COMMANDS=\'$SCRIPT_DIR/manipulate_wheels.py --inplace --force --add_req a "b>=1" '
            "-r c -w $WHEEL_NAME && WHEEL_NAME=$(ls *.whl)'",
            {"wheel": {"add-requires": ["a", "b>=1"], "remove-requires": ["c"]}},
        ),
        (
            "POST_BUILD_COMMANDS='wheel tags --remove --abi-tag=none --python-tag=py3 "
            "--platform-tag=linux_x86_64 $WHEEL_NAME && WHEEL_NAME=$(ls *.whl)'",
            {"wheel": {"tags": "py3-none-linux_x86_64"}},
        ),
        (
            "POST_BUILD_COMMANDS='PYVER=${EBVERSIONPYTHON::-2}; wheel tags --remove --abi-tag=cp${PYVER//.} "
            "--python-tag=cp${PYVER//.} --platform-tag=linux_x86_64 $WHEEL_NAME'",
            {"wheel": {"tags": "{cp}-{cp}-linux_x86_64"}},
        ),
        (
            "POST_BUILD_COMMANDS='setrpaths.sh --path $WHEEL_NAME --add_path $EBROOTX/lib --add_origin'",
            {"wheel": {"rpath": ["${EBROOTX}/lib", "$ORIGIN"]}},
        ),
        (
            "echo 'demo is a module.'\necho \"Please set MODULE_RUNTIME_DEPS='demo'\"\nexit 1\n",
            {"placeholder": {"message": "load the module demo first"}},
        ),
    ],
)
def test_what_has_a_key_is_translated(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    found = taken(tmp_path, text)
    assert reported(found) == []
    assert found.document == expected


def test_patches_come_along(tmp_path: Path) -> None:
    found = taken(tmp_path, 'PATCHES="a.patch b.patch"', patches__a_patch="")
    assert found.document == {}
    assert reported(found) == [
        "1: there is no patch patches/a.patch: it is left out",
        "1: there is no patch patches/b.patch: it is left out",
    ]
    (tmp_path / "patches").mkdir(exist_ok=True)
    for name in ("a.patch", "b.patch"):
        (tmp_path / "patches" / name).write_text(name)
    (again,) = import_recipes(str(tmp_path / "config"), None)
    assert again.document == {"patch": [{"file": "patches/a.patch"}, {"file": "patches/b.patch"}]}
    write_recipes([again], str(tmp_path / "out"), str(tmp_path / "config"))
    assert (tmp_path / "out/patches/b.patch").read_text() == "b.patch"
    with pytest.raises(OutputError, match="not empty"):
        write_recipes([again], str(tmp_path / "out"), str(tmp_path / "config"))


# -- what is kept as a command -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phase", "expected"),
    [
        # What the recipe's own shell replaces while it reads it, in quotes for the shell of the build.
        (
            'PRE_BUILD_COMMANDS="sed -i -e \'s/x/$VERSION/\' -e \\"s/y/$VERSION/\\" setup.py"',
            "before-build",
            ["sed -i -e 's/x/'\"${WHEELHOUSE_VERSION}\"'/' -e \"s/y/${WHEELHOUSE_VERSION}/\" setup.py"],
        ),
        # What the build script's `eval` replaces.
        (
            "PRE_BUILD_COMMANDS='echo $VERSION \"$EBROOTX\" '\\''$VERSION'\\'' > a; make -j $CORES'",
            "before-build",
            ["echo $WHEELHOUSE_VERSION \"$EBROOTX\" '$VERSION' > a", "make -j ${CORES-}"],
        ),
        (
            "PRE_BUILD_COMMANDS=$(cat <<-END\n\tsed -i 's/a/b/' x;\n\techo \\$HOME $VERSION;\nEND\n)",
            "before-build",
            ["sed -i 's/a/b/' x", "echo $HOME ${WHEELHOUSE_VERSION}"],
        ),
        (
            "PRE_BUILD_COMMANDS=$(cat <<'END'\nsed -i \"s/a/$B/\" x\nEND\n)",
            "before-build",
            ['sed -i "s/a/${B-}/" x'],
        ),
        # One shell for what needs another's variables.
        (
            "PRE_BUILD_COMMANDS='n=1; for i in 1 2; do n=$i; done; make N=$n; export M=$n'",
            "before-build",
            ["n=1\nfor i in 1 2; do n=$i; done\nmake N=${n-}\nexport M=${n-}"],
        ),
        (
            "POST_BUILD_COMMANDS='unzip $WHEEL_NAME x && zip $WHEEL_NAME x'",
            "after-build",
            ["unzip $WHEELHOUSE_WHEEL x", "zip $WHEELHOUSE_WHEEL x"],
        ),
        (
            'PATCH_WHEEL_COMMANDS="unzip \\$ARCHNAME; patch < \\$SCRIPT_DIR/patches/a.patch"',
            "taken-wheel",
            ["unzip $WHEELHOUSE_WHEEL", "patch < $WHEELHOUSE_RECIPE_DIR/patches/a.patch"],
        ),
        ("PRE_BUILD_COMMANDS='a || b; verify_and_patch_arch_flags'", "before-build", ["a || b"]),
        (
            "PRE_BUILD_COMMANDS='if [ -e x ]; then make x; fi'",
            "before-build",
            ["if [ -e x ]; then make x; fi"],
        ),
    ],
)
def test_commands_are_kept_for_their_phase(
    tmp_path: Path, text: str, phase: str, expected: list[str]
) -> None:
    found = taken(tmp_path, text)
    assert reported(found) == []
    assert found.document is not None
    assert found.document["phases"] == {phase: expected}


@pytest.mark.parametrize("more", ["", "PRE_BUILD_COMMANDS='make'"])
def test_a_recipe_of_wheels_alone_takes_them(tmp_path: Path, more: str) -> None:
    found = taken(tmp_path, f"MODULE_RUNTIME_DEPS=a\nPATCH_WHEEL_COMMANDS='zip -d $ARCHNAME x'\n{more}")
    assert found.document is not None
    assert ("only-binary" in found.document) == (not more)


# -- conditions --------------------------------------------------------------------------------------------


def applied(imported: Imported, version: str = "1.0", layer: str | None = None, arch: str = "generic") -> Any:
    """The recipe for that build, without what says nothing."""
    from packaging.version import Version

    assert imported.document is not None
    file = RecipeFile(name=imported.name, path="x", digest="", document=imported.document)
    return file.applied(Version(version), "3.11", layer, arch)


CONDITIONS = """\
if [[ "$EBVERSIONGENTOO" == "2023" ]]; then
    MODULE_BUILD_DEPS="new/1"
    PATCHES="a.patch"
elif [[ $RSNT_ARCH == 'avx512' ]]; then
    MODULE_BUILD_DEPS="wide"
else
    MODULE_BUILD_DEPS="other"
    export OTHER=1
fi
if [[ -n "$VERSION" ]] && [[ 10#$(translate_version $VERSION) -lt 10#$(translate_version '1.5') \\
    || $VERSION == '3.0' ]]; then
    PYTHON_DEPS="before"
fi
if [[ ${VERSION} =~ 2.10.* ]]; then
    MODULE_RUNTIME_DEPS="run/1"
fi
if [ ! -e "$(dirname $0)/patches/a.patch" ]; then
    MODULE_BUILD_DEPS="never"
fi
"""


def test_conditions_become_sections_that_say_the_same_of_every_build(tmp_path: Path) -> None:
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches/a.patch").write_text("")
    found = taken(tmp_path, CONDITIONS)
    assert reported(found) == []
    versions = ("0.9", "1.5", "2.9", "2.10", "2.10.4", "2.11", "3.0", "3.0.1")
    for version, layer, arch in product(versions, ("new", "old", None), ("avx2", "avx512")):
        recipe = applied(found, version, layer, arch)
        named = "new/1" if layer == "new" else "wide" if arch == "avx512" else "other"
        run = ["run/1"] if version.startswith("2.10") else []
        assert recipe["modules"]["build"] == [*run, named]
        assert recipe["modules"].get("run", []) == run
        assert ("patch" in recipe) == (layer == "new")
        assert ("env" in recipe) == (named == "other")
        assert ("extra-build-requires" in recipe) == (version in ("0.9", "3.0"))


def test_a_recipe_of_one_version_is_all_that_counts_for_it(tmp_path: Path) -> None:
    general = "MODULE_BUILD_DEPS=general\nPYTHON_DEPS=numpy"
    single = {"demo-1.2.3.sh": "MODULE_BUILD_DEPS=single\nPRE_BUILD_COMMANDS=\"echo '$VERSION'\""}
    directory = place(tmp_path, {"demo.sh": general, **single})
    (found,) = import_recipes(directory, None)
    assert applied(found, "1.2.3") == {
        "modules": {"build": ["single"]},
        "phases": {"before-build": ["echo '1.2.3'"]},
    }
    for version in ("1.2.2", "1.2.3.post1", "1.2.4"):
        assert applied(found, version) == {
            "modules": {"build": ["general"]},
            "extra-build-requires": ["numpy"],
        }


def test_layers_are_those_of_the_writers_where_the_site_does_not_say(tmp_path: Path) -> None:
    text = "if [[ $EBVERSIONGENTOO -ge 2023 ]]; then MODULE_BUILD_DEPS=a; else MODULE_BUILD_DEPS=b; fi"
    (found,) = import_recipes(place(tmp_path, {"demo.sh": text}), None)
    assert found.document == {
        "modules": {"build": ["b"]},
        "when": [{"layer": "gentoo2023", "modules": {"build": ["a"]}}],
    }


def test_a_condition_on_the_python(tmp_path: Path) -> None:
    found = taken(tmp_path, 'if [[ "$EBVERSIONPYTHON" == 3.11* ]]; then PYTHON_DEPS=a; fi')
    assert found.document is not None
    assert found.document["when"] == [{"python": ">=3.11,<3.12", "extra-build-requires": ["a"]}]


# -- what is reported --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nPYTHON_TEST='x'", "2: nothing reads PYTHON_TEST: did you mean PYTHON_TESTS?"),
        ("MODULE_RNTIME_DEPS=x", "1: nothing reads MODULE_RNTIME_DEPS: did you mean MODULE_RUNTIME_DEPS?"),
        ("UPDATE_REQUIREMENTS'x'", "1: UPDATE_REQUIREMENTS is not set: there is no `=` after it"),
        ("PYTHON_DEPS='a <1'", "1: PYTHON_DEPS: '<1' is not a requirement: it is left out"),
        (
            'MODULE_BUILD_DEPS="x/${VERSION%.*}"',
            "1: MODULE_BUILD_DEPS: 'x/${VERSION%.*}' is not a module: it is left out",
        ),
        (
            "if [[ $(uname) == Linux ]]; then PYTHON_DEPS=a; fi",
            "1: the condition `$(uname) == Linux` is not understood: its branches are left out",
        ),
        (
            "PACKAGE_DOWNLOAD_ARGUMENT='https://example.org/a-{VERSION}.tar.gz'",
            "1: https://example.org/a-{VERSION}.tar.gz: `{VERSION}` has no dollar sign before it: "
            "correct source.url",
        ),
        ("PRE_BUILD_COMMANDS='echo \"'", '1: PRE_BUILD_COMMANDS: `"` is not valid shell'),
        ("PRE_BUILD_COMMANDS='echo", "1: `PRE_BUILD_COMMANDS='echo` is not valid shell"),
        ("echo 'It hangs.'\nexit 1", "2: it is not built: It hangs."),
        (
            "if [[ $THIS_SCRIPT == 'build_wheel.sh' ]]; then echo no; exit 1; fi",
            "1: the wheel is taken from upstream, not built: wheelhouse-resolver fetch demo",
        ),
        ("PYTHON_TESTS='x ='", "1: the test 'import demo; x =' is not Python: it is left out"),
        (
            "POST_DOWNLOAD_COMMANDS='sed -i s/a/b/ demo/x'",
            "1: POST_DOWNLOAD_COMMANDS: `sed -i s/a/b/ demo/x` is left out: see phases.after-source",
        ),
    ],
)
def test_what_a_person_must_look_at_is_reported_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in reported(taken(tmp_path, text))


def test_two_recipes_of_one_project_are_reported(tmp_path: Path) -> None:
    directory = place(tmp_path, {"Some_Project.sh": "PYTHON_DEPS=a", "some-project.sh": "PYTHON_DEPS=b"})
    (found,) = import_recipes(directory, None)
    assert found.document == {"extra-build-requires": ["a"]}
    assert reported(found) == ["1: is also a recipe of some-project: only Some_Project.sh counts"]


def test_two_spellings_of_a_version_are_one(tmp_path: Path) -> None:
    directory = place(tmp_path, {"demo-1.0.0.sh": "PYTHON_DEPS=a", "demo-1.0.sh": "PYTHON_DEPS=b"})
    (found,) = import_recipes(directory, None)
    assert reported(found) == ["1: is also a recipe of demo: only demo-1.0.0.sh counts"]


def test_one_that_cannot_be_read_ends_nothing(tmp_path: Path) -> None:
    directory = Path(place(tmp_path, {"demo.sh": "PYTHON_DEPS=a", "other.sh": "PYTHON_DEPS=b"}))
    (directory / "demo-2.0.sh").write_bytes(b"\x7fELF\x80")
    (directory / "gone.sh").symlink_to("nowhere")
    demo, gone, other = import_recipes(str(directory), None)
    assert (demo.document, other.document) == (
        {"extra-build-requires": ["a"]},
        {"extra-build-requires": ["b"]},
    )
    assert reported(demo) == ["1: it is not a UTF-8 text file: it is not taken over"]
    assert gone.document is None
    assert reported(gone) == ["1: it cannot be read: No such file or directory: it is not taken over"]
    assert reported(other) == []


# -- hostile recipes ---------------------------------------------------------------------------------------

HOSTILE = """\
touch CANARY
X=$(touch CANARY)
Y=`touch CANARY`
. ./other.sh
source CANARY.sh
eval "touch CANARY"
trap 'touch CANARY' EXIT DEBUG
cat <<< $(touch CANARY)
: ${Z:=$(touch CANARY)} $[$(touch CANARY)]
function f { touch CANARY; }; f
if touch CANARY; then PYTHON_DEPS=a; fi
[[ -n $(touch CANARY) ]] && PYTHON_DEPS=b
a[$(touch CANARY)]=1
rm -rf CANARY.d
while touch CANARY; do break; done
PYTHON_TESTS="__import__('os').system('touch CANARY')"
PRE_BUILD_COMMANDS="touch CANARY; $(touch CANARY)"
PATCHES="../../etc/passwd /etc/passwd ../config/demo.sh"
MODULE_BUILD_DEPS="$(touch CANARY)"
"""


def test_nothing_of_a_hostile_recipe_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, kept = tmp_path / "canary", tmp_path / "canary.d"
    kept.mkdir()
    (tmp_path / "canary.sh").write_text(f"touch {canary}")
    monkeypatch.chdir(tmp_path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something is run")

    for name in ("subprocess.Popen", "os.system", "os.execve", "os.posix_spawn", "os.fork"):
        monkeypatch.setattr(name, refuse)
    for name in ("exec", "eval"):
        monkeypatch.setattr(builtins, name, refuse)
    found = taken(tmp_path, HOSTILE.replace("CANARY", str(canary)))
    write_recipes([found], str(tmp_path / "out"), str(tmp_path / "config"))
    assert not canary.exists()
    assert kept.is_dir()
    assert sorted(os.listdir(tmp_path / "out")) == ["demo.toml"]
    assert len(found.reported) >= 15
    assert {each.line for each in found.reported} >= {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 17, 18, 19}


def test_hostile_sizes_end(tmp_path: Path) -> None:
    doubling = "A=xxxxxxxx\n" + "A=$A$A\n" * 60 + "PYTHON_DEPS=$A\n"
    one = "if [[ $VERSION == {0} || $EBVERSIONPYTHON == {0} ]]; then B={0}; fi\n"
    comparing = "".join(one.format(number) for number in range(99))
    nested = "if [[ -z $A ]]; then\n" * 2000 + "fi\n" * 2000
    regular = f"if [[ {'a' * 60}b =~ (a+)+$ ]]; then PYTHON_DEPS=x; fi"
    marks = "PRE_BUILD_COMMANDS='echo \ue000'\nPYTHON_TEST='\ue001'"
    files = {
        "a.sh": doubling,
        "b.sh": comparing,
        "c.sh": nested,
        "d.sh": regular,
        "e.sh": marks,
        "f g.sh": "A=1",
    }
    found = import_recipes(place(tmp_path, files), None)
    assert all(each.reported for each in found)
    assert [each.document is not None for each in found] == [True, True, False, True, True, False]


def test_names_and_texts_cannot_add_keys_to_a_recipe(tmp_path: Path) -> None:
    text = "PYTHON_DEPS='a\n\\nx\x1b = 1'\nPYTHON_TEST=1\n"
    found = taken(tmp_path, text)
    write_recipes([found], str(tmp_path / "out"), str(tmp_path / "config"))
    written = (tmp_path / "out/demo.toml").read_text()
    assert list(parse_toml(written)) == ["extra-build-requires"]
    assert "\x1b" not in written


# -- the parser --------------------------------------------------------------------------------------------


def test_without_the_parser_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    _parser.cache_clear()
    monkeypatch.setitem(sys.modules, "tree_sitter_bash", None)
    with pytest.raises(MissingExtraError) as caught:
        parse_shell("A=1")
    assert caught.value.hint.endswith(" -m pip install 'tree-sitter-bash>=0.23' 'tree-sitter>=0.23'")
