#!/bin/bash
# Every check that needs a GPU, in about 8 minutes: bash benchmarks/gpu.sh [argument of python -m benchmarks …]
# It wants torch, pandas, scipy, scikit-image, scikit-learn, safetensors, filelock and tifffile, and neither napari nor
# a network. Without a GPU, `bash benchmarks/gpu.sh --quick --device cpu` tries the command.
set -e
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
exec "${PYTHON:-python3}" -m benchmarks replayed step folded plate waiting runaway training --repeats 3 "$@"
