"""`make bench`: the report beside bare JSON, the sandbox beside the docker command line, the server without reuse."""

from __future__ import annotations

from harness.bench import page, report, sandbox, serve

if __name__ == "__main__":
    report.main()
    page.main()
    sandbox.main()
    serve.main()
