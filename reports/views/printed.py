"""What rich lays out, as text: lines of a bounded width that carry escape sequences only where colour is wanted."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def printed(content: RenderableType, *, width: int, colour: bool) -> str:
    """The content as lines of at most `width` columns, without trailing blanks; markup in texts means nothing."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        color_system="standard" if colour else None,
        force_terminal=colour,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(content)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())
