from __future__ import annotations

import pytest

from wheelhouse_resolver.builder.config import (
    SlurmSettings,
    has_network,
    resources_for,
    slurm_settings,
)
from wheelhouse_resolver.builder.resources import Resources, seconds_of
from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.model import Site

WHOLE = """
[build]
recipes = ["/sw/recipes"]
[build.flags]
avx2 = "-O3"
[build.slurm]
account = "staff"
partition = "build"
time = "4:00:00"
memory = "8G"
cores = 4
grace = 5
options = ["--qos=low"]
constraint = { avx512 = "skylake|icelake" }
"""


def settings(text: str) -> SlurmSettings:
    return slurm_settings(Site.parse('root = "/w"\n' + text, "site.toml"))


def test_all_of_it() -> None:
    assert settings(WHOLE) == SlurmSettings(
        resources=Resources(cores=4, memory="8G", time="4:00:00", partition="build"),
        constraints=(("avx512", "skylake|icelake"),),
        options=("--account=staff", "--qos=low"),
        grace=5.0,
    )


def test_without_a_table_nothing_is_asked_of_slurm() -> None:
    assert settings("") == SlurmSettings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[build]\nslrum = {}\n", r"\[build\]: unknown key 'slrum': did you mean 'slurm'\?"),
        ("[build]\nrecipes = '/x'\n", r"\[build\] recipes: must be an array of strings, not a string"),
        ("[build]\nslurm = 3\n", r"\[build.slurm\]: must be a table, not 3"),
        ("[build.slurm]\npartitions = 'x'\n", r"\[build.slurm\]: unknown key 'partitions': did you mean"),
        ("[build.slurm]\ncores = 0\n", r"cores: must be a whole number from 1 to 9999, not 0"),
        ("[build.slurm]\ncores = true\n", r"cores: must be a whole number from 1 to 9999, not true"),
        ("[build.slurm]\ngrace = -1\n", r"grace: must be a number of seconds from 0, at most 3600, not -1"),
        ("[build.slurm]\nmemory = 8\n", r"memory: must be a string, not 8"),
        ("[build.slurm]\nconstraint = 'x'\n", r"constraint: must be a table, not a string"),
        ("[build.slurm]\nconstraint = { avx3 = 'x' }\n", r"unknown arch 'avx3': did you mean 'avx"),
        (
            "[build.slurm]\noptions = ['qos']\n",
            r"options: invalid option 'qos': write each as `--name",
        ),
        ('[build.slurm]\ntime = "a\\nb"\n', r"time: 'a\\nb' cannot be used: it holds a newline"),
    ],
)
def test_what_is_wrong_with_it(text: str, words: str) -> None:
    with pytest.raises(SiteFileError, match=words) as caught:
        settings(text)
    assert caught.value.path == "site.toml"


class TestResources:
    SITE = SlurmSettings(
        resources=Resources(cores=4, memory="8G", partition="build"),
        constraints=(("avx512", "skylake|icelake"), ("avx2", "haswell")),
    )

    def test_what_the_recipe_does_not_say_is_the_sites(self) -> None:
        assert resources_for(Resources(), "avx2", self.SITE) == Resources(
            cores=4, memory="8G", partition="build", constraint="haswell"
        )

    def test_what_the_recipe_says_counts(self) -> None:
        own = Resources(cores=16, memory="64G", time="1-0", partition="big")
        assert resources_for(own, "generic", self.SITE) == own

    @pytest.mark.parametrize(
        ("arch", "own", "expected"),
        [
            ("avx2", "bigmem", "haswell&bigmem"),
            ("avx512", "bigmem", "(skylake|icelake)&bigmem"),
            ("generic", "a|b", "a|b"),
        ],
    )
    def test_a_node_must_suit_the_arch_and_the_recipe(self, arch: str, own: str, expected: str) -> None:
        assert resources_for(Resources(constraint=own), arch, self.SITE).constraint == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400), ("1:30", 90), ("2:00:00", 7200), ("2-12", 216000), ("1-0:30", 88200),
        ("1-01:00:05", 90005),
    ],
)  # fmt: skip
def test_times_in_slurms_words(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "1h", "-1", "1:2:3:4", "1-"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        seconds_of(text)


def test_builds_may_reach_a_network_unless_the_site_forbids_it() -> None:
    assert has_network(Site.parse('root = "/w"\n', "site.toml"))
    assert not has_network(Site.parse('root = "/w"\n[build]\nnetwork = false\n', "site.toml"))
    with pytest.raises(SiteFileError, match=r"\[build\] network: must be"):
        settings("[build]\nnetwork = 'no'\n")
