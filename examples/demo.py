"""The main job on a small wheelhouse: run it with `make demo`.

It makes a wheelhouse of real wheels under ./demo, then calls the command line and pip just as a site and its
users do, showing every command before its output. It needs no network and no particular CPU;
`WHEELHOUSE_ARCH=sse3 make demo` shows what a host of that arch would get. Exit code 1 if pip installs
another wheel than the pick.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from wheelhouse_resolver import Site

PROJECT = Path(__file__).resolve().parent.parent
DEMO = Path("demo")  # below PROJECT, where all commands run
ROOT = DEMO / "wheelhouse"
LAYER = "gentoo"

#: What is in the wheelhouse: directory -> versions of the made-up project demo-kernels.
WHEELS = {
    "generic": ["1.0", "1.1", "1.2rc1"],
    "gentoo/generic": ["1.0", "1.1"],
    "gentoo/sse3": ["1.1"],
    "gentoo/avx": ["1.1"],
    "gentoo/avx2": ["1.0", "1.1"],
    "gentoo/avx512": ["1.0", "1.1"],
    "nix/avx2": ["1.0", "2.0"],
}


def write_wheel(directory: Path, version: str, build: str, label: str) -> None:
    """Write a sound wheel of demo-kernels into *directory*; its module says that it was built for *label*."""
    filename = f"demo_kernels-{version}-{build}-py3-none-any.whl"
    info = f"demo_kernels-{version}.dist-info"
    contents = {
        "demo_kernels.py": f'built_for = "{label}"\nwheel = "{label}/{filename}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo-kernels\nVersion: {version}\n",
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: examples/demo.py\nRoot-Is-Purelib: true\n"
            f"Build: {build}\nTag: py3-none-any\n"
        ),
    }
    record = []
    for name, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(text.encode())}")
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(directory / filename, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, text in contents.items():
            archive.writestr(name, text)


def environment() -> dict[str, str]:
    """The caller's environment without what configures pip, us, or where Python imports from."""
    prefixes = ("PIP_", "WHEELHOUSE_", "RSNT_", "PYTHON")
    environ = {
        name: value
        for name, value in os.environ.items()
        if name == "WHEELHOUSE_ARCH" or not name.startswith(prefixes)
    }
    return {**environ, "WHEELHOUSE_CONFIG": f"{ROOT}/site.toml"}


def heading(text: str, *notes: str) -> None:
    print(f"\n== {text}", *notes, sep="\n   ")


def run(command: Sequence[str], *, show: bool = True, **variables: str) -> str:
    """Run *command*, show it and its output, and return its standard output. Stops the demo if it fails."""
    python = os.path.relpath(sys.executable, PROJECT)
    full = [sys.executable if python.startswith("..") else python, *command]
    settings = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    if show:
        print(" ".join(["$", *settings, shlex.join(full)]), flush=True)
    done = subprocess.run(
        full,
        cwd=PROJECT,
        env={**environment(), **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if show else None,
        check=False,
    )
    if show:
        print(done.stdout, end="")
    if done.returncode != 0:
        sys.exit(f"error: the command above failed with exit code {done.returncode}")
    return done.stdout


def tool(*arguments: str, show: bool = True) -> str:
    """Run our own command line."""
    return run(["-m", "wheelhouse_resolver", *arguments], show=show)


def make_wheelhouse() -> None:
    """Make ROOT below PROJECT, with all of WHEELS."""
    shutil.rmtree(PROJECT / ROOT, ignore_errors=True)
    (PROJECT / DEMO).mkdir(exist_ok=True)
    run(["-m", "wheelhouse_resolver", "init", "--root", str(ROOT)], WHEELHOUSE_CONFIG="")
    for directory in Site.default(PROJECT / ROOT).directories():
        for version in WHEELS.get(directory.label, []):
            build = f"{directory.rank * 1000}{directory.arch}"
            write_wheel(Path(directory.path), version, build, directory.label)


def main() -> int:
    shutil.rmtree(PROJECT / DEMO / "installed", ignore_errors=True)
    heading("A wheelhouse: the built-in layout, and a site file that says where it is")
    make_wheelhouse()
    count = sum(map(len, WHEELS.values()))
    print(
        f"   ... and {count} wheels of a made-up project, demo-kernels, in {len(WHEELS)} of its directories."
    )
    print("   Each has its directory's rank in its build tag, such as 400000avx2: by that, pip tells two")
    print("   wheels of one version apart. Without it, pip takes the alphabetically smallest path.")
    print(f"   All commands below run with WHEELHOUSE_CONFIG={ROOT}/site.toml.")

    heading(
        "Detection: what this host is, and by what evidence", "(the layer is given: this may be any machine)"
    )
    tool("detect", "--layer", LAYER)

    heading("The search path: the directories that this host may use, most specific first")
    tool("path", "--layer", LAYER)

    heading("The configuration that tells pip so (--offline: pip must not look anywhere else)")
    tool("pip-conf", "--layer", LAYER, "--offline", "--output", f"{DEMO}/pip.conf")
    print(f"$ cat {DEMO}/pip.conf")
    print((PROJECT / DEMO / "pip.conf").read_text(), end="")

    heading("The pick, and why it is no other wheel")
    tool("pick", "demo-kernels", "--explain", "--layer", LAYER)
    best = json.loads(tool("pick", "demo-kernels", "--json", "--layer", LAYER, show=False))[0]["best"]
    picked = os.path.relpath(best["path"], PROJECT / ROOT)

    heading("What a user types: plain pip, with that configuration in force")
    config = {"PIP_CONFIG_FILE": f"{DEMO}/pip.conf"}
    run(["-m", "pip", "install", "--target", f"{DEMO}/installed", "demo-kernels"], **config)
    program = 'import demo_kernels; print("I was built for", demo_kernels.built_for)'
    run(["-c", program], PYTHONPATH=f"{DEMO}/installed")
    program = "import demo_kernels; print(demo_kernels.wheel)"
    installed = run(["-c", program], show=False, PYTHONPATH=f"{DEMO}/installed").strip()

    heading("The check")
    print(f"   picked:    {picked}")
    print(f"   installed: {installed}")
    if installed != picked:
        print("error: pip installed another wheel than the pick", file=sys.stderr)
        return 1
    print("   pip installed the pick.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
