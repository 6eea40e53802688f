"""What a server's own list of models says of the two arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.endpoint import OpenAIEndpoint
from harness.endpoint.probe import Card
from harness.errors import ArmsError

HINT = "see the server's /v1/models; give the base's name to the base arm and the adapter's to the tuned one"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsFinding:
    """Whether the tuned arm is listed as an adapter of the base."""

    contradicts: bool  # the list says that the arms are something else
    proven: bool  # it says that they are what they should be
    verdict: str


def check_cards(endpoint: OpenAIEndpoint, *, base: str, tuned: str) -> CardsFinding:
    """Read the server's list of models.

    Raises:
        ArmsError: by the list, the arms are not a base and its adapter. EndpointError: no answer.
    """
    found = judge_cards(endpoint.cards(), base=base, tuned=tuned)
    if found.contradicts:
        raise ArmsError(found.verdict, hint=HINT)
    return found


def judge_cards(cards: Sequence[Card] | None, *, base: str, tuned: str) -> CardsFinding:
    """What a list of models says; `parent` and `root` are vLLM's words, a server without them proves nothing."""
    known = {card.name: card for card in cards or ()}
    below, above = known.get(base), known.get(tuned)
    if below is None or above is None:
        return _unproven("the server lists no models: which arm is which is not proven by it")
    if below.parent is not None:
        swapped = above.parent is None and below.parent in {tuned, above.root}
        what = "the arms are swapped" if swapped else f"the base arm {base} is no base"
        return _contradiction(f"{what}: the server lists {base} as an adapter of {below.parent}")
    if above.parent is None:
        return _unproven(f"the server does not say that {tuned} is an adapter of {base}")
    parent = known.get(above.parent)
    if above.parent in {base, below.root} or (parent is not None and parent.root and parent.root == below.root):
        return CardsFinding(contradicts=False, proven=True, verdict=f"the server lists {tuned} as an adapter of {base}")
    if parent is None:
        return _unproven(f"the server lists {tuned} as an adapter of {above.parent}, which may be {base} or not")
    return _contradiction(f"the tuned arm {tuned} is listed as an adapter of {above.parent}, not of {base}")


def _unproven(verdict: str) -> CardsFinding:
    return CardsFinding(contradicts=False, proven=False, verdict=verdict)


def _contradiction(verdict: str) -> CardsFinding:
    return CardsFinding(contradicts=True, proven=False, verdict=verdict)
