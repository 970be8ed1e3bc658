"""Module files in the real Lmod and Environment Modules, from loading to a real pip."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.factories import make_tree
from tests.modules.engines import Engine, Opens, Step
from tests.modules.house import CPUINFO, HOSTILE, House
from wheelhouse_resolver.installers.modulefile import dynamic_modulefile
from wheelhouse_resolver.installers.pip_config import static_configs
from wheelhouse_resolver.installers.static_files import write_static_configs
from wheelhouse_resolver.site.model import Site

#: What a module may change.
NAMES = (
    "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "UV_FIND_LINKS",
    "WHEELHOUSE_ARCH", "WHEELHOUSE_LAYER", "WHEELHOUSE_ROOT",
)  # fmt: skip

#: A user's own values, for each of these.
OWN = {
    "PIP_CONFIG_FILE": "/home/me/my pip.conf",
    "WHEELHOUSE_ARCH": "avx",
    "WHEELHOUSE_LAYER": "none",
    "WHEELHOUSE_ROOT": "/home/me/wheels",
}


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    return House(tmp_path, engine)


def variables(step: Step) -> dict[str, str | None]:
    return {name: step.environ.get(name) for name in NAMES}


def check(step: Step, expected: dict[str, str | None]) -> None:
    # Lmod tells of a swap between two versions of one module.
    assert (step.code, step.said.partition("The following have been reloaded")[0].strip()) == (0, "")
    assert variables(step) == expected


UNSET: dict[str, str | None] = dict.fromkeys(NAMES)


@pytest.mark.parametrize("own", [{}, OWN], ids=["nothing-before", "own-values-before"])
class TestSequences:
    """Whatever the order, in the end the user has what was there before."""

    @pytest.fixture
    def before(self, own: dict[str, str]) -> dict[str, str | None]:
        return {**UNSET, **own}

    @pytest.fixture
    def arch(self, own: dict[str, str]) -> str:
        return own.get("WHEELHOUSE_ARCH", "avx2")

    def test_load_and_unload(
        self, house: House, own: dict[str, str], before: dict[str, str | None], arch: str
    ) -> None:
        steps = house.run("module load wheelhouse/gentoo", "module unload wheelhouse/gentoo", **own)
        check(steps[0], house.loaded("gentoo", arch))
        check(steps[1], before)

    def test_load_twice_then_purge(
        self, house: House, own: dict[str, str], before: dict[str, str | None], arch: str
    ) -> None:
        steps = house.run(*["module load wheelhouse/gentoo"] * 2, "module purge", **own)
        check(steps[1], house.loaded("gentoo", arch))
        check(steps[2], before)

    @pytest.mark.parametrize("names", [("wheelhouse/gentoo", "wheelhouse/nix"), ("wh-gentoo/1", "wh-nix/1")])
    def test_swap_there_and_back(
        self,
        house: House,
        names: tuple[str, str],
        own: dict[str, str],
        before: dict[str, str | None],
        arch: str,
    ) -> None:
        gentoo, nix = names
        steps = house.run(
            f"module load {gentoo}", f"module swap {gentoo} {nix}", f"module swap {nix} {gentoo}",
            f"module swap {gentoo} {nix}", f"module unload {nix}", **own,
        )  # fmt: skip
        for step, layer in zip(steps, ["gentoo", "nix", "gentoo", "nix"], strict=False):
            check(step, house.loaded(layer, arch))
        check(steps[-1], before)

    def test_swap_then_purge_then_load(
        self, house: House, own: dict[str, str], before: dict[str, str | None], arch: str
    ) -> None:
        steps = house.run(
            "module load wheelhouse/gentoo", "module swap wheelhouse/gentoo wheelhouse/nix", "module purge",
            "module load wheelhouse/nix", "module unload wheelhouse/nix", **own,
        )  # fmt: skip
        check(steps[2], before)
        check(steps[3], house.loaded("nix", arch))
        check(steps[4], before)

    def test_loaded_by_another_module(
        self, house: House, own: dict[str, str], before: dict[str, str | None], arch: str
    ) -> None:
        if house.engine.name == "lmod":
            house.add("stack/1", 'load("wheelhouse/gentoo")\n')
            house.add("stack/2", 'depends_on("wheelhouse/nix")\n')
        else:
            house.add("stack/1", "#%Module\nmodule load wheelhouse/gentoo\n")
            house.add("stack/2", "#%Module\nprereq wheelhouse/nix\n")
        steps = house.run(
            "module load stack/1",
            "module unload stack/1",
            "module load stack/2",
            "module unload stack/2",
            **own,
        )
        said = [step.said for step in steps]
        if house.engine.name == "modules":  # it tells what it loads besides
            said = ["" if "wheelhouse/" in each else each for each in said]
        assert said == [""] * 4
        assert [step.code for step in steps] == [0] * 4
        assert [variables(step) for step in steps] == [
            house.loaded("gentoo", arch), before, house.loaded("nix", arch), before,
        ]  # fmt: skip

    def test_changed_while_it_was_loaded(
        self, house: House, own: dict[str, str], before: dict[str, str | None]
    ) -> None:
        """What the user did to the variables in between does not outlast the module."""
        steps = house.run(
            "module load wheelhouse/gentoo", "export PIP_CONFIG_FILE=/else; unset WHEELHOUSE_ARCH",
            "module unload wheelhouse/gentoo", **own,
        )  # fmt: skip
        check(steps[2], before)

    def test_beneath_another_module_that_names_a_configuration(
        self, house: House, own: dict[str, str], before: dict[str, str | None], arch: str
    ) -> None:
        lua, tcl = 'pushenv("PIP_CONFIG_FILE", "/theirs")\n', "#%Module\npushenv PIP_CONFIG_FILE /theirs\n"
        house.add("theirs/1", lua if house.engine.name == "lmod" else tcl)
        steps = house.run(
            "module load wheelhouse/gentoo", "module load theirs/1", "module unload theirs/1",
            "module load theirs/1", "module unload wheelhouse/gentoo", "module unload theirs/1", **own,
        )  # fmt: skip
        configs = [step["PIP_CONFIG_FILE"] for step in steps]
        ours = house.loaded("gentoo", arch)["PIP_CONFIG_FILE"]
        if house.engine.name == "lmod":  # it takes away the topmost value, whosever that is
            configs[4] = "/theirs"
        assert configs == [ours, "/theirs", ours, "/theirs", "/theirs", own.get("PIP_CONFIG_FILE")]
        check(steps[5], before)

    def test_reload_on_another_node(
        self, house: House, own: dict[str, str], before: dict[str, str | None]
    ) -> None:
        """In a job: the environment is that of the login node, the CPU is not."""
        other = f"cp '{CPUINFO}/amd-zen4.txt' '{house.cpuinfo}'"
        reload = "module reload" if house.engine.name == "modules" else "module load wheelhouse/gentoo"
        for again in (reload, "module purge && module load wheelhouse/gentoo"):
            house.cpu("intel-haswell")
            steps = house.run("module load wheelhouse/gentoo", other, again, "module purge", **own)
            check(steps[0], house.loaded("gentoo", own.get("WHEELHOUSE_ARCH", "avx2")))
            check(steps[2], house.loaded("gentoo", own.get("WHEELHOUSE_ARCH", "avx512")))
            check(steps[3], before)


class TestChoice:
    @pytest.mark.parametrize(
        ("cpu", "arch"), [("intel-nocona", "sse3"), ("amd-zen4", "avx512"), ("arm-neoverse-v1", "generic")]
    )
    def test_the_cpu_decides(self, house: House, cpu: str, arch: str) -> None:
        house.cpu(cpu)
        (step,) = house.run("module load wheelhouse/gentoo")
        check(step, house.loaded("gentoo", arch))

    def test_no_layer(self, house: House) -> None:
        (step,) = house.run("module load wheelhouse/none")
        assert step["PIP_CONFIG_FILE"] == f"{house.pip}/pip-generic.conf"
        assert step["WHEELHOUSE_LAYER"] == "none"

    @pytest.mark.parametrize("variable", ["WHEELHOUSE_ARCH", "RSNT_ARCH"])
    def test_an_override(self, house: House, variable: str) -> None:
        steps = house.run(
            f"{variable}=sse3 module load wheelhouse/gentoo", "module purge",
            f"{variable}=generic module load wheelhouse/gentoo", **{variable: "avx"},
        )  # fmt: skip
        check(steps[0], house.loaded("gentoo", "sse3"))
        check(steps[2], house.loaded("gentoo", "generic"))

    @pytest.mark.parametrize("quiet", [{}, {"LMOD_QUIET": "yes", "MODULES_VERBOSITY": "concise"}])
    def test_an_override_above_the_cpu_is_loaded_with_a_warning(
        self, house: House, quiet: dict[str, str]
    ) -> None:
        warning = "wheelhouse: warning: RSNT_ARCH=avx512 is above what this host can run"
        steps = house.run(
            "module show wheelhouse/gentoo", "module load wheelhouse/gentoo 2>/dev/null", "module purge",
            "module load wheelhouse/gentoo", "module unload wheelhouse/gentoo", "module spider wheelhouse",
            RSNT_ARCH="avx512", **quiet,
        )  # fmt: skip
        assert variables(steps[3]) == house.loaded("gentoo", "avx512")
        assert [warning in " ".join(step.said.split()) for step in steps] == [False] * 3 + [True] + [
            False
        ] * 2
        assert steps[3].code == 0

    def test_an_unknown_override_is_an_error_and_changes_nothing(self, house: House) -> None:
        (step,) = house.run("module load wheelhouse/gentoo", WHEELHOUSE_ARCH="avx1024")
        assert step.code != 0
        assert "wheelhouse: unknown arch 'avx1024' in WHEELHOUSE_ARCH" in " ".join(step.said.split())
        assert variables(step) == {**UNSET, "WHEELHOUSE_ARCH": "avx1024"}

    def test_a_missing_configuration_is_an_error_and_changes_nothing(self, house: House) -> None:
        (house.pip / "pip-avx2-gentoo.conf").unlink()
        (step,) = house.run("module load wheelhouse/gentoo")
        assert step.code != 0
        said = " ".join(step.said.split())
        assert "pip-avx2-gentoo.conf does not exist; write it with wheelhouse-resolver pip-conf" in said
        assert variables(step) == UNSET

    @pytest.mark.parametrize(
        ("first", "second"), [("wheelhouse/nix", "wheelhouse/gentoo"), ("wh-nix/1", "wh-gentoo/1")]
    )
    def test_there_is_one_layer_at_a_time(self, house: House, first: str, second: str) -> None:
        steps = house.run(f"module load {first}", f"module load {second}", "module purge")
        if house.engine.name == "lmod":  # swaps, and says so
            assert variables(steps[1]) == house.loaded("gentoo", "avx2")
        else:
            assert steps[1].code != 0
            assert "conflict" in steps[1].said
            assert variables(steps[1]) == house.loaded("nix", "avx2")
        check(steps[2], UNSET)


class TestLooking:
    """What only looks at modules must not run anything, on a login node with a thousand users."""

    #: Each for both engines; what only one of them has is an error of the other's, and opens nothing either.
    COMMANDS = (
        "module avail", "module -t avail wheelhouse", "module spider", "module spider wheelhouse/gentoo",
        "module whatis wheelhouse/gentoo", "module help wheelhouse/gentoo", "module keyword wheels",
        "module list", "module is-avail wheelhouse/gentoo", "module search wheels", "module apropos wheels",
    )  # fmt: skip

    def test_static(self, house: House) -> None:
        opens = Opens(house.cpuinfo)
        steps = house.run(*self.COMMANDS)
        assert opens.count() == 0
        assert all(variables(step) == UNSET for step in steps)
        house.run("module load wheelhouse/gentoo")
        assert opens.count() > 0
        steps = house.run("module load wheelhouse/gentoo", *self.COMMANDS, "module purge")
        assert opens.count() == 1
        opens.close()

    def test_dynamic(self, house: House, tmp_path: Path) -> None:
        marker = tmp_path / "marker"
        command = tmp_path / "command"
        command.write_text(f"#!/bin/sh\necho ran >>'{marker}'\necho \"export PIP_FIND_LINKS='file:///x';\"\n")
        command.chmod(0o755)
        text = dynamic_modulefile(house.site, "gentoo", house.engine.dialect, [str(command)])
        house.add("wheelhouse/gentoo", text)
        house.run(*self.COMMANDS)
        assert not marker.exists()
        steps = house.run("module load wheelhouse/gentoo", *self.COMMANDS, "module unload wheelhouse/gentoo")
        assert steps[0]["PIP_FIND_LINKS"] == "file:///x"
        assert marker.read_text() == "ran\n"
        assert variables(steps[-1]) == UNSET

    def test_words_for_people(self, house: House) -> None:
        steps = house.run(
            "module whatis wheelhouse/gentoo",
            "module help wheelhouse/gentoo",
            "module show wheelhouse/gentoo",
        )
        assert [step.code for step in steps] == [0, 0, 0]
        assert "pip and uv use the wheelhouse (layer gentoo)" in steps[0].said
        assert f"find the wheels in {house.site.root}" in steps[1].said
        assert "pip-avx2-gentoo.conf" in steps[2].said
        assert all(variables(step) == UNSET for step in steps)


@pytest.fixture(params=["C.UTF-8", "C"])
def locale(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


class TestHostilePaths:
    @pytest.fixture
    def house(self, engine: Engine, tmp_path: Path) -> House:
        return House(tmp_path, engine, HOSTILE)

    def test_static(self, house: House, locale: str) -> None:
        # Lmod 8.6.19 gives back a value that is not ASCII with its high bits cut off; the page says so.
        own = HOSTILE.replace("ünï", "uni") if house.engine.name == "lmod" else HOSTILE
        steps = house.run(
            "module load wheelhouse/gentoo", "module swap wheelhouse/gentoo wheelhouse/nix", "module purge",
            locale=locale, PIP_CONFIG_FILE=f"/mine/{own}",
        )  # fmt: skip
        check(steps[0], house.loaded("gentoo", "avx2"))
        check(steps[1], house.loaded("nix", "avx2"))
        check(steps[2], {**UNSET, "PIP_CONFIG_FILE": f"/mine/{own}"})

    def test_help_and_show(self, house: House) -> None:
        steps = house.run("module help wheelhouse/gentoo", "module show wheelhouse/gentoo")
        assert [step.code for step in steps] == [0, 0]
        assert house.site.root in steps[0].said

    def test_dynamic(self, house: House, locale: str) -> None:
        command = [sys.executable, "-m", "wheelhouse_resolver"]
        house.add("dynamic/1", dynamic_modulefile(house.site, "gentoo", house.engine.dialect, command))
        steps = house.run("module load dynamic/1", "module unload dynamic/1", locale=locale, RSNT_ARCH="sse3")
        assert (steps[0].code, steps[1].code) == (0, 0)
        paths = [f"{house.site.root}/{label}" for label in ("gentoo/sse3", "gentoo/generic", "generic")]
        assert steps[0]["PIP_FIND_LINKS"] == " ".join(Path(path).as_uri() for path in paths)
        assert steps[0]["UV_FIND_LINKS"] == ",".join(Path(path).as_uri() for path in paths)
        assert variables(steps[1]) == UNSET


class TestDynamic:
    @pytest.fixture
    def house(self, engine: Engine, tmp_path: Path) -> House:
        house = House(tmp_path, engine)
        command = [sys.executable, "-m", "wheelhouse_resolver"]
        for layer in ("gentoo", "nix"):
            text = dynamic_modulefile(house.site, layer, engine.dialect, command)
            house.add(f"dynamic/{layer}", text)
        return house

    def links(self, house: House, layer: str) -> str:
        labels = (f"{layer}/sse3", f"{layer}/generic", "generic")
        return " ".join(Path(f"{house.site.root}/{label}").as_uri() for label in labels)

    def test_swap_and_purge(self, house: House) -> None:
        steps = house.run(
            "module load dynamic/gentoo", "module swap dynamic/gentoo dynamic/nix", "module purge",
            RSNT_ARCH="sse3", PIP_CONFIG_FILE="mine",
        )  # fmt: skip
        assert [step["PIP_FIND_LINKS"] for step in steps] == [
            self.links(house, "gentoo"), self.links(house, "nix"), None,
        ]  # fmt: skip
        assert [step["WHEELHOUSE_LAYER"] for step in steps] == ["gentoo", "nix", None]
        assert [step["PIP_CONFIG_FILE"] for step in steps] == ["mine"] * 3

    def test_the_users_own_find_links(self, house: House) -> None:
        steps = house.run(
            "module load dynamic/gentoo",
            "module unload dynamic/gentoo",
            RSNT_ARCH="sse3",
            PIP_FIND_LINKS="file:///mine",
        )
        assert steps[0]["PIP_FIND_LINKS"] == self.links(house, "gentoo")
        # `source-sh` of Environment Modules unsets what it has set; the page says so.
        assert steps[1]["PIP_FIND_LINKS"] == ("file:///mine" if house.engine.name == "lmod" else None)

    def test_warnings_do_not_end_it(self, house: House) -> None:
        """pip-conf warns of what an environment cannot express."""
        quoted = "/etc/a path #1; 100% 'x' \"y\" \\ [b] {c} !.pem"
        if house.engine.name == "lmod":  # refused for the other one
            quoted += " $HOME `id`"
        source = Path(house.site.root) / "site.toml"
        source.write_text(
            f"root = {json.dumps(house.site.root)}\n"
            f"[pip]\ncert = {json.dumps(quoted)}\n[pip.install]\npre = true\n"
        )
        site = Site.load(source)
        command = [sys.executable, "-m", "wheelhouse_resolver"]
        house.add("dynamic/gentoo", dynamic_modulefile(site, "gentoo", house.engine.dialect, command))
        steps = house.run("module load dynamic/gentoo", "module unload dynamic/gentoo", RSNT_ARCH="sse3")
        assert [step.code for step in steps] == [0, 0]
        assert steps[0]["PIP_CERT"] == quoted
        assert steps[0]["PIP_FIND_LINKS"] == self.links(house, "gentoo")
        assert (steps[1]["PIP_CERT"], steps[1]["PIP_FIND_LINKS"]) == (None, None)

    def test_a_command_that_fails(self, house: House) -> None:
        shutil.rmtree(house.site.root)
        (step,) = house.run("module load dynamic/gentoo", RSNT_ARCH="sse3")
        assert step.code != 0
        assert "error: " in " ".join(step.said.split())
        assert variables(step) == UNSET


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_pip_installs_from_the_right_directory(kind: str, engine: Engine, tmp_path: Path) -> None:
    house = House(tmp_path, engine, HOSTILE)
    # One that this node cannot run, and two that it can; the ranks are in the names.
    builds = {"gentoo/avx512": "500000avx512", "gentoo/avx2": "400000avx2", "generic": "1000generic"}
    for label, build in builds.items():
        make_tree(Path(house.site.root), {label: [f"other-2.0-{build}-py3-none-any.whl"]})
    if kind == "dynamic":
        command = [sys.executable, "-m", "wheelhouse_resolver"]
        house.add("wheelhouse/gentoo", dynamic_modulefile(house.site, "gentoo", engine.dialect, command))
    steps = house.run(
        "module load wheelhouse/gentoo",
        f"'{sys.executable}' -m pip install --no-index --no-cache-dir --target '{tmp_path}/here' other",
        RSNT_ARCH="avx2",
    )
    assert steps[1].code == 0, steps[1].said
    mark = (tmp_path / "here/other.py").read_text()
    assert mark == "MARK = 'gentoo/avx2/other-2.0-400000avx2-py3-none-any.whl'\n"


@pytest.mark.slow
def test_an_overlay_goes_before_its_base_and_a_base_that_is_gone_is_no_warning_of_a_load(
    engine: Engine, tmp_path: Path
) -> None:
    """Who loads a module cannot mount anything: `doctor` and `audit` say that it is missing."""
    house = House(tmp_path, engine)
    base, root = tmp_path / "national", Path(house.site.root)
    make_tree(base, {"gentoo/avx2": ["other-2.0-400000avx2-py3-none-any.whl", "only-1.0-py3-none-any.whl"]})
    make_tree(root, {"generic": ["other-2.0-1000001000generic-py3-none-any.whl"]})
    text = f'root = {json.dumps(str(root))}\n[[base]]\nname = "national"\nroot = "{base}"\n'
    (root / "site.toml").write_text(text)
    house.site = Site.load(root / "site.toml")
    for _ in write_static_configs(static_configs(house.site), str(house.pip), house.form):
        pass
    command = [sys.executable, "-m", "wheelhouse_resolver"]
    house.add("wheelhouse/gentoo", house.static("gentoo"))
    house.add("dynamic/1", dynamic_modulefile(house.site, "gentoo", engine.dialect, command))
    install = (
        f"'{sys.executable}' -m pip install --no-index --no-cache-dir --target '{tmp_path}/here' other only"
    )
    static, installed = house.run("module load wheelhouse/gentoo", install)
    assert (static.code, static.said) == (0, "")
    assert static["PIP_CONFIG_FILE"] == f"{house.pip}/pip-avx2-gentoo.conf"
    assert installed.code == 0, installed.said
    marks = {each.stem: each.read_text() for each in (tmp_path / "here").glob("*.py")}
    assert marks == {
        "other": "MARK = 'generic/other-2.0-1000001000generic-py3-none-any.whl'\n",
        "only": "MARK = 'gentoo/avx2/only-1.0-py3-none-any.whl'\n",
    }
    load = "module load dynamic/1"
    base.rename(tmp_path / "away")
    static, _, gone = house.run("module load wheelhouse/gentoo", "module purge", load, RSNT_ARCH="avx2")
    assert [(step.code, step.said) for step in (static, gone)] == [(0, "")] * 2
    assert f"{root}/gentoo/avx2" in str(gone["PIP_FIND_LINKS"])
    assert str(base) not in str(gone["PIP_FIND_LINKS"])
    (tmp_path / "away").rename(base)
    (there,) = house.run(load, RSNT_ARCH="avx2")
    assert f"{base}/gentoo/avx2" in str(there["PIP_FIND_LINKS"])


def test_our_own_commands_find_the_site_again(engine: Engine, tmp_path: Path) -> None:
    house = House(tmp_path, engine)
    path = f"'{sys.executable}' -m wheelhouse_resolver path 2>/dev/null"
    steps = house.run("module load wheelhouse/nix", path, RSNT_ARCH="avx")
    assert steps[1].said.split() == [
        f"{house.site.root}/{label}" for label in ("nix/avx", "nix/sse3", "nix/generic", "generic")
    ]
