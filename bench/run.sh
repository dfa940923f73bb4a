#!/bin/sh
# Builds what is measured and the corpus, if it is not there, and measures.
# TIDEWAITER_CORPUS names the corpus; RUNS how often each command runs.
set -eu
cd "$(dirname "$0")/.."
corpus=${TIDEWAITER_CORPUS:-$PWD/.bench/corpus}
if [ ! -d "$corpus/oci/debian-java" ]; then
	[ -x ../shared/corpus/build.sh ] || { echo "no corpus: set TIDEWAITER_CORPUS to a folder with oci/NAME layouts" >&2; exit 2; }
	../shared/corpus/build.sh "$corpus"
fi
mkdir -p .bench
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o .bench/tidewaiter ./cmd/tidewaiter
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o .bench/floor ./bench/floor
CGO_ENABLED=0 go build -trimpath -o .bench/measure ./bench/measure
.bench/measure -runs "${RUNS:-5}" -corpus "$corpus" -tidewaiter .bench/tidewaiter -floor .bench/floor
# Plugins: one that wants nothing, one in Python with 100 files, 1,000 questions to a gate.
exec go test -run '^$' -bench . -benchtime 20x ./internal/pluginhost
