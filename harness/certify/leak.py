"""How much of a held-out scenario was seen in training: exact and near overlap of texts, and of command sequences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from harness.certify.learned import Lesson
from harness.certify.shapes import shape
from scenarios import LoadedScenario

GRAM: Final = 8  # words of an exact overlap
SHINGLE: Final = 5  # words of a near one
_WORD: Final = re.compile(r"[^\W_]+")
_PARTICULAR: Final = re.compile(r"[./]|\d|\w{4,} .*\w{4,}")  # a line that could not be meant for any world


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a held-out scenario may at most have in common with training; each a share from 0 to 1."""

    grams: float = 0.05
    near: float = 0.2
    replies: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """One held-out scenario beside everything that was trained on.

    `grams`: the share of its directives' runs of 8 words that training shows. `near`: the largest Jaccard index of
    runs of 5 words with any one training text, `near_to` where. `replies`: the share of its reference's particular
    lines that were learned to the letter. `shapes`: how many lessons have the same canonical command sequence, which
    kin in skill have by right: told, not judged.
    """

    scenario: str
    archetype: str
    grams: float
    example: str  # a run of words that is shared, or ""
    near: float
    near_to: str
    replies: float
    shapes: int

    def over(self, limits: Limits) -> tuple[str, ...]:
        """The names of the limits that it is over."""
        return tuple(name for name in ("grams", "near", "replies") if getattr(self, name) > getattr(limits, name))


class Seen:
    """Everything that was trained on, made ready to be compared with."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self._grams: set[tuple[str, ...]] = set()
        self._shingles: dict[tuple[str, ...], list[int]] = {}
        self._sizes: list[int] = []
        self._names: list[str] = []
        self._lines = {line.strip() for lesson in lessons for reply in lesson.replies for line in reply.split("\n")}
        self._shapes = Counter(shape(lesson.replies) for lesson in lessons)
        known: set[str] = set()
        for lesson in lessons:
            for text in lesson.texts:
                if text not in known:
                    known.add(text)
                    self._take(text, lesson.name)

    def _take(self, text: str, name: str) -> None:
        words = _words(text)
        self._grams.update(_runs(words, GRAM))
        runs = set(_runs(words, SHINGLE))
        for run in runs:
            self._shingles.setdefault(run, []).append(len(self._sizes))
        self._sizes.append(len(runs))
        self._names.append(name)

    def overlap(self, loaded: LoadedScenario) -> Overlap:
        """What the scenario has in common with training."""
        scenario = loaded.scenario
        texts = directive_texts(loaded)
        grams = [run for text in texts for run in _runs(_words(text), GRAM)]
        shared = [run for run in grams if run in self._grams]
        near, near_to = max((self._near(text) for text in texts), default=(0.0, ""))
        lines = [line.strip() for reply in scenario.reference.replies for line in reply.split("\n")]
        particular = [line for line in lines if _PARTICULAR.search(line)]
        learned = [line for line in particular if line in self._lines]
        return Overlap(
            scenario=scenario.id,
            archetype=scenario.archetype,
            grams=len(shared) / len(grams) if grams else 0.0,
            example=" ".join(shared[0]) if shared else "",
            near=near,
            near_to=near_to,
            replies=len(learned) / len(particular) if particular else 0.0,
            shapes=self._shapes[shape(scenario.reference.replies)],
        )

    def _near(self, text: str) -> tuple[float, str]:
        runs = set(_runs(_words(text), SHINGLE))
        hits = Counter(place for run in runs for place in self._shingles.get(run, ()))
        scores = (
            (count / (len(runs) + self._sizes[place] - count), self._names[place]) for place, count in hits.items()
        )
        return max(scores, default=(0.0, ""))


def overlaps(held_out: Iterable[LoadedScenario], lessons: Sequence[Lesson]) -> tuple[Overlap, ...]:
    """Every held-out scenario beside the lessons, in the order given."""
    seen = Seen(lessons)
    return tuple(seen.overlap(item) for item in held_out)


def directive_texts(loaded: LoadedScenario) -> tuple[str, ...]:
    """The texts of a bundle in which its directives are found; all its files where none shows them."""
    pattern = re.compile(loaded.scenario.directives.retrieved_when)
    landing = loaded.scenario.landing
    files = [file.content.decode(errors="replace") for file in loaded.files]
    texts = [*files, loaded.scenario.setup.script, landing.motd, landing.banner]
    return tuple(text for text in texts if pattern.search(text)) or tuple(files)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]
