#!/usr/bin/env bash
# pip 20.3.4 and 26.3, uv 0.13.9. Expected: of a line `-r a.txt -c b.txt` in a requirements file both files are read, or
# the line is an error; and `--pre` beside a requirement counts like `--no-binary` beside one, or is an error.
# Happens: pip reads a.txt only, without a word, so the constraints do not count; `--pre` beside a requirement is
# ignored, though `--no-binary` there holds. uv stops at such lines.
# Seen: "20.3.4: two files 2.0, --pre 2.0, --no-binary no file" / the same for 26.3 / "uv: error error error".
# Why it matters to a wheelhouse: a project's pinned environment gets the newest version, and nothing in the log says
# so; what reads requirements files for users has to warn of the rest of such a line.
set -euo pipefail
python3 -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || { echo "needs Python 3.11 or older"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
for version in ("1.0", "2.0", "3.0rc1"):
    info = f"demo-{version}.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/demo-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({version!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
echo demo >"$work/a.txt"
echo 'demo<2' >"$work/b.txt"
echo '-r a.txt -c b.txt' >"$work/files.txt"
echo 'demo --pre' >"$work/pre.txt"
echo 'demo --no-binary=demo' >"$work/binary.txt"
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
by_pip() { # what is installed of a requirements file; "no file" where pip finds nothing that it may take
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
        --find-links "$work/wheels" --target "$work/$1" -r "$work/$2.txt" >"$work/said" 2>&1 || true
    if grep -q 'No matching distribution' "$work/said"; then echo "no file"; else PYTHONPATH=$work/$1 python3 -c 'import demo'; fi
}
seen=()
for version in 20.3.4 26.3; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    seen+=("$version: two files $(by_pip "$version-1" files), --pre $(by_pip "$version-2" pre), --no-binary $(by_pip "$version-3" binary)")
done
uv="uv:"
for file in files pre binary; do
    "$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --find-links "$work/wheels" --target "$work/uv" \
        -r "$work/$file.txt" 2>"$work/said" || true
    grep -q -e 'failed to read from file' -e 'Expected `--hash`' "$work/said" && uv+=" error"
done
printf '%s\n' "${seen[@]}" "$uv"
same="two files 2.0, --pre 2.0, --no-binary no file"
[[ "${seen[*]} $uv" == "20.3.4: $same 26.3: $same uv: error error error" ]]
