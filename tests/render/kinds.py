"""Chat templates that differ in every way that matters, and real tokenizers to put under them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CONTROL = (
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start|>",
    "<|stop|>",
    "<turn_of>",
    "<end_of_turn>",
    "<think>",
)

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ALTERNATING = (
    "<s>{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]{% else %} {{ m['content'] }}</s>{% endif %}"
    "{% endfor %}"
)
TIGHT = ALTERNATING.replace(" {{ m['content'] }}</s>", "{{ m['content'] }}</s>")
TRIMMING = (
    "<s>{% for m in messages %}<|start|>{{ m['role'] }}\n\n{{ m['content'] | trim }}<|stop|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n\n{% endif %}"
)
SYSTEM_AWARE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou operate a shell.<|im_end|>\n{% endif %}" + CHATML
)
INSERTING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last and '</think>' not in m['content'] %}"
    "<think>\n\n</think>\n\n{% endif %}"
    "{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
DROPPING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and not loop.last %}{{ m['content'].split('</think>')[-1] }}"
    "{% else %}{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOLS = (
    "<s><|start|>system\n# Tools\nNone.{% if tools %}{{ tools }}{% endif %}<|stop|>\n"
    "{% for m in messages %}<|start|>{{ m['role'] }}<|stop|>{{ m['content'] }}\n<|stop|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|stop|>{% endif %}"
)
PROMPTLESS = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
NAMED = (
    "<s>{% for m in messages %}<turn_of>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<turn_of>model\n{% endif %}"
)
PLAIN = (
    "{% for m in messages %}{% if m['role'] == 'user' %}USER: {{ m['content'] }} ASSISTANT:"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
ENDLESS = (
    "{% for m in messages %}### {{ m['role'] }}\n{{ m['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### assistant\n{% endif %}"
)
THINKING = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}<|start|>{{ m['content'] }}"
    "{% else %}<turn_of>{{ m['content'].split('</think>')[-1] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<turn_of><think>\n{% endif %}"
)
SEALED = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% else %}</s>{% endif %}"
)
CHANNELLED = (
    "{% for m in messages %}<|start|>{{ m['role'] }}"
    "{% if m['role'] == 'assistant' %}<turn_of>final{% endif %}<|im_start|>{{ m['content'] }}"
    "{{ '<|im_end|>' if m['role'] == 'assistant' and loop.last else '<|stop|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
HEADED = (
    "<s>{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
TWICE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|stop|></s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
QUOTING = (
    "{% for m in messages %}<|start|>{{ m['role'] }}: {{ m['content'] | tojson }}<|stop|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant: {% endif %}"
)
SWALLOWING = (
    "{% for m in messages %}{{ '<|start|>' if m['role'] == 'user' else '<turn_of>' }}\n{{ m['content'] }}<|stop|>\n"
    "{% endfor %}{% if add_generation_prompt %}<turn_of>\n{% endif %}"
)
"""Lines after control tokens, for tokenizers whose control tokens take the blanks after them."""

ASKING = "{% if enable_thinking is not defined %}{{ raise_exception('say enable_thinking') }}{% endif %}" + INSERTING

OPTIONS: Mapping[str, Mapping[str, object]] = MappingProxyType({"asking": {"enable_thinking": False}})
"""What must be passed as `chat_template_kwargs` to templates that refuse without."""

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "chatml": CHATML,
        "alternating": ALTERNATING,
        "tight": TIGHT,
        "trimming": TRIMMING,
        "system_aware": SYSTEM_AWARE,
        "inserting": INSERTING,
        "dropping": DROPPING,
        "tools": TOOLS,
        "promptless": PROMPTLESS,
        "named": NAMED,
        "plain": PLAIN,
        "endless": ENDLESS,
        "thinking": THINKING,
        "sealed": SEALED,
        "channelled": CHANNELLED,
        "headed": HEADED,
        "twice": TWICE,
        "quoting": QUOTING,
    }
)
DEMANDING: Mapping[str, str] = MappingProxyType({"asking": ASKING})
"""Templates that refuse without their `OPTIONS`."""

ENDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("chatml", "system_aware", "inserting", "dropping", "promptless", "channelled"), "<|im_end|>"),
        **dict.fromkeys(("alternating", "tight", "plain", "endless", "thinking", "headed"), "</s>"),
        **dict.fromkeys(("trimming", "tools", "sealed", "twice", "quoting"), "<|stop|>"),
        "named": "<end_of_turn>",
        "asking": "<|im_end|>",
    }
)
"""The token that ends what the model says, under each template."""

_CORPUS = (
    "cat /etc/motd\nls -la /home/operator; echo done > report.txt && exit 0 || panic 'no such file or directory'",
    "system user assistant model INST USER ASSISTANT You operate a shell. The quick brown fox, 0123456789.\n\n$ > # |",
    *("Qu",) * 9,
)


def byte_level(template: str) -> Any:
    """A fast byte-level BPE tokenizer, lossless on every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=[], initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(_CORPUS, trainer=trainer)
    return _fast(core, template)


def sentence_pieces(template: str, *, prepend: str, takes_blanks: bool = False) -> Any:
    """A fast tokenizer as converted from SentencePiece: blanks are pieces, unknown characters fall back to bytes.

    `prepend` is where a blank is put before a text: "always", "first" or "never", or "legacy" for always and by the
    normalizer, as older conversions do. With `takes_blanks` control tokens take the blanks on both sides of them.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    scheme = "always" if prepend == "legacy" else prepend
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=[], show_progress=False)
    core.train_from_iterator(_CORPUS, trainer=trainer)
    vocabulary: dict[str, int] = core.get_vocab()
    for piece in ("<unk>", *(f"<0x{byte:02X}>" for byte in range(256))):
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [(first, second) for first, second in _merges(core)]
    model = models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)  # noqa: S106
    whole = Tokenizer(model)
    if prepend == "legacy":
        whole.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    else:
        whole.pre_tokenizer = core.pre_tokenizer
    whole.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _fast(whole, template, takes_blanks=takes_blanks)


def slow(template: str) -> Any:
    """A tokenizer in plain Python, one token a byte."""
    from transformers import ByT5Tokenizer

    tokenizer = ByT5Tokenizer(extra_ids=0)
    tokenizer.add_special_tokens({"additional_special_tokens": [word for word in CONTROL if word != "</s>"]})
    tokenizer.chat_template = template
    return tokenizer


def _merges(core: Any) -> list[list[str]]:
    import json

    pairs = json.loads(core.to_str())["model"]["merges"]
    return [pair.split(" ") if isinstance(pair, str) else pair for pair in pairs]


def _fast(core: Any, template: str, *, takes_blanks: bool = False) -> Any:
    from transformers import AddedToken, PreTrainedTokenizerFast

    words = [word for word in CONTROL if word not in {"<s>", "</s>", "<think>"}]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",  # noqa: S106 - a control token
        eos_token="</s>",  # noqa: S106
        additional_special_tokens=[
            AddedToken(word, lstrip=takes_blanks, rstrip=takes_blanks, normalized=False, special=True) for word in words
        ],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = template
    return tokenizer
