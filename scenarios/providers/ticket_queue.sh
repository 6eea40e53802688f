# ticket-queue: each ticket is a file $DATA/ID: "Subject: ...", "State: open", other such lines, a blank line, the text.
usage() {
  printf '%s\n' "$TITLE"
  line "$LIST [STATE]" "ids, states and subjects"
  line "$SHOW ID" "one ticket in full"
  line "$CLOSE ID [NOTE]" "close an open ticket"
  line "help [TOPIC]" "more about tickets"
}

topics() {
  printf '%s\n' notes states
}

topic() {
  case $1 in
    states) echo "A ticket is open, waiting or closed. Only open ones are to be worked on; waiting ones wait for others." ;;
    notes) echo "A note is kept in the ticket, as a line 'Note: ...'. Put it in quotes: '$self $CLOSE ID \"all well\"'." ;;
  esac
}

field() { # FILE NAME: the value of one line of a ticket's head
  sed -n -e '/^$/q' -e "s/^$2: *//p" "$1" 2>/dev/null
}

list() {
  for file in "$DATA"/*; do
    [ -f "$file" ] || continue
    if [ -r "$file" ]; then state=$(field "$file" State); else state=hidden; fi
    if [ -z "${1:-}" ] || [ "$1" = "$state" ]; then
      printf '%-8s %-8s %s\n' "${file##*/}" "$state" "$(field "$file" Subject)"
    fi
  done
}

ticket() { # the argument of a sub-command
  [ -n "${2:-}" ] || misused "$1 needs the id of a ticket"
  plain "$2" ticket
  [ -f "$DATA/$2" ] || fail "no ticket '$2'; '$self $LIST' shows them"
  [ -r "$DATA/$2" ] || fail "ticket $2 is not for you"
}

case $command in
  '' | -h | --help) usage ;;
  help) more "$@" ;;
  "$LIST") list "${1:-}" ;;
  "$SHOW")
    ticket "$SHOW" "${1:-}"
    cat "$DATA/$1"
    ;;
  "$CLOSE")
    ticket "$CLOSE" "${1:-}"
    [ "$(field "$DATA/$1" State)" = open ] || fail "ticket $1 is not open"
    [ -w "$DATA/$1" ] || fail "ticket $1 is not yours to close"
    text=$(NOTE=${2:-} awk '
      !done && $0 == "" { if (ENVIRON["NOTE"] != "") print "Note: " ENVIRON["NOTE"]; done = 1 }
      !done && /^State: / { $0 = "State: closed" }
      { print }' "$DATA/$1") || fail "ticket $1 cannot be read"
    printf '%s\n' "$text" > "$DATA/$1"
    echo "ticket $1 closed"
    ;;
  *) misused "unknown sub-command '$command'" ;;
esac
