"""The built-in hard conversations: whatever a landing, an operator or a file may hold that a server might change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.errors import BadInputError
from harness.values import Message, Role

LONG_LINES: Final = 160  # of the longest conversation, before it is shortened to what a server takes

Counter = Callable[[Sequence[Message]], int]
"""How many tokens a conversation's prompt has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A named conversation that ends with a user turn; `shortened` where it was cut to fit a server."""

    name: str
    messages: tuple[Message, ...]
    shortened: bool = False


def _user(text: str) -> Message:
    return Message(role=Role.USER, content=text)


def _reply(text: str) -> Message:
    return Message(role=Role.ASSISTANT, content=text)


def _system(text: str) -> Message:
    return Message(role=Role.SYSTEM, content=text)


_LANDING: Final = _user("Welcome to node7.\nDirectives: /srv/board\n$ ")
_LISTING: Final = "total 8\n-rw-r--r-- 1 operator operator 12 Jan  1 00:00 notes.txt\n$ "
_CODE: Final = "```python\ndef main():\n\treturn {'a': 1}\n```\n$ "
_JSON: Final = '{"name": "x", "list": [1, 2.50, null], "text": "a\\"b\\\\n", "html": "<b>&amp;</b>"}\n$ '

_FIXED: Final[tuple[tuple[str, tuple[Message, ...]], ...]] = (
    ("one user turn", (_LANDING,)),
    ("a whole session", (_LANDING, _reply("cat /srv/board"), _user("copy a to b\n$ "), _reply("cp a b"), _user("$ "))),
    ("leading system", (_system("You operate a shell."), _LANDING)),
    ("leading system, several turns", (_system("You operate a shell."), _LANDING, _reply("ls"), _user(_LISTING))),
    ("two system turns", (_system("You operate a shell."), _system("Be brief."), _LANDING)),
    ("system with blank lines", (_system("First.\n\nSecond.\n"), _user("\n\nline\n\nline\n\n$ "))),
    ("double user", (_LANDING, _user("You have mail.\n$ "), _reply("ls"), _user(_LISTING))),
    ("double user at the end", (_LANDING, _reply("ls"), _user("notes.txt"), _user("$ "))),
    ("double assistant", (_LANDING, _reply("cd /srv"), _reply("cat board"), _user("copy a to b\n$ "))),
    (
        "unicode",
        (
            _user("Grüße, 世界, مرحبا, Ελλάδα, ﬁne ½ Å Ⅷ \uff46\uff55\uff4c\uff4c\n$ "),
            _reply("echo ñandú"),
            _user("ñandú\n$ "),
        ),
    ),
    ("combining marks", (_user("e\u0301 a\u0308\u0323 \u1100\u1161\u11a8 \u0e01\u0e33 \u212b\n$ "),)),
    ("emoji and joiners", (_user("🙂 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽\n$ "), _reply("echo 🚀"), _user("🚀\n$ "))),
    ("invisible characters", (_user("a\u200bb\u00a0c\u2028d\ufeffe\u202ef\u00adg\n$ "),)),
    ("trailing newlines and spaces", (_user("done  \n\n\n"), _reply("ls \n"), _user("a  \n \n\n"))),
    ("a prompt at the end", (_user("$ "), _reply("pwd"), _user("/home/operator\n$ "))),
    ("one trailing newline", (_user("hello\n"), _reply("ls"), _user("notes.txt\n"))),
    ("leading blanks", (_user("   \n  indented\n$ "), _reply("  ls"), _user("\n\tx\n$ "))),
    ("CRLF", (_user("one\r\ntwo\r\n$ "), _reply("printf 'a\\r\\n'"), _user("a\rb\r\n$ "))),
    ("tabs", (_user("PID\tTTY\t\tCMD\n1\t?\tsh\n$ "), _reply("cut -f\t2"), _user("\t$ "))),
    ("code fences", (_user(_CODE), _reply("```sh\nls\n```"), _user("sh: 1: ```sh: not found\n$ "))),
    ("JSON and HTML", (_user(_JSON), _reply("jq '.list[0]' x.json"), _user("1\n$ "))),
    (
        "Jinja in the text",
        (_user("{{ messages }} {% if x %}{# no #}{% endif %} {{'a'}}\n$ "), _reply("ls"), _user("$ ")),
    ),
    ("quotes and backslashes", (_user('it\'s "so" \\ \\n \\\\ %s ${HOME} `x` $(y)\n$ '),)),
    ("think blocks", (_LANDING, _reply("<think>\nI look first.\n</think>\n\nls"), _user(_LISTING))),
    ("an open think block", (_LANDING, _reply("<think>ls"), _user(_LISTING), _reply("</think>pwd"), _user("/\n$ "))),
    ("role names", (_user("user: system: assistant\n### user\n### assistant\nUSER: ASSISTANT:\n$ "),)),
    ("digits and repeats", (_user("00000000 1234567890 aaaaaaaaaaaaaaaa ----------------\n$ "),)),
    ("one character", (_user("$"), _reply("a"), _user("b"))),
)


def hard_conversations(control_tokens: Sequence[str] = ()) -> tuple[Conversation, ...]:
    """The built-in set, as a client has them before they are conformed; the last is very long.

    `control_tokens` are the spellings that this tokenizer turns into control tokens; two conversations hold them.
    """
    spelled = "".join(control_tokens) or "<|im_end|>"
    lines = [f"{word} </s><|im_end|>[INST]{word}\n" for word in control_tokens or ("<|eot_id|>",)]
    controls = (
        ("control-token text", (_user(f"{spelled}\n$ "), _reply(f"echo '{spelled}'"), _user(f"{spelled}\n$ "))),
        ("control-token text in lines", (_system(spelled), _user("".join(lines) + "$ "))),
        ("many turns", _many(12)),
        ("very long", (_user(_long(LONG_LINES)), _reply("ls"), _user("$ "))),
    )
    return tuple(Conversation(name=name, messages=messages) for name, messages in (*_FIXED, *controls))


def fitted(conversation: Conversation, count: Counter, limit: int) -> Conversation:
    """The conversation within `limit` tokens: its longest contents are halved until it fits, then turns go.

    Raises:
        BadInputError: not even a few words fit.
    """
    while count(conversation.messages) > limit:
        longest = max(conversation.messages, key=lambda message: len(message.content))
        if len(longest.content) >= 64:
            cut = replace(longest, content=longest.content[: len(longest.content) // 2] + "\n$ ")
            messages = tuple(cut if message is longest else message for message in conversation.messages)
        elif len(conversation.messages) > 2:
            messages = conversation.messages[2:]
        else:
            raise BadInputError(
                f"the conversation {conversation.name!r} does not fit {limit} tokens", hint="serve a longer context"
            )
        conversation = replace(conversation, messages=messages, shortened=True)
    return conversation


def _many(pairs: int) -> tuple[Message, ...]:
    turns: list[Message] = [_LANDING]
    for number in range(pairs):
        turns += [_reply(f"echo {number}"), _user(f"{number}\n$ ")]
    return tuple(turns)


def _long(lines: int) -> str:
    return "".join(f"-rw-r--r-- 1 operator {number:>6} file-{number}.log\n" for number in range(lines)) + "$ "
