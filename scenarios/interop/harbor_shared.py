"""What both directions of Harbor say alike: the operator and the panic program of an exported image."""

from __future__ import annotations

import re
from typing import Final

SCHEMA: Final = "1.4"
VERIFIER_LOGS: Final = "/logs/verifier"
ENDING_JUDGED: Final = "ENDING_JUDGED"  # set for a verifier where somebody else judges how the session ended
PANIC_PATH: Final = "/usr/local/bin/panic"
PANIC_NOTE: Final = "/var/tmp/panic.note"  # noqa: S108 - in the image
SETUP_PATH: Final = "/tmp/setup.sh"  # noqa: S108 - in the image, while it is built

# Debian has a group named operator; worlds have made room already, so an import leaves this line out.
OPERATOR: Final = (
    "for file in passwd shadow group gshadow; do [ ! -e /etc/$file ] || sed -i '/^operator:/d' /etc/$file; done"
    " && echo 'operator:x:1000:1000:operator:/home/operator:/bin/sh' >> /etc/passwd"
    " && echo 'operator:x:1000:' >> /etc/group && mkdir -p /home/operator && chown 1000:1000 /home/operator"
)
PANIC: Final = f"""\
#!/bin/sh
# Says that the work cannot be done, and why; the verifier looks for the note.
printf 'panic: %s\\n' "$*" > {PANIC_NOTE}
printf 'noted: the work is handed to a human\\n'
"""

_SECRET = re.compile(r"(?i)(key|token|secret|passw|credential)")


def is_secret(name: str) -> bool:
    """Whether a variable's name says that its value is nobody's business."""
    return _SECRET.search(name) is not None
