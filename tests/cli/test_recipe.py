from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.cli.conftest import Cli, Outcome
from wheelhouse_resolver.builder.recipes.loader import SHIPPED
from wheelhouse_resolver.utils.toml import parse_toml

RECIPE = """\
build-requires = ["cython<3"]

[env]
LEVEL = "${RSNT_ARCH}"

[[when]]
version = ">=2"
env = { NEW = "1" }

[[when]]
arch = "avx2"
layer = "gentoo*"
env = { WIDE = "1" }

[[when]]
python = "<3.12"
env = { OLD_PYTHON = "1" }
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with a recipe of demo, and one of numpy of its own; we are beside it."""
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "Demo_Project.toml").write_text(RECIPE)
    (recipes / "numpy.toml").write_text("no-binary = true\n")
    path = tmp_path / "site.toml"
    path.write_text(f'root = "{tmp_path}"\n[build]\nrecipes = ["recipes"]\n')
    monkeypatch.setenv("WHEELHOUSE_CONFIG", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def shown(cli: Cli, *arguments: str) -> dict[str, Any]:
    """What `recipe show` prints, read as the TOML that it is."""
    outcome = cli("recipe", "show", *arguments, "--layer", "none")
    assert (outcome.code, outcome.err) == (0, "")
    return parse_toml(outcome.out)


# -- check -------------------------------------------------------------------------------------------------


def test_recipes_that_are_valid(cli: Cli) -> None:
    outcome = cli("recipe", "check", "recipes/numpy.toml", "recipes/Demo_Project.toml")
    assert outcome == (0, "recipes/numpy.toml: valid\nrecipes/Demo_Project.toml: valid\n", "")


def test_the_shipped_recipes_are_valid(cli: Cli) -> None:
    assert cli("recipe", "check", *sorted(Path(SHIPPED).glob("*.toml"))).code == 0


def test_everything_that_is_wrong_is_told_with_file_and_key(cli: Cli) -> None:
    Path("bad.toml").write_text("[test]\nimport = []\ntimeout = 'x'\n")
    outcome = cli("recipe", "check", "bad.toml", "recipes/numpy.toml")
    assert outcome == (
        1,
        "bad.toml: test: unknown key 'import': did you mean 'imports'?\n"
        "bad.toml: test.timeout: must be a number of seconds above 0, at most 604800, not a string\n"
        "recipes/numpy.toml: valid\n",
        "",
    )


def test_for_programs(cli: Cli) -> None:
    Path("bad.toml").write_text("[test]\ntimeout = 'x'\n")
    outcome = cli("recipe", "check", "--json", "bad.toml", "recipes/numpy.toml")
    problem = "must be a number of seconds above 0, at most 604800, not a string"
    assert outcome.code == 1
    assert json.loads(outcome.out) == [
        {"path": "bad.toml", "findings": [{"key": "test.timeout", "problem": problem}]},
        {"path": "recipes/numpy.toml", "findings": []},
    ]


def test_checking_needs_no_site(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELHOUSE_CONFIG", "/missing.toml")
    assert cli("recipe", "check", "recipes/numpy.toml").code == 0


@pytest.mark.parametrize(
    "action",
    [("check", f"{SHIPPED}/numpy.toml"), ("list",), ("show", "numpy")],
    ids=lambda action: str(action[0]),
)
def test_no_wheelhouse_is_needed(action: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHEELHOUSE_CONFIG")
    monkeypatch.delenv("WHEELHOUSE_ROOT", raising=False)
    monkeypatch.setattr("wheelhouse_resolver.site.config.ORIGIN", "/nowhere/at/all")
    outcome = cli("recipe", *action)
    assert outcome.code == 0, outcome.err
    assert f"{SHIPPED}/numpy.toml" in outcome.out


def test_what_cannot_be_read_is_bad_input_and_not_waited_for(cli: Cli, tmp_path: Path) -> None:
    os.mkfifo("pipe.toml")
    for name, reason in (("pipe.toml", "not a regular file"), ("gone.toml", "No such file or directory")):
        outcome = cli("recipe", "check", "recipes/numpy.toml", name)
        assert outcome == (2, "", f"error: {tmp_path}/{name}: cannot be read: {reason}\n")


def test_archs_and_layers_that_the_site_does_not_have(cli: Cli) -> None:
    whens = ("arch = 'avx3'", "arch = ['avx*', 'generic']", "layer = ['gentoo*', 'nix', 'none', 'gento']")
    Path("odd.toml").write_text("".join(f"[[when]]\n{each}\nno-binary = true\n" for each in whens))
    outcome = cli("recipe", "check", "odd.toml")
    assert (outcome.code, outcome.out) == (0, "odd.toml: valid\n")
    assert outcome.err.splitlines() == [
        "warning: odd.toml: when[1].arch: this site has no 'avx3': it knows generic, sse3, avx, avx2, avx512",
        "warning: odd.toml: when[3].layer: this site has no 'gento': it knows none, nix, gentoo",
    ]


def test_hostile_text_is_escaped(cli: Cli) -> None:
    name = "a\x1b[31m\n.toml"
    Path(name).write_text('"\\u001b[31mkey" = 1\n')
    outcome = cli("recipe", "check", name)
    assert outcome.code == 1
    assert "\x1b" not in outcome.out
    assert len(outcome.out.splitlines()) == 1


LOST = ["cd sub", "make && cd sub", "X=1 Y='a b'", "(umask 022)", "if true; then set -u; fi",
        "set -x # trace", "true &&\\\n  ulimit -s 1"]  # fmt: skip
KEPT = ["cd x && make", "X=1 make", "echo 'x; cd x'", 'echo "a && cd b"', "make 2>&1", "ulimit -a",
        "cd x; make # cd", "sed -i s/a/b/ cd", "echo \\; export", "export X=1", "module load gcc",
        "make; . ./env.sh", "cat >f <<E\ncd x\nE"]  # fmt: skip


def test_commands_whose_effect_ends_with_their_shell(cli: Cli, tmp_path: Path) -> None:
    recipe = tmp_path / "demo.toml"
    phases = {"before-build": [*LOST, *KEPT], "after-source": ["cd x"]}
    recipe.write_text(tomli_w.dumps({"when": [{"arch": "avx2", "phases": {"before-test": ["T=1"]}}],
                                     "phases": phases}))  # fmt: skip
    outcome = cli("recipe", "check", recipe)
    assert (outcome.code, outcome.out) == (0, f"{recipe}: valid\n")
    warned = outcome.err.splitlines()
    assert len(warned) == len(LOST) + 2
    assert warned[0] == (
        f"warning: {recipe}: phases.before-build: 'cd sub' changes only its own shell, "
        "and the next command has another: join it with what needs it in one command (`&&`)"
    )
    assert "phases.after-source: 'cd x' changes only its own shell" in warned[-2]
    assert "when[1].phases.before-test: 'T=1' changes only its own shell" in warned[-1]


# -- show --------------------------------------------------------------------------------------------------


def test_what_applies_is_shown_as_a_recipe_with_its_file(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("recipe", "show", "demo.project", "--layer", "none", "--python", "3.12")
    assert outcome.out.splitlines()[0] == f"# demo-project: {tmp_path}/recipes/Demo_Project.toml"
    assert parse_toml(outcome.out) == {"build-requires": ["cython<3"], "env": {"LEVEL": "${RSNT_ARCH}"}}


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (("--python", "3.12", "--version", "1.9"), {"LEVEL"}),
        (("--python", "3.12", "--version", "2.0"), {"LEVEL", "NEW"}),
        (("--python", "3.11"), {"LEVEL", "OLD_PYTHON"}),
        (("--python", "3.12", "--arch", "avx2", "--layer", "gentoo"), {"LEVEL", "WIDE"}),
        (("--python", "3.12", "--arch", "avx2", "--layer", "none"), {"LEVEL"}),
        (("--python", "3.12", "--arch", "generic", "--layer", "gentoo"), {"LEVEL"}),
    ],
    ids=["older", "newer", "python", "arch-and-layer", "arch", "layer"],
)
def test_conditions(options: tuple[str, ...], variables: set[str], cli: Cli) -> None:
    outcome = cli("recipe", "show", "demo-project", "--layer", "none", *options)
    assert outcome.code == 0
    assert set(parse_toml(outcome.out)["env"]) == variables


def test_the_version_may_stand_behind_the_name(cli: Cli) -> None:
    asked = ("--python", "3.12")
    assert shown(cli, "demo.project==2.0", *asked) == shown(cli, "demo.project", "--version", "2.0", *asked)
    assert set(shown(cli, "demo.project==1.0", "--version", "2.0", *asked)["env"]) == {"LEVEL"}


def test_an_arch_counts_without_a_layer_too(cli: Cli, site: Path) -> None:
    text = '[[when]]\narch = "avx2"\nenv = { WIDE = "1" }\n'
    (site.parent / "recipes/wide.toml").write_text(text)
    assert shown(cli, "wide", "--arch", "avx2") == {"env": {"WIDE": "1"}}


def test_a_sites_recipe_comes_before_the_shipped_one(cli: Cli) -> None:
    assert shown(cli, "numpy") == {"no-binary": True}
    assert "test" in shown(cli, "h5py")


def test_shown_for_programs(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("recipe", "show", "numpy", "--json", "--layer", "none")
    (told,) = json.loads(outcome.out)
    assert (told["name"], told["path"]) == ("numpy", f"{tmp_path}/recipes/numpy.toml")
    assert told["recipe"] == {"no-binary": True}
    assert len(told["sha256"]) == 64


def test_a_project_without_a_recipe_is_a_negative_answer(cli: Cli) -> None:
    outcome = cli("recipe", "show", "numpy", "missing", "--layer", "none")
    assert outcome.code == 1
    assert "no-binary = true" in outcome.out
    assert outcome.err == "missing: no recipe: it is built without one\n"


@pytest.mark.parametrize("action", ["check", "show", "list"])
def test_every_action_has_help_with_examples(action: str, cli: Cli) -> None:
    outcome = cli("recipe", action, "--help")
    assert outcome.code == 0
    examples = outcome.out.partition("examples:")[2]
    assert examples.count(f"wheelhouse-resolver recipe {action}") >= 2


# -- list --------------------------------------------------------------------------------------------------


def test_all_recipes_and_where_they_are(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("recipe", "list")
    assert outcome.code == 0
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["cython", f"{SHIPPED}/cython.toml"],
        ["demo-project", f"{tmp_path}/recipes/Demo_Project.toml"],
        ["h5py", f"{SHIPPED}/h5py.toml"],
        ["numpy", f"{tmp_path}/recipes/numpy.toml"],
    ]
    told = json.loads(cli("recipe", "list", "--json").out)
    assert {"name": "h5py", "path": f"{SHIPPED}/h5py.toml"} in told


# -- import ------------------------------------------------------------------------------------------------


def test_shell_recipes_are_taken_over_with_what_a_person_must_look_at(cli: Cli, tmp_path: Path) -> None:
    shell = tmp_path / "config"
    shell.mkdir()
    (shell / "Demo.sh").write_text("PYTHON_DEPS='cython<3'\nPRE_BUILD_COMMANDS='make'\n")
    (shell / "other.sh").write_text('if [[ $RSNT_ARCH == avx2 ]]; then export A=1; fi\nPYTHON_TEST="x"\n')
    outcome = cli("recipe", "import", "config", "--output", "out")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.splitlines() == [
        "config/other.sh:2: nothing reads PYTHON_TEST: did you mean PYTHON_TESTS?",
        "what                       number",
        "shell recipes              2",
        "recipes                    2",
        "with nothing to look at    1",
        "with something to look at  1",
        "with [[when]] sections     1",
        "with commands in phases    1",
    ]
    checked = cli("recipe", "check", "out/demo.toml", "out/other.toml")
    assert (checked.code, checked.err) == (0, "")
    told = json.loads(cli("recipe", "import", "config", "--output", "again", "--json").out)
    assert told["totals"]["recipes"] == 2
    assert told["recipes"][0] == {
        "name": "demo",
        "recipes": ["config/Demo.sh"],
        "sections": 0,
        "commands": 1,
        "findings": [],
    }


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "error: the following arguments are required: ACTION"),
        (("check",), "error: the following arguments are required: FILE"),
        (("show",), "error: the following arguments are required: NAME"),
        (("list", "numpy"), "error: unrecognized arguments: numpy"),
        (
            ("show", "numpy", "--version", "new"),
            "error: --version: invalid requirement 'new': invalid version\n",
        ),
        (("show", "numpy>=2"), "error: invalid requirement 'numpy>=2': give NAME or NAME==VERSION\n"),
        (("show", "../numpy"), "error: invalid requirement '../numpy'"),
        (
            ("import", "nowhere", "--output", "out"),
            "error: nowhere: cannot be read: No such file or directory",
        ),
        (("import", "recipes", "--output", "out"), "error: recipes: has no shell recipes (*.sh)"),
        (("bogus",), "error: argument ACTION: invalid choice: 'bogus'"),
    ],
)
def test_bad_input_is_one_line_and_perhaps_a_hint(arguments: tuple[str, ...], told: str, cli: Cli) -> None:
    outcome = cli("recipe", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(told)
    assert [line.partition(": ")[0] for line in outcome.err.splitlines()] in (["error"], ["error", "hint"])


def test_a_recipe_that_is_wrong_cannot_be_shown(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "recipes/numpy.toml").write_text("no-binry = true\n")
    outcome = cli("recipe", "show", "numpy", "--layer", "none")
    assert (outcome.code, outcome.out) == (2, "")
    told = f"error: {tmp_path}/recipes/numpy.toml: unknown key 'no-binry': did you mean 'no-binary'?\n"
    assert outcome.err == told


def test_a_directory_that_may_not_be_listed(
    cli: Cli, as_nobody: Callable[[Callable[[], Outcome]], Outcome], open_directory: Path
) -> None:
    site, recipes = open_directory / "site.toml", open_directory / "recipes"
    site.write_text(f'root = "{open_directory}"\n[build]\nrecipes = ["recipes"]\n')
    site.chmod(0o644)
    recipes.mkdir(mode=0)  # nor by its owner
    os.chdir("/")
    outcome = as_nobody(lambda: cli("recipe", "list", "--config", site))
    recipes.chmod(0o700)
    assert (outcome.code, outcome.err) == (2, f"error: {recipes}: cannot be listed: Permission denied\n")
