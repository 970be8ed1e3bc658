#!/usr/bin/env bash
# A year of a wheelhouse, on a small tree with real packages: what is there is adopted, then come a build, a new
# Python, new upstream releases, an upstream wheel and a new layer. After each, stock pip and uv must install
# what the policy chooses; the script ends with an error at the first step where one of them does not.
#
#   examples/site-year.sh [DIRECTORY]        default: ./site-year, which must not exist
#
# Needs wheelhouse-resolver with its extras `build` and `upkeep`, a C compiler, a package index that pip reaches,
# an x86_64 CPU, and two Pythons with headers (PYTHONS="python3.11 python3.13"; the first two that are found).
# Where Slurm answers, one step is built by its jobs.
set -euo pipefail
export LC_ALL=C.UTF-8

readonly YEAR=$(realpath -m "${1:-site-year}")
readonly TREE=$YEAR/tree
if [[ -e $YEAR ]]; then
    echo "error: $YEAR exists" >&2
    exit 2
fi

is_usable() { "$1" -c 'import sys, sysconfig, venv, ensurepip, os
os.stat(sysconfig.get_path("include") + "/Python.h"); sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

read -ra pythons <<<"${PYTHONS:-}"
if ((${#pythons[@]} == 0)); then
    for minor in 10 11 12 13 14; do
        if is_usable "python3.$minor"; then pythons+=("$(command -v "python3.$minor")"); fi
    done
fi
if ((${#pythons[@]} < 2)); then
    echo "error: two Pythons are needed: PYTHONS=\"/path/to/python3.11 /path/to/python3.12\"" >&2
    exit 2
fi
readonly OLD=${pythons[0]} NEW=${pythons[1]}

# No settings but the site's, and how the index is reached.
for name in $(compgen -e | grep -E '^(PIP|UV|WHEELHOUSE|RSNT|PYTHON)_?' || true); do
    case $name in
        PYTHONS | PIP_CONFIG_FILE | PIP_*INDEX_URL | PIP_CERT | PIP_PROXY | PIP_DEFAULT_TIMEOUT | PIP_RETRIES) ;;
        *) unset "$name" ;;
    esac
done
export WHEELHOUSE_CONFIG=$YEAR/site.toml WHEELHOUSE_ARCH=sse3 WHEELHOUSE_LAYER=el8

month() { printf '\n== %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}

# check PYTHON PROJECT...: pip and uv, configured as a module file does it, install what `pick` names.
check() {
    local python=$1 project
    shift
    wheelhouse-resolver pip-conf --offline --python "$python" --output "$YEAR/pip.conf"
    wheelhouse-resolver pip-conf --offline --python "$python" --format uv --output "$YEAR/uv.toml"
    rm -rf "$YEAR"/by-{pip,uv}
    PIP_CONFIG_FILE=$YEAR/pip.conf "$python" -m pip install -q --disable-pip-version-check --no-deps \
        --target "$YEAR/by-pip" "$@"
    UV_CONFIG_FILE=$YEAR/uv.toml uv pip install -q --no-cache --no-deps --python "$python" --target "$YEAR/by-uv" "$@"
    for project; do
        wheelhouse-resolver pick --python "$python" "$project" >"$YEAR/picked"
        "$python" - "$(<"$YEAR/picked")" "$YEAR"/by-{pip,uv} <<'EOF'
# All that the chosen wheel records must be recorded by the installation, with the same hashes.
import csv, os, sys, zipfile
wheel, *environments = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
    own = {tuple(row[:2]) for row in csv.reader(archive.read(record).decode().splitlines()) if row and row[1]}
for environment in environments:
    with open(os.path.join(environment, record)) as there:
        installed = {tuple(row[:2]) for row in csv.reader(there)}
    if not own <= installed:
        sys.exit(f"error: {os.path.basename(environment)[3:]} does not install {wheel}")
print(f"pip and uv install {os.path.relpath(wheel, os.path.dirname(environments[0]))}")
EOF
    done
}

mkdir -p "$TREE"/{common,el8/{common,sse3}} "$YEAR/work"
cd "$YEAR/work"

month "January: a tree of another time is adopted as it is"
# As somebody once filled it by hand: a pure wheel, and one build in two directories.
"$OLD" -m venv "$YEAR/by-hand"
"$YEAR/by-hand/bin/python" -m pip wheel -q --no-cache-dir --use-pep517 --no-deps --no-binary markupsafe --wheel-dir "$TREE/el8/common" markupsafe==2.1.4
"$YEAR/by-hand/bin/python" -m pip download -q --no-deps --dest "$TREE/common" idna==3.6
CFLAGS=-O3 "$YEAR/by-hand/bin/python" -m pip wheel -q --no-cache-dir --use-pep517 --no-deps --no-binary markupsafe \
    --wheel-dir "$TREE/el8/sse3" markupsafe==2.1.4
run wheelhouse-resolver init --from "$TREE" --output "$WHEELHOUSE_CONFIG"
run wheelhouse-resolver audit || true
run wheelhouse-resolver restamp
run wheelhouse-resolver audit
check "$OLD" markupsafe idna

month "March: a wheel is built from source, tested and published"
run wheelhouse-resolver build markupsafe==2.1.5 --publish --python "$OLD"
check "$OLD" markupsafe idna

month "May: a new Python"
executor=local
if command -v sinfo >/dev/null && sinfo >/dev/null 2>&1; then executor=slurm; fi
wheelhouse-resolver gaps --python "$NEW" --like "$("$OLD" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" |
    run wheelhouse-resolver build -r - --python "$NEW" --executor "$executor" --publish
check "$NEW" markupsafe idna

month "August: new upstream releases"
run wheelhouse-resolver outdated --python "$OLD"
wheelhouse-resolver outdated --python "$OLD" >outdated.txt
run cat outdated.txt
run wheelhouse-resolver build -r outdated.txt --python "$OLD,$NEW" --recursive --publish
check "$OLD" markupsafe idna
check "$NEW" markupsafe idna
run wheelhouse-resolver outdated --python "$OLD"

month "October: a wheel from upstream"
run wheelhouse-resolver fetch wrapt --python "$OLD,$NEW"
check "$OLD" wrapt
check "$NEW" wrapt

month "December: a new layer"
cat >>"$WHEELHOUSE_CONFIG" <<'EOF'

[[layer]]
name = "el9"
directories = ["el9"]
archs = ["sse3"]
names = { generic = "common" }
os-release = { ID = "rhel", VERSION_ID = "9*" }
EOF
mkdir -p "$TREE"/el9/{common,sse3}
export WHEELHOUSE_LAYER=el9
wheelhouse-resolver gaps --python "$NEW" --like el8 |
    run wheelhouse-resolver build -r - --python "$NEW" --publish
check "$NEW" markupsafe idna wrapt
run wheelhouse-resolver audit

month "The year's tree"
(cd "$TREE" && find . -name '*.whl' | sort)
