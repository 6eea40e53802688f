"""What each archetype of the shipped suites measures, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HELD_OUT: Mapping[str, str] = MappingProxyType(  # shown by no training bundle
    {
        "archive": (
            "Packing, unpacking and restoring with tar and gzip, what belongs into a pack and nothing "
            "else, and seeing that a pack is whole."
        ),
        "config": (
            "Changing a setting in its own syntax (plain, sections, JSON, a store with kinds) while "
            "everything around it stays."
        ),
        "ledger": (
            "Figures that must come out: sums, prices and quantities joined, checksums, equal records "
            "found, and an account that does not balance."
        ),
        "schedule": (
            "Reading and changing a timetable of programs: fields of time, weekdays, clashes, several tables made one."
        ),
        "symlinks": (
            "Seeing where symbolic links lead and repairing them: retarget, rebuild, make relative, "
            "tell the dead from the living."
        ),
        "translations": (
            "Keeping several language files in step by their keys: merge by a rule, find what is "
            "missing, leave the words alone."
        ),
        "users": (
            "Accounts from a table: homes with modes, groups, quotas, leavers, and requests that the "
            "table does not allow."
        ),
    }
)
SHARED: Mapping[str, str] = MappingProxyType(
    {
        "copy": (
            "Copying files and trees: the right ones, to the right place, with their modes, and not against a rule."
        ),
        "count": (
            "Counting lines, files and matches exactly as an instruction defines them, and not "
            "counting what is incomplete."
        ),
        "extract": "Taking the lines, columns or block that are asked for out of a larger text, unchanged.",
        "move": "Moving and renaming by name, date or content without losing or overwriting anything.",
        "note": "Writing a given or looked-up text to the place where it is wanted, in the form that is wanted.",
    }
)
TRAINED: Mapping[str, str] = MappingProxyType(  # in the training split alone
    {
        "access": "Permissions: private, shared, executable, read-only, and files that belong to another.",
        "cleanup": "Deleting what is named, by name or by kind, and nothing else.",
        "compare": "Which of two files or folders differs, where, and what is in one only.",
        "edit": "Changing words and lines of prose and lists in place.",
        "form": "Making files out of given texts, names, numbers and counters.",
        "order": "Sorting, joining and reversing lists.",
        "pieces": "Cutting files into parts, and putting parts together.",
        "queue": "Working through tickets, letters and orders by the sub-commands of a program.",
        "rename": "Renaming many files by a rule.",
        "repeats": "Lines and files that occur more than once, and how often.",
        "search": "Finding files by name, size, age and text.",
        "survey": "What is in a folder: names, sizes, owners, the largest and the longest.",
        "table": "Columns and rows: look up, select, swap, put side by side.",
        "tree": "Making directories and what belongs into them.",
    }
)


def archetypes() -> Mapping[str, str]:
    """What each archetype of both splits measures: its name, and one sentence."""
    return MappingProxyType({**HELD_OUT, **SHARED, **TRAINED})
