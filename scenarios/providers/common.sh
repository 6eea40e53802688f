self=${0##*/}

fail() { # what went wrong: the request was well put, and cannot be met
  printf '%s\n' "$self: $*" >&2
  exit 1
}

misused() { # what is wrong with the request itself
  printf '%s\n' "$self: $*" >&2
  echo "Try '$self --help'." >&2
  exit 2
}

line() { # one sub-command and what it does
  printf '  %-28s %s\n' "$self $1" "$2"
}

plain() { # WORD WHAT: a word that may name a file in the folder of the records
  case $1 in
    '' | .* | help | *[!A-Za-z0-9._-]*) fail "no $2 '$1'" ;;
  esac
}

more() { # the second page: the topics, or one of them; a file in help/ comes before the page of that name
  if [ "$#" -eq 0 ]; then
    echo "Topics (read one with '$self help TOPIC'):"
    { topics; ls "$DATA/help" 2>/dev/null; } | sort -u | sed 's/^/  /'
    return
  fi
  case $1 in
    */* | .*) fail "no topic '$1'; '$self help' lists them" ;;
  esac
  if [ -f "$DATA/help/$1" ]; then
    cat "$DATA/help/$1"
  elif topics | grep -qx -e "$1"; then
    topic "$1"
  else
    fail "no topic '$1'; '$self help' lists them"
  fi
}

command=${1:-}
[ "$#" -eq 0 ] || shift
