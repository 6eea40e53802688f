"""A harness in small: opens sandboxes in threads, says so, and waits to be killed. Arguments: ENGINE COUNT."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from harness.sandbox.protocol import SandboxSpec
from harness.sandbox.select import kind


def interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def main(name: str, count: int) -> None:
    engine = kind(name).make()
    try:
        print(engine.owner, flush=True)  # type: ignore[attr-defined] # both engines have it
        with ExitStack() as stack:

            def start(number: int) -> None:
                stack.enter_context(engine.open(SandboxSpec(trial=f"child-{number}", setup="sleep 0.05")))
                sys.stdout.write("open\n")
                sys.stdout.flush()

            threads = [threading.Thread(target=start, args=(number,), daemon=True) for number in range(count)]
            for thread in threads:
                thread.start()
            signal.pause()
    finally:
        engine.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
