# order-book: $DATA/orders holds the orders, each under a line "== NUMBER TITLE"; $DATA/signed holds "NUMBER NAME".
usage() {
  printf '%s\n' "$TITLE"
  line "$LIST" "numbers and titles; signed ones have a *"
  line "$READ NUMBER" "one order in full"
  line "$SIGN NUMBER NAME" "sign an order as carried out"
  line "help [TOPIC]" "more about the book"
}

topics() {
  printf '%s\n' numbers signing
}

topic() {
  case $1 in
    numbers) echo "Orders are numbered in the order of their arrival. A gap is an order that was withdrawn." ;;
    signing)
      echo "An order is signed once, by the name of who carried it out, with '$self $SIGN NUMBER NAME'."
      echo "The signature cannot be taken back. An order asks for it where it is wanted; most do without."
      ;;
  esac
}

known() { # NUMBER: the order is in the book
  [ -r "$DATA/orders" ] || fail "the book in $DATA cannot be read"
  grep -q -e "^== $1 " "$DATA/orders" 2>/dev/null || fail "no order '$1' in the book; '$self $LIST' shows them"
}

signed() {
  grep -q -e "^$1 " "$DATA/signed" 2>/dev/null
}

list() {
  [ -r "$DATA/orders" ] || fail "the book in $DATA cannot be read"
  sed -n 's/^== //p' "$DATA/orders" | while read -r number title; do
    if signed "$number"; then mark='*'; else mark=' '; fi
    printf '%s%4s  %s\n' "$mark" "$number" "$title"
  done
}

number() { # the argument of a sub-command
  [ -n "${2:-}" ] || misused "$1 needs the number of an order"
  case $2 in
    *[!0-9]*) misused "'$2' is no number" ;;
  esac
  known "$2"
}

case $command in
  '' | -h | --help) usage ;;
  help) more "$@" ;;
  "$LIST") list ;;
  "$READ")
    number "$READ" "${1:-}"
    awk -v wanted="$1" '/^== / { inside = ($2 == wanted) } inside { sub(/^== [0-9]+ /, ""); print }' "$DATA/orders"
    ;;
  "$SIGN")
    number "$SIGN" "${1:-}"
    [ -n "${2:-}" ] || misused "$SIGN needs a name after the number"
    signed "$1" && fail "order $1 is signed already"
    { printf '%s %s\n' "$1" "$2" >> "$DATA/signed"; } 2>/dev/null || fail "the book in $DATA is closed to you"
    printf 'order %s signed by %s\n' "$1" "$2"
    ;;
  *) misused "unknown sub-command '$command'" ;;
esac
