#!/bin/sh
# Brings a Debian machine to where evalh can make containers; says what it installs, and why. Idempotent.
set -eu

say() { printf 'evalh: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }
engine_answers() { have docker && docker version >/dev/null 2>&1; }

want=""
need() { # PACKAGE PROGRAM REASON
    if ! have "$2"; then
        say "needs $1: $3"
        want="$want $1"
    fi
}

if ! have python3; then
    say "needs python3: evalh is written in it"
    want="$want python3 python3-venv"
elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    say "needs python3-venv: evalh lives in a virtual environment of its own"
    want="$want python3-venv"
fi

if [ "$(id -u)" = 0 ]; then
    need crun crun "starts containers without a daemon, about five times as fast as Docker"
    need mmdebstrap mmdebstrap "makes the sandbox's root filesystem from Debian's packages, where no image registry answers"
elif ! engine_answers; then
    say "no Docker engine answers, and without root the daemonless engine cannot serve"
    say "start Docker and give this user access to it, or run as root"
    exit 40
fi

if [ -n "$want" ]; then
    if [ "$(id -u)" != 0 ] || ! have apt-get; then
        say "please install:$want"
        exit 40
    fi
    say "installing:$want"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    apt-get install -y -qq --no-install-recommends $want >/dev/null
fi
