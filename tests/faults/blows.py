"""Commands that change files, the trees that they work on, and what must hold whatever stops them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.faults.runner import Runner
from tests.faults.trees import Case, contents, leftovers
from tests.static_pages import assert_right, pages_below
from tests.whole import content_of, wheels_below
from wheelhouse_resolver import Site, Wheelhouse
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.static_index.index import write_index
from wheelhouse_resolver.tree.index_state import IndexState

__all__ = [
    "BLOWS",
    "FILESYSTEMS",
    "Blow",
    "Command",
    "bytes_of",
    "publish_blow",
    "restamp_blow",
    "undone_blow",
]

#: What kinds of filesystem lack.
FILESYSTEMS = {
    "all": (),
    "no-nameless": ("nameless",),
    "no-renames": ("nameless", "renames"),
    "no-links": ("links",),
    "no-links-no-renames": ("nameless", "links", "renames"),
}

Command = list[str | os.PathLike[str]]


def bytes_of(root: Path) -> dict[str, bytes]:
    """All wheels below *root* that installers see."""
    return {str(path.relative_to(root)): path.read_bytes() for path in wheels_below(root)}


class Blow:
    """A command, the tree that it works on, and what must hold after it was killed.

    varies: whether a run may have fewer steps than another, for what is remembered between them.
    """

    varies = False

    def __init__(self, case: Case, command: Command, replaced: tuple[str, ...] = ()) -> None:
        self.case = case
        self.command: Command = [*command, "--root", case.root]
        self.replaced = replaced
        self.expected: dict[str, str] = {}

    def prepare(self) -> None:
        self.case.again()

    def check(self) -> None:
        self.case.check(replaced=self.replaced)

    def check_done(self) -> None:
        """What must hold after the next run."""
        self.check()
        assert self.case.state() == self.expected
        assert leftovers(self.case.root) == []

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        """Run it undisturbed, to know what comes of it; returns how long it took."""
        self.prepare()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.expected = self.case.state()
        self.check_done()
        return ran.seconds

    def is_done(self) -> bool:
        """Whether nothing is left to do, but perhaps to tidy up."""
        return self.case.state() == self.expected

    def steps(self, runner: Runner, without: tuple[str, ...]) -> int:
        """How many steps that change or sync a file a run has, each of which may be its last."""
        self.prepare()
        ran = runner.run(*self.command, without=without, kill_at=-1)
        assert (ran.code, ran.err) == (0, "")
        assert 6 < ran.steps < 4096
        return ran.steps

    def fail(self, runner: Runner, without: tuple[str, ...], step: int, number: int) -> None:
        """Let one step fail with the error *number*; what holds after that, and after the next run."""
        self.prepare()
        ran = runner.run(*self.command, without=without, fail_at=step, fail_with=number)
        where = (*self.command, step, ran)
        assert ran.code in (0, 1, 2), where
        if ran.code == 0:  # only tidying up has failed, or there was another way
            assert ran.err == "", where
            assert self.is_done(), where
            for directory in Site.default(self.case.root).directories():
                trash.clear(directory.path)  # as the next run that has something to do there
        else:
            lines = [line for line in ran.err.splitlines() if not line.startswith("hint: ")]
            assert lines, where
            begins = ("error: ", "refused ", *["warning: left out: "] * (ran.code == 1))
            assert all(line.startswith(begins) for line in lines), where
            assert os.strerror(number) in ran.err, where
            assert "internal error" not in ran.err, where
            assert "cannot finish" not in ran.err, where
        self.verify(runner, without)

    def verify(self, runner: Runner, without: tuple[str, ...]) -> None:
        """What holds after a kill, and after the next run."""
        self.check()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.check_done()


def publish_blow(tmp_path: Path) -> Blow:
    """Wheels beside unstamped ones of the same version, which publish stamps in the same step."""
    case = Case(tmp_path)
    wheels: Command = []
    for number in range(2):
        name = f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl"
        wheels.append(case.given(name, size=20_000, mark=f"given {number}"))
        case.standing("generic", name, mark=f"generic {number}")
    case.standing("gentoo/avx512", "demo1-1.0-cp311-cp311-linux_x86_64.whl", mark="avx512")
    return Blow(case, ["publish", *wheels, "--to", "gentoo/avx2"])


def _replace_blow(tmp_path: Path, kind: type[Blow]) -> Blow:
    """Wheels in place of others with other content."""
    case = Case(tmp_path)
    wheels: Command = []
    names = []
    for number in range(2):
        wheels.append(case.given(f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"given {number}"))
        names.append(f"demo{number}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl")
        case.standing("gentoo/avx2", names[-1], mark=f"old {number}")
    return kind(case, ["publish", *wheels, "--to", "gentoo/avx2", "--replace"], tuple(names))


class VisibleBlow(Blow):
    """Some build of each is there at every moment, on any filesystem that can exchange or link names."""

    able = True

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        self.able = not {"links", "renames"} <= {*without}
        return super().learn(runner, without)

    def check(self) -> None:
        super().check()
        there = {*self.case.state()} if self.able else {f"gentoo/avx2/{name}" for name in self.replaced}
        assert {f"gentoo/avx2/{name}" for name in self.replaced} <= there


def replace_blow(tmp_path: Path) -> Blow:
    return _replace_blow(tmp_path, VisibleBlow)


def rebuild_blow(tmp_path: Path) -> Blow:
    """Corrected builds beside others: repeated after a kill, they are not added twice."""
    case = Case(tmp_path)
    wheels: Command = []
    for number in range(2):
        wheels.append(case.given(f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"given {number}"))
        name = f"demo{number}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
        case.standing("gentoo/avx2", name, mark=f"old {number}")
    return Blow(case, ["publish", *wheels, "--to", "gentoo/avx2", "--rebuild"])


#: Of one name in several directories, and of another.
NAMES = ("demo-1.0-1000generic-py3-none-any.whl", "other-1.0-1000generic-py3-none-any.whl")


def withdraw_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for label in ("generic", "nix/generic", "gentoo/generic"):
        for name in NAMES:
            case.standing(label, name, mark=label)
    return Blow(case, ["withdraw", *NAMES])


class RestoreBlow(Blow):
    def prepare(self) -> None:
        super().prepare()
        for label in ("generic", "nix/generic", "gentoo/generic"):
            for name in NAMES:
                trash.move_to_trash(str(self.case.root / label / name))


def restore_blow(tmp_path: Path) -> Blow:
    case = withdraw_blow(tmp_path).case
    return RestoreBlow(case, ["restore", *NAMES])


class RemovingBlow(Blow):
    """Wheels that are removed from the inbox once they are placed: what is gone need not be given again."""

    def prepare(self) -> None:
        super().prepare()
        for path in (self.case.base / "kept").iterdir():
            (self.case.inbox / path.name).write_bytes(path.read_bytes())

    def check(self) -> None:
        super().check()
        everything = contents(self.case.base / "kept")
        assert everything <= contents(self.case.root, self.case.inbox), "something is lost"

    def verify(self, runner: Runner, without: tuple[str, ...]) -> None:
        self.check()
        still: Command = sorted(self.case.inbox.iterdir())  # type: ignore[assignment]
        if still:
            options = self.command[self.command.index("--to") :]
            ran = runner.run("publish", *still, *options, without=without)
            assert (ran.code, ran.err) == (0, "")
        assert self.case.state() == self.expected
        assert list(self.case.inbox.iterdir()) == []


def remove_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    wheels: Command = [
        case.given(f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"given {number}")
        for number in range(2)
    ]
    (tmp_path / "kept").mkdir()
    for path in case.inbox.iterdir():
        (tmp_path / "kept" / path.name).write_bytes(path.read_bytes())
    return RemovingBlow(case, ["publish", *wheels, "--to", "gentoo/avx2", "--remove-source"])


def restamp_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    # Few, for each is another dozen of steps: two of one directory, of one project, of several directories.
    for label, number in (("generic", 0), ("gentoo/avx2", 0), ("gentoo/avx2", 1), ("nix/avx512", 0)):
        name = f"demo{number}-1.0-{number}-cp311-cp311-linux_x86_64.whl"
        case.standing(label, name, size=2_000, mark=f"{label} {number}")
    case.standing("gentoo/avx2", "other-1.0-999003avx2-py3-none-any.whl", mark="stale")
    return Blow(case, ["restamp"])


class UndoBlow(Blow):
    """A restamped tree that gets its former names back, to the byte."""

    def __init__(self, case: Case) -> None:
        super().__init__(case, ["restamp", "--undo"])
        self.first = bytes_of(case.start)
        assert Wheelhouse(Site.default(case.start)).restamp().ok
        assert not self.first.keys() & bytes_of(case.start).keys()

    def check_done(self) -> None:
        super().check_done()
        assert bytes_of(self.case.root) == self.first


def undo_blow(tmp_path: Path) -> Blow:
    case = restamp_blow(tmp_path).case
    return UndoBlow(case)


class UndoneBlow(Blow):
    """A restamping that is undone after it was killed."""

    def prepare(self) -> None:
        super().prepare()
        self.first = bytes_of(self.case.root)

    def verify(self, runner: Runner, without: tuple[str, ...]) -> None:
        self.check()
        undo: Command = ["restamp", "--undo", "--root", self.case.root]
        ran = runner.run(*undo, without=without)
        assert (ran.code, ran.err) == (0, "")
        assert bytes_of(self.case.root) == self.first
        assert leftovers(self.case.root) == []


def undone_blow(tmp_path: Path) -> Blow:
    return UndoneBlow(restamp_blow(tmp_path).case, ["restamp"])


class ViewBlow(Blow):
    """Links, some of which are there already, outdated or superfluous."""

    @property
    def view(self) -> Path:
        return self.case.base / "view"

    def prepare(self) -> None:
        if self.view.exists():
            for path in sorted(self.view.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        if not self.case.root.exists():
            self.case.again()
        place = self.view / "gentoo/avx2"
        place.mkdir(parents=True)
        (place / "gone-1.0-400000avx2-py3-none-any.whl").symlink_to(self.case.root / "gentoo/avx2/gone.whl")
        name = "demo0-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
        (place / name).symlink_to(self.case.root / "generic/elsewhere.whl")
        (place / "own.txt").write_text("mine")

    def check(self) -> None:
        for path in self.view.rglob("*.whl"):
            assert path.is_symlink()
        assert (self.view / "gentoo/avx2/own.txt").read_text() == "mine"
        assert self.case.state() == {
            str(path.relative_to(self.case.start)): content for path, content in self._first().items()
        }

    def _first(self) -> dict[Path, str]:
        return {path: content_of(path) for path in wheels_below(self.case.start)}

    def is_done(self) -> bool:
        return {name: is_ for name, is_ in self.links().items() if Path(name).name[0] != "."} == self.expected

    def links(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.view)): os.readlink(path)
            for path in sorted(self.view.rglob("*"))
            if path.is_symlink()
        }

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        self.prepare()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.expected = self.links()
        assert len(self.expected) == 30
        assert all(os.path.exists(target) for target in self.expected.values())
        return ran.seconds

    def check_done(self) -> None:
        self.check()
        assert self.links() == self.expected
        assert leftovers(self.view) == []


def view_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for number in range(15):
        for label in ("generic", "gentoo/avx2"):
            case.standing(label, f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"{label} {number}")
    return ViewBlow(case, ["view", "--output", tmp_path / "view"])


class FileBlow(Blow):
    """A command that writes files into a directory, where some of another content are already."""

    varies = True

    @property
    def output(self) -> Path:
        return self.case.base / "output"

    def prepare(self) -> None:
        super().prepare()
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        for name in self.replaced:
            (self.output / name).parent.mkdir(parents=True, exist_ok=True)
            (self.output / name).write_text("# old\n" * 2000)
            (self.output / name).chmod(0o644)

    def files(self) -> dict[str, str]:
        paths = sorted(path for path in self.output.rglob("*") if path.is_file() and path.name[0] != ".")
        return {str(path.relative_to(self.output)): path.read_text() for path in paths}

    def is_done(self) -> bool:
        return self.files() == self.expected

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        self.prepare()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.expected = self.files()
        self.check_done()
        return ran.seconds

    def check(self) -> None:
        """Each file is the old one or the new one."""
        files = self.files()
        for name, text in files.items():
            assert text == self.expected[name] or (name in self.replaced and text == "# old\n" * 2000), name
            assert (self.output / name).stat().st_mode & 0o777 == 0o644
        assert {*self.replaced} <= {*files}

    def check_done(self) -> None:
        self.check()
        assert self.is_done()


def configs_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    case.standing("generic", "demo-1.0-1000generic-py3-none-any.whl")
    command: Command = ["pip-conf", "--all", "--output-dir", tmp_path / "output"]
    return FileBlow(case, command, ("pip-avx2-gentoo.conf", "pip-avx-nix.conf"))


def xdg_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    case.standing("generic", "demo-1.0-1000generic-py3-none-any.whl")
    config = tmp_path / "site.toml"  # of fewer kinds of host, with two files for each
    config.write_text('root = "/"\n[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n')
    command: Command = ["pip-conf", "--config", config, "--all", "--form", "xdg"]
    command += ["--output-dir", tmp_path / "output"]
    return FileBlow(case, command, ("avx2-gentoo/pip/pip.conf", "generic/uv/uv.toml"))


def lock_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for number in range(3):
        case.standing("generic", f"demo{number}-1.0-1000generic-py3-none-any.whl")
    wanted: Command = [f"demo{number}" for number in range(3)]
    return FileBlow(case, ["lock", *wanted, "--output", tmp_path / "output/pylock.toml"], ("pylock.toml",))


class IndexBlow(Blow):
    """An index, of some wheels; others have come since, and some pages are gone or nobody's."""

    #: Few kinds of hosts: each is another dozen of steps.
    SITE = '[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n'

    def __init__(self, case: Case, command: Command, new: tuple[str, ...]) -> None:
        super().__init__(case, command)
        self.new = new
        self.hashes: dict[tuple[str, int, int], str] = {}
        config = case.base / "site.toml"
        config.write_text(f"root = '{case.root}'\n{self.SITE}")
        self.site = Site.load(config)
        self.command = [*command, "--config", config]

    @property
    def output(self) -> Path:
        return self.case.base / "index"

    def prepare(self) -> None:
        super().prepare()
        shutil.rmtree(self.output, ignore_errors=True)
        for name in self.new:
            (self.case.root / name).rename(self.case.base / "aside")
            (self.case.base / "aside").rename(self.case.base / Path(name).name)
        assert write_index(self.site, str(self.output)).ok
        for name in self.new:
            (self.case.base / Path(name).name).rename(self.case.root / name)
        (self.output / "generic/nobodys").mkdir()
        (self.output / "generic/nobodys/index.html").write_text("by hand")
        (self.output / "avx2-gentoo/demo1/index.html").unlink()

    def pages(self) -> dict[str, str]:
        return {str(page.relative_to(self.output)): page.read_text() for page in pages_below(self.output)}

    def is_done(self) -> bool:
        return self.pages() == self.expected

    def check(self) -> None:
        super().check()
        assert_right(self.output, self.hashes)
        state = IndexState.open(str(self.output))
        for directory in self.site.directories() if state is not None else ():
            names = state.all_names(directory) if state is not None else None
            assert names is not None
            if state is not None and state.fresh(directory):
                assert sorted(names) == sorted(path.name for path in Path(directory.path).glob("*.whl"))

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        self.prepare()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.expected = self.pages()
        assert len(self.expected) == 3 * 2 + 1 + 3  # two projects everywhere, one in one class
        self.check_done()
        return ran.seconds

    def check_done(self) -> None:
        self.check()
        assert self.is_done()
        assert not (self.output / "generic/nobodys").exists()
        assert os.listdir(self.output / ".drafts") == []


def index_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for name in ("demo0-1.0-py3-none-any.whl", "demo1-1.0-py3-none-any.whl"):
        case.standing("generic", name)
    new = ("generic/demo0-1.1-py3-none-any.whl", "gentoo/avx2/demo2-1.0-cp311-cp311-linux_x86_64.whl")
    for name in new:
        label, _, filename = name.rpartition("/")
        case.standing(label, filename, mark=name)
    return IndexBlow(case, ["index", "--output", tmp_path / "index"], new)


BLOWS = {
    "publish": publish_blow,
    "replace": replace_blow,
    "rebuild": rebuild_blow,
    "withdraw": withdraw_blow,
    "restore": restore_blow,
    "remove-source": remove_blow,
    "restamp": restamp_blow,
    "undo": undo_blow,
    "restamp-undone": undone_blow,
    "view": view_blow,
    "pip-conf": configs_blow,
    "pip-conf-xdg": xdg_blow,
    "lock": lock_blow,
    "index": index_blow,
}
