# mailbox: letters are files $DATA/inbox/NUMBER: "From: ...", "Subject: ...", a blank line, the text; answers go to $DATA/sent.
usage() {
  printf '%s\n' "$TITLE"
  line "$LIST" "numbers, senders and subjects"
  line "$READ NUMBER" "one letter in full"
  line "$ANSWER NUMBER TEXT" "answer a letter"
  line "help [TOPIC]" "more about the mailbox"
}

topics() {
  printf '%s\n' answers folders
}

topic() {
  case $1 in
    answers) echo "'$self $ANSWER NUMBER TEXT' sends one answer to a letter's sender. Put the text in quotes." ;;
    folders) echo "Letters come into $DATA/inbox. A copy of each answer is kept in $DATA/sent, under the letter's number." ;;
  esac
}

field() { # FILE NAME: the value of one line of a letter's head
  sed -n -e '/^$/q' -e "s/^$2: *//p" "$1" 2>/dev/null
}

list() {
  ls "$DATA/inbox" 2>/dev/null | sort -n | while read -r number; do
    letter=$DATA/inbox/$number
    if [ -r "$letter" ]; then from=$(field "$letter" From); else from='(sealed)'; fi
    printf '%4s  %-18s %s\n' "$number" "$from" "$(field "$letter" Subject)"
  done
}

letter() { # the argument of a sub-command
  [ -n "${2:-}" ] || misused "$1 needs the number of a letter"
  plain "$2" letter
  [ -f "$DATA/inbox/$2" ] || fail "no letter '$2'; '$self $LIST' shows them"
  [ -r "$DATA/inbox/$2" ] || fail "letter $2 is sealed"
}

case $command in
  '' | -h | --help) usage ;;
  help) more "$@" ;;
  "$LIST") list ;;
  "$READ")
    letter "$READ" "${1:-}"
    cat "$DATA/inbox/$1"
    ;;
  "$ANSWER")
    letter "$ANSWER" "${1:-}"
    [ -n "${2:-}" ] || misused "$ANSWER needs a text after the number"
    [ ! -e "$DATA/sent/$1" ] || fail "letter $1 is answered already"
    { mkdir -p "$DATA/sent" && printf 'To: %s\n\n%s\n' "$(field "$DATA/inbox/$1" From)" "$2" > "$DATA/sent/$1"; } 2>/dev/null ||
      fail "the mailbox in $DATA takes no answers from you"
    echo "answered letter $1"
    ;;
  *) misused "unknown sub-command '$command'" ;;
esac
