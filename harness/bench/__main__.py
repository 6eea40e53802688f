"""`make bench`: the sandbox beside the docker command line, then the resident server beside itself without reuse."""

from __future__ import annotations

from harness.bench import sandbox, serve

if __name__ == "__main__":
    sandbox.main()
    serve.main()
