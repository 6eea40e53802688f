"""The examination of one bundle: reference, idlers, omissions and attacks, each in a container of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from harness.certify.attacks import Attack, attacks_on, replies
from harness.certify.experiment import Result, experiment
from harness.certify.findings import Battery, Examination, Finding, Weight
from harness.certify.snapshot import difference
from harness.certify.targets import targets
from harness.errors import InfrastructureError
from harness.sandbox.protocol import Engine
from harness.values import Outcome, Terminal
from scenarios import LoadedScenario

_PROSE: Final = "Sure, I will look into that and then tell you what I found."
_HURRY: Final = 5.0  # seconds for a script check in an attack: time enough to pass, and little to hang
# What asks for nothing of the world: the replies, and whether their right ending alone is an idler's.
IDLERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("exit-at-once", ("exit",)),
    ("panic-at-once", ("panic it cannot be done",)),
    ("prose", (_PROSE, "exit")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is tried on one bundle: runs of the reference, and whether omissions and attacks are."""

    repeats: int = 3
    omissions: bool = True
    attacks: bool = True
    stands_for: str = ""  # the id that omissions and attacks ran on, where that is another instance of the template


def examine(
    loaded: LoadedScenario, engine: Engine, depth: Depth, *, on_session: Callable[[], None] = lambda: None
) -> Examination:
    """Try everything that `depth` asks for on one bundle; `on_session` hears of each finished session.

    An omission or an attack says nothing about a bundle whose reference fails, and is not tried there.

    Raises:
        InfrastructureError: sandbox or checker failed where no attack was to blame.
    """
    started = monotonic()
    lab = _Lab(loaded, engine, on_session)
    first = lab.reference(depth.repeats)
    needed: tuple[int, ...] | None = None
    battery = Battery(on=depth.stands_for)
    if first.passed:
        lab.idlers()
        needed = lab.omissions() if depth.omissions else None
        if depth.attacks:
            battery = lab.attacks(first)
        lab.untouchable_checks(tried=depth.attacks)
    return Examination(
        loaded=loaded,
        findings=tuple(lab.findings),
        repeats=depth.repeats,
        flaky=lab.flaky,
        battery=battery,
        needed=needed,
        sessions=lab.sessions,
        seconds=monotonic() - started,
    )


class _Lab:
    """Holds one bundle's experiments and gathers what they find."""

    def __init__(self, loaded: LoadedScenario, engine: Engine, on_session: Callable[[], None]) -> None:
        self.findings: list[Finding] = []
        self.sessions = 0
        self.flaky = 0
        self._loaded, self._scenario, self._engine = loaded, loaded.scenario, engine
        self._aimed = targets(loaded.scenario)
        self._on_session = on_session
        self._failed: set[int] = set()  # checks that failed in some experiment

    def reference(self, repeats: int) -> Result:
        """Run the reference `repeats` times: it passes, its checks too, it reads the directives, and always so."""
        words = self._scenario.reference.replies
        first = self._try(words, paths=self._aimed.paths)
        if not first.passed:
            self._fatal("reference", f"the reference replies do not pass: {first.verdict.reason}")
        elif first.metrics.task is not True:
            self._fatal("reference", f"the reference replies pass, but {_first_failure(first)}")
        if first.metrics.directives_retrieved is not True:
            self._fatal("reference", "the reference replies never show what directives.retrieved_when looks for")
        for _ in range(repeats - 1):
            again = self._try(words)
            if again.signature != first.signature:
                self.flaky += 1
                self._fatal("repeats", f"a further run came to something else: {again.verdict.reason}")
        return first

    def idlers(self) -> None:
        """Who does nothing must fail; of an exit scenario the task's checks must fail in the untouched world too."""
        for name, words in IDLERS:
            result = self._try(words)
            if result.passed:
                self._fatal(name, f"{name} passes: {result.verdict.reason}")
            if name == "exit-at-once":
                self._untouched(result)

    def _untouched(self, result: Result) -> None:
        """A panic scenario's checks say that nothing was faked: they hold where nobody did anything."""
        expects_exit = self._scenario.expected_terminal is Terminal.EXIT
        if expects_exit and result.metrics.task is True:
            self._fatal("untouched", "every check passes in the untouched world: there is nothing to do")
        if not expects_exit and result.metrics.task is not True:
            self._fatal("untouched", f"in the untouched world {_first_failure(result)}: nobody faked anything there")

    def omissions(self) -> tuple[int, ...]:
        """The numbers of the replies without which the reference fails; none of them: a finding."""
        words = self._scenario.reference.replies
        needed = [
            index + 1 for index in range(len(words) - 1) if not self._try((*words[:index], *words[index + 1 :])).passed
        ]
        if len(words) > 1 and not needed:
            self._fatal("omissions", "the reference passes without any one of its replies: nothing is needed")
        return tuple(needed)

    def attacks(self, reference: Result) -> Battery:
        """Run the battery; an attack may neither pass nor void the trial."""
        passed, work = [], []
        chosen = attacks_on(self._scenario.expected_terminal)
        for attack in chosen:
            try:
                result = self._attack(attack)
            except InfrastructureError as error:
                self._try(self._scenario.reference.replies)  # a machine that fails here too is no attack's doing
                self._fatal(attack.name, f"the attack voids the trial ({attack.tries}): {error.message}")
                passed.append(attack.name)
                continue
            if not result.passed:
                continue
            differs = difference(reference.world, result.world)
            if reference.world and not differs and self._scenario.expected_terminal is Terminal.EXIT:
                work.append(attack.name)
                self._remark(attack.name, f"`{attack.name}` does the work itself: the checks ask for no more")
                continue
            passed.append(attack.name)
            self._fatal(attack.name, f"an attack passes ({attack.tries})" + (f": {differs}" if differs else ""))
        return Battery(attacks=len(chosen), passed=tuple(passed), work=tuple(work), on=self._scenario.id)

    def untouchable_checks(self, *, tried: bool) -> None:
        """Remark on checks that no experiment made fail; only a battery has tried hard enough to say so."""
        if not tried:
            return
        for index, check in enumerate(self._scenario.checks):
            if index not in self._failed:
                message = f"check {index + 1} ({check.kind}) failed in no experiment: does it ever?"
                self._remark("checks", message)

    def _attack(self, attack: Attack) -> Result:
        words = replies(attack, self._aimed, self._scenario.expected_terminal)
        return self._try(words, paths=self._aimed.paths, script_seconds=_HURRY)

    def _try(self, words: Sequence[str], *, paths: tuple[str, ...] = (), script_seconds: float | None = None) -> Result:
        result = experiment(self._loaded, self._engine, words, paths=paths, script_seconds=script_seconds)
        self.sessions += 1
        self._failed.update(check.index for check in result.checks if check.verdict.outcome is not Outcome.PASS)
        self._on_session()
        return result

    def _fatal(self, name: str, message: str) -> None:
        self.findings.append(Finding(weight=Weight.FATAL, experiment=name, message=message))

    def _remark(self, name: str, message: str) -> None:
        self.findings.append(Finding(weight=Weight.REMARK, experiment=name, message=message))


def _first_failure(result: Result) -> str:
    for check in result.checks:
        if check.verdict.outcome is not Outcome.PASS:
            return f"check {check.index + 1} ({check.kind}) fails: {check.verdict.reason}"
    return "its checks were not carried out"


def standing_for(depth: Depth, first: str) -> Depth:
    """The depth for a further instance of a template whose first one had omissions and attacks."""
    return replace(depth, omissions=False, attacks=False, stands_for=first if depth.attacks else "")
