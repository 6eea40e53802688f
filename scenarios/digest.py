"""A scenario's identity: SHA-256 over its canonical content, wherever and however it is written down."""

from __future__ import annotations

import hashlib
import json

from scenarios.bundle import Scenario


def digest(scenario: Scenario, contents: tuple[bytes, ...]) -> str:
    """`sha256:…` of the parsed model and its files' bytes (`contents`, in the order of `scenario.files`).

    The same for any order of keys, comments, blank space, line ends of the TOML text and place on the
    disk, and for a file's content whether it is inline or a source. The text that is hashed is JSON with
    sorted keys and without blank space, in ASCII; each file's content is given by its own SHA-256.
    """
    data = scenario.model_dump(mode="json", exclude={"files"})
    data["files"] = [
        {"path": file.path, "mode": file.mode, "owner": file.owner, "sha256": hashlib.sha256(content).hexdigest()}
        for file, content in zip(scenario.files, contents, strict=True)
    ]
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(b"evalh-scenario-1\n" + canonical.encode()).hexdigest()
