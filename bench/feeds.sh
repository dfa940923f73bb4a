#!/bin/sh
# Imports a folder of feeds as their publishers publish them, whole, into a
# fresh database, and says what that costs. FEEDS names the folder.
set -eu
cd "$(dirname "$0")/.."
f=${FEEDS:-../shared/data/feeds}
tool=${TIDEWAITER:-.bench/tidewaiter}
data=${DATA:-$(mktemp -d)}
alpine=$(mktemp -d)
for d in "$f"/alpine-secdb/v*; do cp -r "$d" "$alpine/"; done
set -- debian="$f/debian/security-tracker.json.gz" debian-dsa="$f/debian/tracker-lists" ubuntu="$f/ubuntu/ubuntu-cve-tracker-2019-12-29.tar.gz" \
	alpine="$alpine" wolfi="$f/wolfi/security.json" nvd="$f/nvd" nvd-overrides="$f/nvd/nvd-data-overrides-2026-08-21.jsonl.gz" \
	kev="$f/kev/known_exploited_vulnerabilities.json" epss="$f/epss/epss_scores-2026-05-17.csv.gz" eol="$f/eol" \
	rubysec="$f/rubysec/ruby-advisory-db.zip" friendsofphp="$f/friendsofphp/security-advisories.zip" nodejs-security-wg="$f/nodejs-security-wg/vuln.zip" \
	elixir="$f/elixir/elixir-security-advisories.zip" retirejs="$f/retirejs" azurelinux="$f/azurelinux/azurelinux-3.0-oval.xml.gz" mariner="$f/azurelinux/cbl-mariner-2.0-oval.xml.gz"
for e in Go:go AlmaLinux:almalinux crates.io:crates.io PyPI:pypi RubyGems:rubygems npm:npm Maven:maven NuGet:nuget Wolfi:wolfi Debian:debian Bitnami:bitnami \
	CleanStart:cleanstart Julia:julia Hackage:hackage opam:opam CRAN:cran Packagist-drupal:drupal PSF:psf Homebrew:homebrew Kubernetes:kubernetes; do
	set -- "$@" "osv-${e#*:}=$f/osv/${e%:*}/all.zip"
done
/usr/bin/time -f '%e s wall, %U s user, %M KiB peak' "$tool" feed import --data-dir "$data" "$@"
ls -l "$data/tidewaiter.db" | awk '{printf "database: %.0f MB\n", $5 / 1e6}'
/usr/bin/time -f 'export, full: %e s wall, %U s user, %M KiB peak' "$tool" feed export --data-dir "$data" "$data/full.twx"
ls -l "$data/full.twx" | awk '{printf "export, full: %.1f MB\n", $5 / 1e6}'
rm -rf "$alpine"
