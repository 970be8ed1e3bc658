from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.builder.sources import make_repository
from tests.factories import clean_environ
from tests.requires import need
from wheelhouse_resolver.builder.sources.directory import pack_directory
from wheelhouse_resolver.builder.sources.fetched import FetchContext
from wheelhouse_resolver.builder.sources.tree import unpack_tree
from wheelhouse_resolver.utils.safe_io import sha256_of

FILES = {"setup.py": "", "demo/__init__.py": "", "demo/libshipped.so": "", ".gitignore": "build/\n*.log\n"}

#: What builds leave, each kind once.
LEFT = (
    "build/temp.linux-x86_64-cpython-311/fast.o",
    "out/temp.linux-aarch64-3.6/fast.o",
    "dist/demo-1.0.tar.gz",
    "demo.egg-info/SOURCES.txt",
    "demo/__pycache__/a.pyc",
    "demo/fast.cpython-311-x86_64-linux-gnu.so",
    "demo/fast.abi3.so",
    "src/made.o",
    "cmake/CMakeCache.txt",
    "cmake/x.o",
    "target/CACHEDIR.TAG",
)

#: What looks like it and is shipped.
SHIPPED = ("src/made.c", "src/closed.o", "lib/build/rules.mk", "tools/dist/x.js", "vendor/x.so", "lib.linux")


class Packer:
    """Packs directories; *log* says what was left out."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = clean_environ()
        self.log = directory / "log.txt"
        self.count = 0

    def __call__(self, source: Path, into: Path | None = None) -> tuple[list[str], str, Path]:
        """The files that are packed but for git's own, the hash of the archive, and where it is unpacked."""
        self.count += 1
        scratch = into or self.directory / f"scratch{self.count}"
        scratch.mkdir()
        archive = str(scratch / "source.tar")
        context = FetchContext(directory=str(scratch), log=str(self.log), environ=self.environ)
        pack_directory(str(source), archive, context)
        unpacked = self.directory / f"unpacked{self.count}"
        unpack_tree(archive, str(unpacked))
        with tarfile.open(archive) as packed:
            names = sorted(each.name for each in packed if not each.isdir())
        return [name for name in names if not name.startswith(".git/")], sha256_of(archive), unpacked


@pytest.fixture
def pack(tmp_path: Path) -> Packer:
    return Packer(tmp_path)


def write(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(os.fsencode(name))


def git(directory: Path, *arguments: str, **environ: str) -> str:
    need("git")
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"]
    command = ["git", *author, "-C", str(directory), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environ(**environ))
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    make_repository(tmp_path / "checkout", FILES, "v1.0")
    return tmp_path / "checkout"


def test_of_a_repository_what_git_has_or_does_not_ignore(
    checkout: Path, pack: Packer, tmp_path: Path
) -> None:
    make_repository(tmp_path / "other", {"inside.c": "", "gone.c": "", ".gitignore": "*.o\n"})
    git(checkout, "submodule", "--quiet", "add", (tmp_path / "other").as_uri(), "sub")
    git(checkout, "commit", "--quiet", "--message=sub")
    make_repository(checkout / "nested", {"own.c": ""})
    write(checkout, *LEFT, "new\nname.c", os.fsdecode(b"caf\xe9.c"), "a.log", "sub/new.c", "sub/inside.o")
    write(checkout, "build.txt", "src/made.c", "sub/build/temp.linux-x86_64-cpython-311/a.o")
    (checkout / "demo/libshipped.so").unlink()
    (checkout / "sub/gone.c").unlink()
    (checkout / "demo/link").symlink_to("/etc")
    names, _, unpacked = pack(checkout)
    wanted = [".gitignore", ".gitmodules", "build.txt", os.fsdecode(b"caf\xe9.c"), "demo/__init__.py"]
    wanted += ["demo/link", "nested/own.c", "new\nname.c", "setup.py", "sub/.gitignore", "sub/inside.c"]
    assert names == sorted([*wanted, "src/made.c", "sub/new.c"])
    assert git(unpacked, "describe", "--tags", "--long", "--dirty").startswith("v1.0-1-g")
    assert git(unpacked, "status", "--porcelain", "--untracked-files=no") == "D demo/libshipped.so"
    assert f"{checkout}: left out, from an earlier build: demo.egg-info\n" in pack.log.read_text()


def test_what_git_has_is_packed_whatever_its_name(pack: Packer, tmp_path: Path) -> None:
    make_repository(tmp_path / "checkout", dict.fromkeys(("setup.py", *LEFT), ""))
    assert pack(tmp_path / "checkout")[0] == sorted(("setup.py", *LEFT))


def test_the_same_content_makes_the_same_archive(checkout: Path, pack: Packer) -> None:
    first = pack(checkout)[1]
    write(checkout, "build/temp/x.o", "demo/fast.abi3.so", "demo/__pycache__/x.pyc")
    os.utime(checkout / "demo", (1, 1))
    (checkout / ".git/FETCH_HEAD").touch()
    os.utime(checkout / "setup.py")  # and back: git writes its index anew
    git(checkout, "status")
    shutil.copystat(checkout / "demo/__init__.py", checkout / "setup.py")
    git(checkout, "status")
    os.utime(checkout / "setup.py", ns=(0, 10**18))
    os.utime(checkout / "demo/__init__.py", ns=(0, 10**18))
    changed = pack(checkout)[1]
    git(checkout, "update-index", "--refresh")
    assert first != changed == pack(checkout)[1]
    write(checkout, "new.c")
    assert pack(checkout)[1] != changed


@pytest.mark.parametrize("kind", ["worktree", "submodule", "detached", "staged", "shallow"])
def test_the_version_can_be_told_from(kind: str, checkout: Path, pack: Packer, tmp_path: Path) -> None:
    source = tmp_path / kind
    if kind == "worktree":
        git(checkout, "worktree", "add", "--quiet", str(source))
    elif kind == "submodule":
        make_repository(tmp_path / "super", {"x": ""})
        git(tmp_path / "super", "submodule", "--quiet", "add", checkout.as_uri(), "sub")
        source = tmp_path / "super/sub"
    else:
        depth = ["--depth=1"] if kind == "shallow" else []
        git(tmp_path, "clone", "--quiet", *depth, checkout.as_uri(), str(source))
        git(source, "checkout", "--quiet", "--detach")
    if kind == "staged":
        write(source, "new.c")
        git(source, "add", "new.c")
    names, _, unpacked = pack(source)
    assert names == sorted((*FILES, *(["new.c"] if kind == "staged" else [])))
    (checkout / ".git").rename(tmp_path / "away")
    dirty = "-dirty" if kind == "staged" else ""
    assert git(unpacked, "describe", "--tags", "--dirty") == f"v1.0{dirty}"
    assert git(unpacked, "ls-files").splitlines() == names


def test_the_users_repository_and_owner_do_not_matter(
    checkout: Path, pack: Packer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(tmp_path / "users", {"other.py": ""})
    mine = tmp_path / "users/.git"
    pack.environ |= {"GIT_DIR": str(mine), "GIT_INDEX_FILE": str(mine / "index"), "GIT_WORK_TREE": "/"}
    # Git's own tests have this variable; it makes an owner that we need root to set.
    pack.environ["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    (tmp_path / "ignore").write_text("mine.txt\n")
    (tmp_path / "config").write_text(f"[core]\nexcludesFile = {tmp_path}/ignore\n[safe]\ndirectory =\n")
    pack.environ["GIT_CONFIG_GLOBAL"] = str(tmp_path / "config")
    write(checkout, "mine.txt")
    names, _, unpacked = pack(checkout)
    assert names == sorted(FILES)
    assert git(unpacked, "describe", "--tags") == "v1.0"


def test_a_directory_of_a_repository_is_packed_alone(pack: Packer, tmp_path: Path) -> None:
    top = tmp_path / "top"
    make_repository(top, {f"bindings/{name}": text for name, text in FILES.items()})
    write(top, "bindings/build/x.o", "bindings/new.c", "aside.c")
    names, _, unpacked = pack(top / "bindings")
    assert names == sorted((*FILES, "new.c"))
    assert not (unpacked / ".git").exists()


@pytest.mark.parametrize("why", ["no-repository", "no-git", "ignored"])
def test_without_git_all_but_what_builds_leave(why: str, pack: Packer, tmp_path: Path) -> None:
    source = tmp_path / "source"
    write(source, "setup.py", *LEFT, *SHIPPED)
    if why == "no-git":
        write(source, ".git/HEAD")
        pack.environ["PATH"] = "/nowhere"
    elif why == "ignored":
        make_repository(tmp_path, {".gitignore": "/source\n"})
    (source / "empty").mkdir()
    names, first, unpacked = pack(source)
    assert names == sorted(("setup.py", *SHIPPED))
    assert (unpacked / "empty").is_dir()
    shutil.rmtree(source / "build")
    assert pack(source)[1] == first


@pytest.mark.parametrize(
    "files",
    [("build/__init__.py", "pyproject.toml"), ("PKG-INFO", "setup.py", "src/demo.egg-info/SOURCES.txt")],
    ids=["package-build", "unpacked-sdist"],
)
def test_without_git_what_an_sdist_holds_is_no_leftover(
    files: tuple[str, ...], pack: Packer, tmp_path: Path
) -> None:
    write(tmp_path / "source", *files)
    assert pack(tmp_path / "source")[0] == list(files)


def test_the_directory_to_build_in_is_not_packed(checkout: Path, pack: Packer) -> None:
    assert pack(checkout, checkout / "into")[0] == sorted(FILES)
