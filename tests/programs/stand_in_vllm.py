#!/usr/bin/env python3
"""Takes `vllm serve`'s arguments and answers its small routes; STAND_IN (JSON) says in what it strays."""

from __future__ import annotations

import argparse
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STRAYS = json.loads(os.environ.get("STAND_IN", "{}"))


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("serve")
    parser.add_argument("base")
    parser.add_argument("--served-model-name")
    parser.add_argument("--lora-modules", nargs="*", default=[])
    parser.add_argument("--dtype")
    parser.add_argument("--port", type=int)
    parser.add_argument("--max-model-len", type=int, default=2048)
    given, _ = parser.parse_known_args()
    print(f"(APIServer pid=1) INFO 11-21 07:11:36 [api_utils.py:286] non-default args: {sys.argv[1:]}", flush=True)
    if "dies" in STRAYS:
        print(STRAYS["dies"], flush=True)
        return 1
    engine = f"model='x', dtype=torch.{STRAYS.get('dtype', given.dtype)}, max_seq_len={given.max_model_len}, seed=0"
    print(
        f"(EngineCore pid=9) INFO 11-21 07:11:55 [core.py:133] Initializing a V1 LLM engine (v0) with config: {engine}"
    )
    sys.stdout.flush()
    cards = [{"id": given.served_model_name, "root": given.base, "parent": None, "max_model_len": given.max_model_len}]
    cards += [
        {"id": module["name"], "root": module["path"], "parent": given.served_model_name}
        for module in map(json.loads, given.lora_modules)
    ]
    cards = [{**card, **STRAYS.get("cards", {}).get(card["id"], {})} for card in cards]
    routes = {
        "/health": {},
        "/version": {"version": STRAYS.get("version", "0.32.0")},
        "/v1/models": {
            "data": [{**card, "max_model_len": STRAYS.get("length", card.get("max_model_len"))} for card in cards]
        },
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in routes else 404)
            self.end_headers()
            self.wfile.write(json.dumps(routes.get(self.path, {})).encode())

    ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
