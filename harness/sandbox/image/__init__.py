"""The sandbox image: built as a root filesystem without a daemon, or by Docker, with the same content.

What talks to Docker is in `image.dockerized` and `image.build`, which are imported where they are needed.
"""

from harness.sandbox.image.base import build_base
from harness.sandbox.image.content import Item, content_listing, digest_of
from harness.sandbox.image.daemonless import Image, build_rootfs, current_image
from harness.sandbox.image.tree import inputs_digest

__all__ = [
    "Image",
    "Item",
    "build_base",
    "build_rootfs",
    "content_listing",
    "current_image",
    "digest_of",
    "inputs_digest",
]
