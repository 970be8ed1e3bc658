from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.builder.sources import make_repository, make_sdist, pack_source, sdist_files
from tests.environments import make_venv
from tests.factories import clean_environ, make_wheel
from tests.pips import OLDEST
from tests.pips import fetch as fetch_release
from tests.upkeep.index_server import Answer, file, running_index
from wheelhouse_resolver.builder.recipes.loader import RecipeFile, load_recipe
from wheelhouse_resolver.builder.recipes.model import Recipe, Source, no_recipe, pinned_version
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.builder.sources.fetch import fetch
from wheelhouse_resolver.builder.sources.fetched import FetchContext, Fetched, SourceError
from wheelhouse_resolver.builder.sources.index import fetch_wheel, find_wheel
from wheelhouse_resolver.builder.sources.unpack import ArchiveError
from wheelhouse_resolver.builder.toolchain.environment_modules import ModulesError

DEMO = no_recipe("demo")

#: What a backend runs that must not be asked.
NOT_ASKED = "raise SystemExit('the backend was asked')"


class Place:
    """Where a test fetches to: *links* is what pip finds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.links = directory / "links"
        self.links.mkdir()
        self.log = directory / "log.txt"
        self.environ = clean_environ(PIP_NO_INDEX="1", PIP_FIND_LINKS=self.links.as_uri())
        self._count = 0

    def fetch(
        self, recipe: Recipe | RecipeFile = DEMO, requirement: str = "demo", arch: str = "generic"
    ) -> Fetched:
        self._count += 1
        into = self.directory / f"into{self._count}"
        into.mkdir()
        if isinstance(recipe, RecipeFile):
            pinned = pinned_version(requirement)
            recipe = recipe.resolve(Version(pinned) if pinned else None, "3.11", None, arch)
        job = Job(
            requirement=requirement,
            project=canonicalize_name(Requirement(requirement).name),
            python=sys.executable,
            python_version="3.11",
            arch=arch,
        )
        return fetch(recipe, job, FetchContext(directory=str(into), log=str(self.log), environ=self.environ))

    def recipe(self, text: str) -> RecipeFile:
        path = self.directory / "demo.toml"
        path.write_text(text)
        return load_recipe(str(path))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def from_source(kind: str, location: object, **more: str) -> Recipe:
    return replace(DEMO, source=Source(kind=kind, location=str(location), **more))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- from the index ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_source_distribution_is_unpacked_and_its_version_known(place: Place) -> None:
    make_sdist(place.links, version="1.0")
    newest = make_sdist(place.links, version="1.10")
    found = place.fetch()
    assert (found.archive.kind, found.version, found.archive.origin) == ("sdist", "1.10", "demo-1.10.tar.gz")
    assert found.archive.sha256 == sha256(newest)
    assert (Path(found.path) / "demo.py").read_text() == "VERSION = '1.10'\n"
    assert place.fetch(requirement="demo<1.5").version == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize("in_tree", [True, False], ids=["backend-of-its-own", "backend-to-install"])
def test_no_build_backend_is_asked(in_tree: bool, place: Place) -> None:
    """One that has no hook for the metadata would build the whole project for them."""
    files = (
        {}
        if in_tree
        else {"pyproject.toml": '[build-system]\nrequires = ["mesonpy"]\nbuild-backend = "mesonpy"'}
    )
    make_sdist(place.links, prepare=NOT_ASKED, build_requires=["nowhere-to-be-found"], files=files)
    assert place.fetch().version == "1.0"
    assert "the backend was asked" not in place.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "project",
    [
        None,
        "[build-system]\nrequires = []\n",
        '[build-system]\nrequires = []\nbuild-backend = "setuptools.build_meta"\n',
        '[build-system]\nbuild-backend = "a.b:c.d"\nrequires = []\n',
        "[build-system]\nrequires = []\nbackend-path = [\n  'packaging',\n]\nbuild-backend = 'own'\n",
    ],
    ids=["none", "not-named", "setuptools", "object", "own-in-subdirectory"],
)
def test_however_the_backend_is_named(project: str | None, place: Place) -> None:
    files = sdist_files(files={"setup.py": NOT_ASKED, "packaging/own.py": NOT_ASKED})
    del files["pyproject.toml"]
    if project is not None:
        files["pyproject.toml"] = project
    pack_source(place.links / "demo-1.0.tar.gz", files, top="demo-1.0")
    assert place.fetch().version == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
@pytest.mark.parametrize("stated", ["", "Metadata-Version: 2.1\n"], ids=["no-file", "no-name"])
def test_where_the_source_does_not_tell_its_metadata_the_name_of_the_archive_does(
    stated: str, suffix: str, place: Place
) -> None:
    files = sdist_files(prepare=NOT_ASKED)
    del files["PKG-INFO"]
    if stated:
        files["PKG-INFO"] = stated
    pack_source(place.links / f"demo-1.0.{suffix}", files, top="demo-1.0")
    assert place.fetch().version == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "upwards"])
def test_an_archive_that_writes_through_a_link_reaches_no_pip_that_would_follow_it(
    absolute: bool, place: Place, tmp_path: Path
) -> None:
    """pip before 24.1 writes what stands behind a link to where that leads (measured with 23.2.1)."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with tarfile.open(place.links / "demo-1.0.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("demo-1.0/l")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside) if absolute else "../" * 30 + f"..{outside}"
        archive.addfile(link)
        for name, text in {**sdist_files(), "l/written": "", "l/PKG-INFO": ""}.items():
            member = tarfile.TarInfo(f"demo-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    with pytest.raises(
        ArchiveError, match=r"^archive demo-1\.0\.tar\.gz: entry 'demo-1\.0/l' would leave the"
    ):
        place.fetch()
    assert not list(outside.iterdir())


def test_the_sites_own_start_file_of_python_runs_all_the_same(place: Place, tmp_path: Path) -> None:
    """A site may put one on PYTHONPATH that its Python needs."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    place.environ["PYTHONPATH"] = str(tmp_path / "site")
    make_sdist(place.links, prepare=NOT_ASKED)
    assert place.fetch().version == "1.0"
    assert (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_project_that_there_is_not(place: Place) -> None:
    with pytest.raises(
        SourceError, match=r"^demo: pip download exited with 1: ERROR: No matching distribution"
    ):
        place.fetch()


@pytest.mark.slow
def test_a_project_of_which_there_are_only_wheels(place: Place) -> None:
    own = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    make_wheel(place.links, f"demo-1.0-{own}-{own}-linux_{os.uname().machine}.whl")
    make_wheel(place.links, f"demo-2.0-{own}-{own}-linux_{os.uname().machine}.whl")
    for asked, versions in (("demo", "2.0, 1.0"), ("demo<2", "1.0")):
        with pytest.raises(SourceError) as caught:
            place.fetch(requirement=asked)
        assert str(caught.value) == f"{asked}: there is no source of it, only wheels (version {versions})"
        assert caught.value.hint.startswith("publish the wheel itself, or name a source in a recipe")


@pytest.mark.slow
def test_a_pure_wheel_of_the_index_serves_as_it_is(place: Place) -> None:
    make_sdist(place.links)
    wheel = make_wheel(place.links, "demo-1.0-py3-none-any.whl", requires_dist=["other"])
    found = place.fetch()
    assert (found.archive.kind, found.version, found.archive.sha256) == ("wheel", "1.0", sha256(wheel))
    assert Path(found.path).name == wheel.name
    assert Path(found.path).parent != place.links


def test_where_there_is_a_compiled_wheel_the_pure_one_is_a_makeshift(place: Place) -> None:
    """The project is built, as it is when there is no pure wheel."""
    make_sdist(place.links)
    own = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    make_wheel(place.links, f"demo-1.0-{own}-{own}-linux_{os.uname().machine}.whl")
    make_wheel(place.links, "demo-1.0-py3-none-any.whl")
    assert place.fetch().archive.kind == "sdist"


@pytest.mark.slow
def test_a_newer_source_comes_before_an_older_wheel(place: Place) -> None:
    make_wheel(place.links, "demo-1.0-py3-none-any.whl")
    make_sdist(place.links, version="1.1")
    found = place.fetch()
    assert (found.archive.kind, found.version) == ("sdist", "1.1")
    assert place.fetch(requirement="demo<1.1").archive.kind == "wheel"


@pytest.mark.slow
def test_a_recipe_that_says_anything_of_the_build_takes_no_wheel(place: Place) -> None:
    make_wheel(place.links, "demo-1.0-py3-none-any.whl")
    make_sdist(place.links)
    assert place.fetch(place.recipe("no-binary = true")).archive.kind == "sdist"
    assert place.fetch(place.recipe("[test]\nimports = ['demo']")).archive.kind == "wheel"


@pytest.mark.slow
def test_an_sdist_that_is_a_zip_file(place: Place) -> None:
    pack_source(place.links / "demo-1.0.zip", sdist_files(), top="demo-1.0")
    assert place.fetch().version == "1.0"


@pytest.mark.network
@pytest.mark.slow
def test_from_a_real_index(place: Place) -> None:
    """numpy's backend would build all of it for the metadata; PyYAML has a backend of its own."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        del place.environ[name]
    for requirement in ("numpy==1.26.4", "PyYAML==6.0.2"):
        name, version = requirement.split("==")
        found = place.fetch(replace(no_recipe(name), no_binary=True), requirement)
        assert (found.archive.kind, found.version) == ("sdist", version)
        assert (Path(found.path) / "pyproject.toml").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("release", ["own", pytest.param(OLDEST, marks=pytest.mark.network)])
def test_a_yanked_release_is_taken_when_it_is_pinned_and_the_reason_is_kept(
    release: str, place: Place, tmp_path: Path, pips_directory: Path
) -> None:
    """Older pips say so of wheels and sources alike, but not in their reports."""
    if release != "own":
        place.environ["PYTHONPATH"] = str(fetch_release(f"pip=={release}", pips_directory))
    wheel, sdist = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl"), make_sdist(tmp_path, "old")
    with running_index() as index:
        place.environ.update(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL=index.url)
        for path in (wheel, sdist):
            project = path.name.partition("-")[0]
            page = file(
                path.name, url=path.as_uri(), yanked="wrong <results>", hashes={"sha256": sha256(path)}
            )
            index.answers[project] = Answer([page])
        job = Job(requirement="demo==1.0", project="demo", python=sys.executable, python_version="3.11")
        into = [tmp_path / "found", tmp_path / "got"]
        for each in into:
            each.mkdir()
        contexts = [
            FetchContext(directory=str(each), log=str(place.log), environ=place.environ) for each in into
        ]
        found = find_wheel(job, contexts[0])
        assert fetch_wheel(found, job, contexts[1]).yanked == "wrong <results>"
        if release == "own":
            built = place.fetch(replace(no_recipe("old"), no_binary=True), "old==1.0")
            assert built.archive.yanked == "wrong <results>"


@pytest.mark.parametrize(
    ("release", "problem", "hint"),
    [
        pytest.param(
            "pip==21.3.1",
            "its pip is too old",
            "pip install 'pip>=22.2'",
            marks=[
                pytest.mark.network,
                pytest.mark.slow,
                pytest.mark.skipif(sys.version_info >= (3, 12), reason="that pip does not run on it"),
            ],
        ),
        ("", "it has no pip", "ensurepip"),
    ],
)
def test_a_python_whose_pip_finds_no_wheels_for_fetch(
    release: str, problem: str, hint: str, place: Place, pips_directory: Path
) -> None:
    python = sys.executable
    if release:
        place.environ["PYTHONPATH"] = str(fetch_release(release, pips_directory))
    else:
        python = str(make_venv(place.directory / "bare", "--no-pip"))
    job = Job(requirement="demo", project="demo", python=python, python_version="3.11")
    context = FetchContext(directory=str(place.directory), log=str(place.log), environ=place.environ)
    with pytest.raises(SourceError, match=f"{problem}$") as caught:
        find_wheel(job, context)
    assert caught.value.hint == f"`{python} -m {hint}`"


# -- from an archive ---------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The URL of a server of the test's directory."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_the_url_of_a_source_of_the_index(place: Place, tmp_path: Path, server: str) -> None:
    archive = make_sdist(tmp_path)
    page = file(archive.name, url=f"{server}/{archive.name}?token=1", hashes={"sha256": sha256(archive)})
    with running_index() as index:
        index.answers["demo"] = Answer([page])
        place.environ.update(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL=index.url)
        found = place.fetch(replace(DEMO, no_binary=True), "demo==1.0")
    assert (found.archive.origin, found.archive.sha256) == (f"{server}/{archive.name}", sha256(archive))


def test_an_archive_by_its_url_with_the_version_in_it(place: Place, tmp_path: Path, server: str) -> None:
    archive = pack_source(tmp_path / "v2.0.zip", sdist_files(version="2.0"), top="demo-abc123")
    recipe = from_source("url", f"{server}/v${{version}}.zip", sha256=sha256(archive))
    found = place.fetch(recipe, "demo==2.0")
    assert (found.version, found.archive.origin) == ("2.0", f"{server}/v2.0.zip")
    assert found.archive.sha256 == sha256(archive)
    assert (Path(found.path) / "demo.py").is_file()
    local = from_source(
        "url", (tmp_path / "v${version}.zip").as_uri().replace("%24%7Bversion%7D", "${version}")
    )
    assert place.fetch(local, "demo==2.0").archive.sha256 == sha256(archive)
    assert (
        f"has the sha256 {sha256(archive)}; the recipe can require it (source.sha256)"
        in place.log.read_text()
    )


def test_secrets_of_a_url_are_neither_recorded_nor_logged(place: Place, tmp_path: Path, server: str) -> None:
    pack_source(tmp_path / "v2.0.zip", sdist_files(version="2.0"), top="demo")
    found = place.fetch(from_source("url", f"{server}/v2.0.zip?token=hush"), "demo==2.0")
    assert found.archive.origin == f"{server}/v2.0.zip"
    with pytest.raises(SourceError) as caught:
        place.fetch(from_source("url", f"{server}/missing.zip?token=hush"), "demo==2.0")
    assert "hush" not in f"{caught.value}{place.log.read_text()}"


def test_the_version_is_that_of_the_source_where_none_is_asked_for(place: Place, tmp_path: Path) -> None:
    make_sdist(tmp_path, version="3.0")
    assert place.fetch(from_source("url", (tmp_path / "demo-3.0.tar.gz").as_uri())).version == "3.0"
    pack_source(tmp_path / "main.tar.gz", sdist_files(version="4.0"), top="demo")
    assert place.fetch(from_source("url", (tmp_path / "main.tar.gz").as_uri())).version == "4.0"
    project = {"pyproject.toml": '[project]\nname = "demo"\nversion = "5.0.0"\n'}
    pack_source(tmp_path / "main.tar.gz", project, top="demo")
    assert place.fetch(from_source("url", (tmp_path / "main.tar.gz").as_uri())).version == "5.0.0"
    pack_source(tmp_path / "main.tar.gz", {"setup.py": ""}, top="demo")
    with pytest.raises(SourceError, match="does not state its version: ask for NAME==VERSION"):
        place.fetch(from_source("url", (tmp_path / "main.tar.gz").as_uri()))


def test_the_file_name_of_another_project_tells_no_version(place: Place, tmp_path: Path) -> None:
    archive = pack_source(tmp_path / "release-2024.tar.gz", sdist_files(version="1.5"), top="x")
    assert place.fetch(from_source("url", archive.as_uri())).version == "1.5"


def test_another_version_than_is_asked_for_is_refused(place: Place, tmp_path: Path) -> None:
    archive = make_sdist(tmp_path, version="1.0")
    with pytest.raises(SourceError, match=r"has version 1\.0, which does not satisfy 'demo==2'"):
        place.fetch(from_source("url", archive.as_uri()), "demo==2")


def test_one_that_is_not_what_the_recipe_says_is_refused(place: Place, tmp_path: Path) -> None:
    archive = make_sdist(tmp_path)
    with pytest.raises(
        SourceError, match=f"has the sha256 {sha256(archive)}, but the recipe requires {'0' * 64}"
    ):
        place.fetch(from_source("url", archive.as_uri(), sha256="0" * 64), "demo==1.0")
    assert not (tmp_path / "into1/source").exists()


def test_a_source_named_by_its_version_needs_one(place: Place) -> None:
    for kind, more in (("url", {}), ("git", {"ref": "v1"}), ("directory", {})):
        with pytest.raises(
            SourceError, match=r"^demo>=1: its recipe needs the version to find the source: ask for"
        ):
            place.fetch(from_source(kind, "x-${version}", **more), "demo>=1")
    with pytest.raises(SourceError, match="ask for NAME==VERSION"):
        place.fetch(from_source("git", "x", ref="v${version}"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://example.org/a.zip", "not an https, http or file URL"),
        ("/a.zip", "not an https, http or file URL"),
        ("file:///missing/a.zip", "cannot be fetched: No such file or directory"),
        (
            "SERVER/missing.zip",
            "cannot be fetched: HTTP Error 404: File not found|cannot be fetched: File not",
        ),
        ("http://127.0.0.1:1/a.zip", "cannot be fetched: Connection refused"),
        ("http://[bad/a.zip", "invalid URL: Invalid IPv6 URL"),
    ],
)
def test_a_url_that_cannot_be_had(url: str, problem: str, place: Place, server: str) -> None:
    with pytest.raises(SourceError, match=problem):
        place.fetch(from_source("url", url.replace("SERVER", server)), "demo==1.0")


# -- from git ----------------------------------------------------------------------------------------------


def test_a_tag_a_commit_or_the_newest_of_a_repository(place: Place, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    commit = make_repository(repository, sdist_files(version="1.0"), "v1.0")
    url = repository.as_uri()
    for ref in ("v${version}", commit, ""):
        found = place.fetch(from_source("git", url, ref=ref), "demo==1.0")
        assert (found.version, found.archive.origin) == ("1.0", f"git+{url}@{commit}")
        assert (Path(found.path) / "demo.py").is_file()
        # setuptools-scm and the like ask for the tag.
        describe = ["git", "-C", found.path, "describe", "--tags"]
        done = subprocess.run(describe, capture_output=True, text=True, env=clean_environ())
        assert done.stdout == "v1.0\n"


def test_submodules_come_along(place: Place, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    make_repository(inner, {"inner.txt": "here"})
    outer = tmp_path / "outer"
    make_repository(outer, sdist_files())
    # git clones submodules from a local path only where that is allowed.
    allowed = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.file.allow",
        "GIT_CONFIG_VALUE_0": "always",
    }
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (
        ["submodule", "add", "--quiet", inner.as_uri(), "sub"],
        ["commit", "--quiet", "-m", "sub"],
    ):
        subprocess.run(["git", *author, "-C", outer, *command], check=True, env=clean_environ(**allowed))
    place.environ.update(allowed, GIT_DIR="/nowhere")
    found = place.fetch(from_source("git", outer.as_uri()), "demo==1.0")
    assert (Path(found.path) / "sub/inner.txt").read_text() == "here"
    # Those of a commit do too, when the main branch has none by now.
    commit = found.archive.origin.rpartition("@")[2]
    for command in (["rm", "--quiet", "sub"], ["commit", "--quiet", "-m", "no sub"]):
        subprocess.run(["git", *author, "-C", outer, *command], check=True, env=clean_environ(**allowed))
    found = place.fetch(from_source("git", outer.as_uri(), ref=commit), "demo==1.0")
    assert (Path(found.path) / "sub/inner.txt").read_text() == "here"


@pytest.mark.parametrize(
    ("location", "ref", "problem"),
    [
        ("file:///missing", "", "file:///missing: git exited with 128: "),
        ("REPOSITORY", "v9", "@v9: git exited with 128: fatal: Remote branch v9 not found"),
        ("--upload-pack=touch x", "", "cannot be given to git"),
        ("REPOSITORY", "--orphan", "cannot be given to git"),
    ],
    ids=["no-repository", "no-tag", "option-as-url", "option-as-tag"],
)
def test_a_repository_that_cannot_be_had(
    location: str, ref: str, problem: str, place: Place, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    make_repository(repository, sdist_files())
    with pytest.raises(SourceError) as caught:
        place.fetch(
            from_source("git", location.replace("REPOSITORY", repository.as_uri()), ref=ref), "demo==1.0"
        )
    assert problem in str(caught.value)


# -- from a directory --------------------------------------------------------------------------------------


def test_a_directory_beside_the_recipe_is_copied(place: Place, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name, text in sdist_files(version="6.0").items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    (checkout / "link").symlink_to("/etc")
    found = place.fetch(place.recipe("[source]\ndirectory = 'checkout'"))
    assert (found.version, found.archive.origin) == ("6.0", checkout.as_uri())
    assert Path(found.path) != checkout
    assert (Path(found.path) / "demo.py").is_file()
    assert (Path(found.path) / "link").is_symlink()


def test_a_directory_that_there_is_not(place: Place, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"^{tmp_path}/missing: not a directory"):
        place.fetch(place.recipe("[source]\ndirectory = 'missing'"))


def test_a_directory_that_holds_the_one_to_build_in_is_not_copied_into_itself(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "setup.py").touch()
    found = place.fetch(from_source("directory", tmp_path), "demo==1.0")
    assert sorted(path.name for path in Path(found.path).iterdir()) == ["links", "setup.py"]


def test_a_directory_that_is_read_only_can_be_built_in(place: Place, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "setup.py").touch(mode=0o444)
    checkout.chmod(0o555)
    found = Path(place.fetch(from_source("directory", checkout), "demo==1.0").path)
    assert found.stat().st_mode & (found / "setup.py").stat().st_mode & stat.S_IWUSR
    assert stat.S_IMODE(checkout.stat().st_mode) == 0o555
    checkout.chmod(0o755)


def test_a_directory_with_what_cannot_be_copied(place: Place, tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    os.mkfifo(tmp_path / "checkout/pipe")
    with pytest.raises(SourceError, match=r"checkout: pipe is not a file, directory or link"):
        place.fetch(from_source("directory", tmp_path / "checkout"), "demo==1.0")


def test_variables_in_a_location_and_a_machine_without_modules(place: Place, tmp_path: Path) -> None:
    make_sdist(tmp_path, version="1.0")
    place.environ["MIRROR"] = tmp_path.as_uri()
    recipe = place.recipe("[source]\nurl = '${MIRROR}/demo-${version}.tar.gz'")
    assert place.fetch(recipe, "demo==1.0").version == "1.0"
    place.environ["HOME"] = str(tmp_path)
    (tmp_path / ".bash_profile").write_text("unset -f module; unset BASH_ENV")
    with pytest.raises(ModulesError, match="this machine has no `module` command"):
        place.fetch(place.recipe("modules.build = ['a']\n[source]\nurl = '${EBROOTA}/a.zip'"), "demo==1.0")


# -- what is common ----------------------------------------------------------------------------------------


def test_the_project_may_be_in_a_subdirectory(place: Place, tmp_path: Path) -> None:
    files = {f"bindings/python/{name}": text for name, text in sdist_files(version="1.0").items()}
    pack_source(tmp_path / "main.tar.gz", {**files, "CMakeLists.txt": ""}, top="demo")
    url = (tmp_path / "main.tar.gz").as_uri()
    found = place.fetch(from_source("url", url, subdirectory="bindings/python"))
    assert found.version == "1.0"
    assert Path(found.path).parts[-2:] == ("bindings", "python")
    assert (Path(found.path) / "../../CMakeLists.txt").exists()
    with pytest.raises(SourceError, match="has no directory 'gone'"):
        place.fetch(from_source("url", url, subdirectory="gone"))


def test_a_subdirectory_is_not_elsewhere(place: Place, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "sub").parent.mkdir()
    (repository / "sub").symlink_to("/etc")
    make_repository(repository, sdist_files())
    with pytest.raises(SourceError, match="has no directory 'sub'"):
        place.fetch(from_source("git", repository.as_uri(), subdirectory="sub"), "demo==1.0")


def test_a_recipe_file_is_taken_as_it_is_for_the_version_and_arch(place: Place, tmp_path: Path) -> None:
    for name in ("old", "new", "wide"):
        (tmp_path / name).mkdir()
    text = """
        source.directory = "old"
        [[when]]
        version = ">=2"
        source = { directory = "new" }
        [[when]]
        arch = "avx2"
        source = { directory = "wide" }
    """
    recipe = place.recipe(text)
    origins = [
        place.fetch(recipe, "demo==1.0").archive.origin,
        place.fetch(recipe, "demo==2.0").archive.origin,
        place.fetch(recipe, "demo==2.0", arch="avx2").archive.origin,
    ]
    assert origins == [(tmp_path / name).as_uri() for name in ("old", "new", "wide")]
