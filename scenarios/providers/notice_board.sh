# notice-board: each notice is a file $DATA/NAME, its first line the title.
usage() {
  printf '%s\n' "$TITLE"
  line "$LIST" "names and titles"
  line "$READ NAME" "one notice in full"
  line "$FIND WORD" "the notices that contain a word"
  line "help [TOPIC]" "more about the board"
}

topics() {
  printf '%s\n' finding names
}

topic() {
  case $1 in
    finding) echo "'$self $FIND WORD' looks in titles and texts, for small and capital letters alike." ;;
    names) echo "A notice is read by its name, the first column of '$self $LIST', not by its title." ;;
  esac
}

list() { # names of notices on standard input
  while read -r name; do
    [ ! -f "$DATA/$name" ] || printf '%-14s %s\n' "$name" "$(head -n 1 "$DATA/$name")"
  done
}

case $command in
  '' | -h | --help) usage ;;
  help) more "$@" ;;
  "$LIST") ls "$DATA" 2>/dev/null | list ;;
  "$READ")
    [ -n "${1:-}" ] || misused "$READ needs the name of a notice"
    plain "$1" notice
    [ -f "$DATA/$1" ] || fail "no notice '$1'; '$self $LIST' shows them"
    [ -r "$DATA/$1" ] || fail "notice $1 is covered up"
    cat "$DATA/$1"
    ;;
  "$FIND")
    [ -n "${1:-}" ] || misused "$FIND needs a word"
    found=$(cd "$DATA" 2>/dev/null && grep -lisF -e "$1" -- * 2>/dev/null)
    [ -n "$found" ] || fail "no notice contains '$1'"
    printf '%s\n' "$found" | list
    ;;
  *) misused "unknown sub-command '$command'" ;;
esac
