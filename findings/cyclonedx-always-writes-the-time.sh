#!/usr/bin/env bash
# cyclonedx-python-lib 11.12.0. Expected: a document without metadata.timestamp and serialNumber, which CycloneDX 1.6
# does not require, can be written, so that the same input gives the same file; and a component that depends on
# nothing is no reason for a warning.
# Happens: timestamp=None and serial_number=None mean now and a random one; both are written again however they are
# set. A document whose main component has no dependencies, but has components that are excluded (what it was built
# with), makes the library warn that its graph is not complete.
# Seen: "timestamp, serialNumber: different in two runs" / "warned: True".
# Why it matters to a wheelhouse: an SBOM in each wheel would make two builds of one source different. One has to
# take both out of the finished JSON.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install cyclonedx-python-lib==11.12.0
cat > "$work/write.py" <<'PY'
import json, warnings
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope
from cyclonedx.output.json import JsonV1Dot6

def document():
    wheel = Component(name="demo", bom_ref="demo")
    tool = Component(name="setuptools", bom_ref="tool", scope=ComponentScope.EXCLUDED)
    bom = Bom(components=[tool], serial_number=None, metadata=BomMetaData(component=wheel, timestamp=None))
    return json.loads(JsonV1Dot6(bom).output_as_string())

with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    one, other = document(), document()
differing = [name for name in ("timestamp",) if one["metadata"][name] != other["metadata"][name]]
differing += [name for name in ("serialNumber",) if one[name] != other[name]]
print(f"{', '.join(differing)}: different in two runs")
print(f"warned: {any('Dependency Graph' in str(each.message) for each in warned)}")
PY
seen=$("$work/tools/bin/python" "$work/write.py")
echo "$seen"
[[ $seen == "timestamp, serialNumber: different in two runs
warned: True" ]]
