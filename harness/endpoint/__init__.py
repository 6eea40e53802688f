"""The endpoint room: the chat-completions client, and the servers that evalh brings along.

The servers themselves (`resident`, `scripted`) are imported where they are started: they need the
packages of evalh[serve].
"""

from harness.endpoint.adapter import AdapterInfo, check_adapter_fits, read_adapter
from harness.endpoint.capabilities import Capabilities
from harness.endpoint.client import OpenAIEndpoint
from harness.endpoint.managed import resident_server

__all__ = [
    "AdapterInfo",
    "Capabilities",
    "OpenAIEndpoint",
    "check_adapter_fits",
    "read_adapter",
    "resident_server",
]
