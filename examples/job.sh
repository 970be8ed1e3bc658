#!/bin/bash
#SBATCH --job-name=wheels
#SBATCH --time=00:10:00
#SBATCH --cpus-per-task=1
#
# A job that installs what it needs from the wheelhouse, on the node's own disk and with no network at all:
#
#     sbatch job.sh requirements.txt python my_program.py --its-options
#
# It works without Slurm too: bash job.sh requirements.txt python my_program.py
#
# What you may set:
#   WHEELHOUSE_MODULE  the module that makes pip use the wheelhouse, such as wheelhouse/gentoo; without it, the
#                      program wheelhouse-resolver is asked, and must be on PATH
#   PYTHON             the Python of the environment (default: python3)
set -eo pipefail

requirements=${1:-requirements.txt}
shift || true

# The module is loaded here, in the job: compute nodes can have other CPUs than the node where you typed sbatch,
# whose environment Slurm has copied. `purge` first, or a module that is loaded already would not look again.
if [[ -n ${WHEELHOUSE_MODULE-} ]]; then
    module purge
    module load "$WHEELHOUSE_MODULE"
fi

# Sites that give a job a directory on the node's disk say so in SLURM_TMPDIR, and clean it up themselves.
if [[ -n ${SLURM_TMPDIR-} ]]; then
    work=$SLURM_TMPDIR
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi

# A virtual environment of this job alone: thousands of small files belong on the node's disk, not in your home.
"${PYTHON:-python3}" -m venv "$work/env"
source "$work/env/bin/activate"

if [[ -z ${WHEELHOUSE_MODULE-} ]]; then
    wheelhouse-resolver pip-conf --offline --python "$work/env/bin/python" --output "$work/pip.conf"
    export PIP_CONFIG_FILE=$work/pip.conf
fi

# --no-index: only from the wheelhouse. Without it, pip would wait for a network that is not there.
pip install --no-index --no-cache-dir --disable-pip-version-check --quiet --requirement "$requirements"

# Your program. (No `exec`: then nothing would clean up.)
"$@"
