#!/bin/sh
# Builds what is measured and the corpus, if it is not there, and measures.
# TIDEWAITER_CORPUS names the corpus; RUNS how often each command runs; PARTS
# which parts: images, variants, feeds, plugins (default: all).
set -eu
cd "$(dirname "$0")/.."
parts=${PARTS:-images variants feeds plugins}
runs=${RUNS:-5}
corpus=${TIDEWAITER_CORPUS:-$PWD/.bench/corpus}
has() { case " $parts " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
mkdir -p .bench
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o .bench/tidewaiter ./cmd/tidewaiter
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o .bench/floor ./bench/floor
CGO_ENABLED=0 go build -trimpath -o .bench/measure ./bench/measure
if has images || has variants; then
	if [ ! -d "$corpus/oci/debian-java" ]; then
		[ -x ../shared/corpus/build.sh ] || { echo "no corpus: set TIDEWAITER_CORPUS to a folder with oci/NAME layouts" >&2; exit 2; }
		../shared/corpus/build.sh "$corpus"
	fi
fi
if has images; then
	echo "== images, gzip layers"
	.bench/measure -runs "$runs" -corpus "$corpus" -tidewaiter .bench/tidewaiter -floor .bench/floor
fi
if has variants; then
	if command -v skopeo >/dev/null; then
		for image in debian-base debian-node debian-slim-python; do
			to=.bench/variants/oci/$image
			[ -d "$to-zstd" ] && continue
			mkdir -p .bench/variants/oci
			rm -rf .bench/plain
			skopeo copy -q --dest-decompress "oci:$corpus/oci/$image" dir:.bench/plain
			skopeo copy -q --dest-oci-accept-uncompressed-layers dir:.bench/plain "oci:$to-plain:latest"
			skopeo copy -q --dest-compress-format zstd --dest-compress-level 3 dir:.bench/plain "oci:$to-zstd:latest"
			rm -r .bench/plain
		done
		echo "== images, zstd and uncompressed layers"
		.bench/measure -runs "$runs" -corpus .bench/variants -tidewaiter .bench/tidewaiter -floor .bench/floor
	else
		echo "== zstd and uncompressed layers: SKIPPED, no skopeo to make them"
	fi
fi
if has feeds; then
	echo "== feeds"
	sh bench/feeds.sh
	go test -run '^$' -bench 'Increment|Open' -benchtime 5x ./internal/store
	go test -run '^$' -bench Scan -benchtime 10x ./internal/cli
fi
if has plugins; then
	echo "== plugins: one that wants nothing, one in Python with 100 files, 1,000 questions to a gate"
	go test -run '^$' -bench . -benchtime 20x ./internal/pluginhost
fi
