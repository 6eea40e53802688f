"""The LoRA adapters on the base: loaded and unloaded by peft, and each row of a batch sent through its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModelForCausalLM
from peft.tuners.lora import LoraLayer
from peft.utils.other import AuxiliaryTrainingWrapper

from harness.errors import BadInputError

BASE = "__base__"  # peft's own word for a row without an adapter


class Adapters:
    """The base model and what peft put on it; used by one thread only."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self._device = device
        self._peft: Any = None
        self._keys = count()
        self._loaded: dict[str, bool] = {}  # key: whether it can share a batch with others
        self._hooks: list[Any] = []
        self._replaced: list[Any] = []  # modules that an adapter brings whole, wrapped with the base's own
        self._names: list[str] | None = None  # of the forward pass that runs

    def load(self, directory: Path) -> str:
        """Load an adapter; the key that rows name it by, never used twice.

        Raises:
            BadInputError: peft refuses it, or not every tensor found its place.
        """
        key = f"a{next(self._keys)}"
        before = self._look(BASE)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of peft, about names that transformers renames
                result = self._inject(directory, key)
            self._check(directory, key, result)
            self._peft.eval()
            self._loaded[key] = False
            self._hook()
            if not torch.equal(before, self._look(BASE)):
                raise BadInputError(f"the adapter {directory} changes the base itself: both cannot be served")
            self._loaded[key] = self._can_mix(key)
        except Exception as error:
            self._loaded.pop(key, None)
            self._discard(key)
            self._hook()
            if isinstance(error, BadInputError | torch.OutOfMemoryError | MemoryError):
                raise
            first_line = str(error).partition("\n")[0]
            raise BadInputError(f"the adapter {directory} cannot be served: {first_line}") from error
        return key

    def unload(self, key: str) -> None:
        """Remove an adapter and free its weights."""
        self._loaded.pop(key)
        self._discard(key)
        self._hook()

    def knows(self, adapter: str) -> bool:
        """Whether rows may name it."""
        return adapter == BASE or adapter in self._loaded

    def lane(self, adapter: str) -> str:
        """Rows of the same lane may be computed together: one for all, or an adapter's own."""
        return "" if adapter == BASE or self._loaded[adapter] else adapter

    @contextmanager
    def route(self, adapters: Sequence[str]) -> Iterator[None]:
        """Send row i of the forward passes inside through `adapters[i]`."""
        alone = self._peft is not None and self.lane(adapters[0])
        if alone:
            self._peft.base_model.set_adapter(adapters[0])
        for wrapper in self._replaced:  # in the common lane nobody's are used
            wrapper.enable_adapters(bool(alone))
        self._names = None if alone or self._peft is None else list(adapters)
        try:
            yield
        finally:
            self._names = None

    def _inject(self, directory: Path, key: str) -> Any:
        if self._peft is None:
            config = PeftConfig.from_pretrained(str(directory))
            config.inference_mode = True
            self._peft = PeftModelForCausalLM(self.model, config, adapter_name=key)
        return self._peft.load_adapter(str(directory), adapter_name=key, torch_device=str(self._device))

    @staticmethod
    def _check(directory: Path, key: str, result: Any) -> None:
        """Every tensor of the file must have a place, and every place a tensor."""
        astray = [*result.unexpected_keys, *(name for name in result.missing_keys if f".{key}." in f"{name}.")]
        if astray:
            raise BadInputError(
                f"the adapter {directory} does not fit the base: {astray[0]} has no counterpart",
                hint="give the base that it was trained on",
            )

    def _discard(self, key: str) -> None:
        known = set() if self._peft is None else set(self._peft.peft_config)
        if known - {key}:
            if key in known:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that another adapter is active now
                    self._peft.delete_adapter(key)
            return
        self._peft = None
        _strip(self.model)

    def _hook(self) -> None:
        """Have every adapted module learn the running batch's adapters as it is called."""
        while self._hooks:
            self._hooks.pop().remove()

        def tell(_module: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            return args, kwargs if self._names is None else {**kwargs, "adapter_names": self._names}

        modules = list(self.model.modules()) if self._peft is not None else []
        self._replaced = [module for module in modules if isinstance(module, AuxiliaryTrainingWrapper)]
        for module in modules:
            if isinstance(module, LoraLayer):
                self._hooks.append(module.register_forward_pre_hook(tell, with_kwargs=True))

    def _can_mix(self, key: str) -> bool:
        """Whether this adapter can share a batch; DoRA, some expert layers and whole modules cannot."""
        if any(key in wrapper._adapters for wrapper in self._replaced):  # noqa: SLF001 - peft says it nowhere else
            return False
        self._loaded[key] = True
        try:
            self._look(BASE, key)
        except (ValueError, TypeError, NotImplementedError):
            self._loaded[key] = False
            self._look(key)  # alone it must work
        return self._loaded[key]

    def _look(self, *adapters: str) -> torch.Tensor:
        """The logits of a fixed little prompt, one row for each adapter."""
        tokens = torch.arange(4, device=self._device).repeat(len(adapters), 1)
        with torch.inference_mode(), self.route(adapters):
            logits: torch.Tensor = self.model(input_ids=tokens, use_cache=False).logits
        return logits


def _strip(model: Any) -> None:
    """Put the base's own modules back where peft wrapped them (peft's unload would keep retrained ones)."""
    for name, module in list(model.named_modules()):
        if isinstance(module, AuxiliaryTrainingWrapper):
            model.set_submodule(name, module.original_module)
        elif isinstance(module, LoraLayer):
            model.set_submodule(name, module.get_base_layer())
