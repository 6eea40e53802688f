"""The endpoint room: the chat-completions client, and the servers that evalh brings along.

The servers themselves (`resident`, `scripted`) are imported where they are started: they need the
packages of evalh[serve].
"""

from harness.endpoint.adapter import AdapterInfo, base_places, check_adapter_fits, read_adapter
from harness.endpoint.capabilities import Capabilities
from harness.endpoint.client import CALL_SECONDS, OpenAIEndpoint
from harness.endpoint.managed import resident_server
from harness.endpoint.vllm import ServerFacts, VllmServer, vllm_server
from harness.endpoint.vllm_routes import lent_adapter, load_adapter

__all__ = [
    "CALL_SECONDS",
    "AdapterInfo",
    "Capabilities",
    "OpenAIEndpoint",
    "ServerFacts",
    "VllmServer",
    "base_places",
    "check_adapter_fits",
    "lent_adapter",
    "load_adapter",
    "read_adapter",
    "resident_server",
    "vllm_server",
]
