# config-store: $DATA/values holds "KEY = VALUE" lines; $DATA/kinds may hold "KEY KIND [REST]", where KIND is
# text, word, number (REST: lowest highest), choice (REST: the words) or fixed (never to be set).
usage() {
  printf '%s\n' "$TITLE"
  line "$LIST [FIRST]" "the keys and their values"
  line "$GET KEY" "one value"
  line "$SET KEY VALUE" "change the value of a key"
  line "help [TOPIC]" "more about keys and kinds"
}

topics() {
  printf '%s\n' keys kinds
}

topic() {
  case $1 in
    keys) echo "Keys are words joined by dots. '$self $LIST FIRST' shows those that begin with FIRST. No key can be added." ;;
    kinds)
      echo "A key may have a kind, which '$self $SET' insists on:"
      if [ -s "$DATA/kinds" ]; then sed 's/^/  /' "$DATA/kinds"; else echo "  (no key here has one)"; fi
      ;;
  esac
}

values() {
  cat "$DATA/values" 2>/dev/null || fail "the store in $DATA cannot be read"
}

key() { # the argument of a sub-command
  [ -n "${2:-}" ] || misused "$1 needs a key"
  values | awk -v key="$2" '$1 == key { found = 1 } END { exit !found }' || fail "no key '$2'; '$self $LIST' shows them"
}

fits() { # KEY VALUE: the value is of the key's kind
  kind=$(awk -v key="$1" '$1 == key { sub(/^[^ ]+ +/, ""); print; exit }' "$DATA/kinds" 2>/dev/null)
  rest=${kind#* }
  case ${kind%% *} in
    number)
      case $2 in
        '' | *[!0-9]* | ??????????*) fail "$1 takes a whole number, not '$2'" ;;
      esac
      [ "$2" -ge "${rest% *}" ] && [ "$2" -le "${rest#* }" ] || fail "$1 takes a number from ${rest% *} to ${rest#* }, not $2"
      ;;
    word)
      case $2 in
        '' | *[!A-Za-z0-9_-]*) fail "$1 takes one word, not '$2'" ;;
      esac
      ;;
    choice)
      case " $rest " in
        *" $2 "*) ;;
        *) fail "$1 takes one of: $rest" ;;
      esac
      ;;
    fixed) fail "$1 is fixed" ;;
  esac
}

case $command in
  '' | -h | --help) usage ;;
  help) more "$@" ;;
  "$LIST") values | awk -v prefix="${1:-}" 'index($0, prefix) == 1' ;;
  "$GET")
    key "$GET" "${1:-}"
    values | awk -v key="$1" '$1 == key { sub(/^[^ ]+ += ?/, ""); print; exit }'
    ;;
  "$SET")
    key "$SET" "${1:-}"
    [ "$#" -ge 2 ] || misused "$SET needs a value after the key"
    [ "$#" -eq 2 ] || misused "a value of several words must stand in quotes"
    fits "$1" "$2"
    [ -w "$DATA/values" ] || fail "the store in $DATA is read-only"
    text=$(VALUE=$2 awk -v key="$1" '$1 == key { $0 = key " = " ENVIRON["VALUE"] } { print }' "$DATA/values")
    printf '%s\n' "$text" > "$DATA/values"
    printf '%s = %s\n' "$1" "$2"
    ;;
  *) misused "unknown sub-command '$command'" ;;
esac
