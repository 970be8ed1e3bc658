#!/usr/bin/env bash
# uv 0.6.17 and 0.13.9. Expected: of two entries [[index]] with one name, or with `default = true`, both are searched, or
# uv says which one is not.
# Happens: the first one counts (in a user's file rather than in the machine's), and the other one is not searched.
# Seen: neither: found; the same name: not found; both the default: not found.
# Why it matters to a wheelhouse: a site whose last directory is the default index, so that uv asks no public one, loses
# this directory where a user has a default of their own. As an entry more, without `default`, it stays.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/wheels" "$work/empty"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
config() { # what else the first entry says, and the second, which has the wheel
    printf '[[index]]\nurl = "file://%s"\nformat = "flat"\n%s\n' "$work/empty" "$1" "$work/wheels" "$2"
    printf '[[index]]\nurl = "file://%s"\nformat = "flat"\ndefault = true\n' "$work/empty"
}
for version in 0.6.17 0.13.9; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q --disable-pip-version-check install "uv==$version"
    search() {
        config "$1" "$2" >"$work/uv.toml"
        if env -i "HOME=$work" "PATH=$PATH" "UV_CONFIG_FILE=$work/uv.toml" "$work/$version/bin/uv" pip install -q --no-cache \
            --dry-run --target "$work/target" --python "$work/$version/bin/python" demo 2>/dev/null; then
            echo found
        else
            echo "not found"
        fi
    }
    seen="neither: $(search '' '')"
    seen+="; the same name: $(search 'name = "site"' 'name = "site"')"
    seen+="; both the default: $(search 'default = true' 'default = true')"
    echo "uv $version: $seen"
    [[ $seen == "neither: found; the same name: not found; both the default: not found" ]]
done
