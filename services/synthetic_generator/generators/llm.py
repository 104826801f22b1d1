"""New texts written by a language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from services.synthetic_generator.domain import Candidate, Draw, Method, RejectionReason, Sample
from services.synthetic_generator.generators.ports import LanguageModel

if TYPE_CHECKING:
    import httpx

FEWEST_FAILURES_TO_STOP: Final = 5
"""Requests without a reply, one after the other, after which the endpoint is asked no more."""
MOST_UNUSABLE: Final = 20
"""Unusable replies in a row, after which a request asks no more: each is paid for."""
FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 10.0
SHOWN_EXAMPLES: Final = 4
LONGEST_REPLY: Final = 600
LARGEST_REPLY_BYTES: Final = 1_000_000
_PHRASES_OF_ASSISTANTS: Final = re.compile(
    r"\b(?:as an ai|language model|i'm sorry|i am sorry, but|i cannot assist|here (?:is|are)|"
    r"sure[,!])",
    re.IGNORECASE,
)
_NUMBERING: Final = re.compile(r"^\s*(?:\d+[.)]|[-*\u2022])\s*")
_FAR: Final = {"easy": "short and plain", "medium": "natural", "hard": "long, indirect and wordy"}


@dataclass(kw_only=True)
class LanguageModelEndpoint:
    """An endpoint with retries, a limit of concurrent requests, and a cache of its replies.

    `replies` holds what it replied before, by `key_of`; new replies are added to it. Replies of a
    model may differ from run to run, so the cache is what makes a request repeatable.
    """

    url: str
    model: str
    api_key: str = ""
    timeout_seconds: float = 60.0
    retries: int = 2
    concurrency: int = 4
    replies: dict[str, str] = field(default_factory=dict)
    new_replies: dict[str, str] = field(default_factory=dict)
    first_delay_seconds: float = FIRST_DELAY_SECONDS
    _failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key_of(self, prompt: str, seed: int) -> str:
        """What names a reply: endpoint, model, prompt and seed (SHA-256)."""
        parts = (self.url, self.model, str(seed), prompt)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def reply(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str | None]:
        """One reply for each prompt; None: none came, or the endpoint is asked no more."""
        import httpx

        keys = [self.key_of(*each) for each in zip(prompts, seeds, strict=True)]
        if self._has_stopped():
            return [self.replies.get(key) for key in keys]
        missing = {
            key: (prompt, seed)
            for key, prompt, seed in zip(keys, prompts, seeds, strict=True)
            if key not in self.replies
        }
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        with (
            httpx.Client(timeout=self.timeout_seconds, headers=headers) as client,
            ThreadPoolExecutor(self.concurrency) as threads,
        ):
            found = threads.map(lambda each: self._ask(client, *each), missing.values())
            new = {key: text for key, text in zip(missing, found, strict=True) if text is not None}
        self.replies |= new
        self.new_replies |= new
        return [self.replies.get(key) for key in keys]

    def _ask(self, client: httpx.Client, prompt: str, seed: int) -> str | None:
        for attempt in range(self.retries + 1):
            if self._has_stopped():
                return None
            if attempt:
                delay = self.first_delay_seconds * 2 ** (attempt - 1)
                time.sleep(min(delay, LONGEST_DELAY_SECONDS))
            text, is_final = self._send(client, prompt, seed)
            with self._lock:
                self._failures = 0 if text is not None else self._failures + 1
            if text is not None or is_final:
                return text
        return None

    def _has_stopped(self) -> bool:
        return self._failures >= max(FEWEST_FAILURES_TO_STOP, self.retries + 1)

    def _send(self, client: httpx.Client, prompt: str, seed: int) -> tuple[str | None, bool]:
        """The reply, and whether another try cannot help."""
        import httpx

        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 1.0,
            "max_tokens": 120,
            "seed": seed,
        }
        try:
            response = client.post(f"{self.url.rstrip('/')}/chat/completions", json=body)
        except httpx.HTTPError:
            return None, False
        if response.status_code in (408, 429) or response.status_code >= 500:
            return None, False
        if response.status_code != 200 or len(response.content) > LARGEST_REPLY_BYTES:
            return None, True
        try:
            content = orjson.loads(response.content)["choices"][0]["message"]["content"]
        except (orjson.JSONDecodeError, LookupError, TypeError):
            # It replied, with nonsense: as a reply it is refused and counted as that.
            return "", True
        return content if isinstance(content, str) else "", True


class LanguageModelWriter:
    """Asks for a new text of an answer, beside a few examples of it."""

    def __init__(
        self,
        endpoint: LanguageModel,
        scenario_type: str,
        examples: Mapping[str, Sequence[str]],
        difficulty: str,
    ) -> None:
        self._endpoint = endpoint
        self._scenario = scenario_type
        self._examples = examples
        self._difficulty = difficulty
        self._unusable = 0

    def make(self, draws: Sequence[Draw]) -> list[Candidate | RejectionReason]:
        """A text for each draw, or why there is none."""
        if self._unusable >= MOST_UNUSABLE:
            return [RejectionReason.UNUSABLE_REPLY] * len(draws)
        prompts = [self._build_prompt(draw) for draw in draws]
        seeds = [int.from_bytes(hashlib.sha256(d.seed.encode()).digest()[:4], "big") for d in draws]
        replies = self._endpoint.reply(prompts, [seed >> 1 for seed in seeds])
        return [self._read(draw, reply) for draw, reply in zip(draws, replies, strict=True)]

    def _build_prompt(self, draw: Draw) -> str:
        rng = draw.rng()
        known = list(self._examples.get(draw.target, ()))
        shown = rng.sample(known, k=min(SHOWN_EXAMPLES, len(known)))
        lines = "\n".join(f"- {text}" for text in shown)
        like = f"\nMessages with this meaning:\n{lines}" if shown else ""
        return (
            f"Domain: {self._scenario}. A user writes a message whose meaning is "
            f'"{draw.target.replace("_", " ")}".{like}\n'
            f"Write one more message with the same meaning and in the same language, in other "
            f"words, {_FAR[self._difficulty]}. Reply with the message only."
        )

    def _read(self, draw: Draw, reply: str | None) -> Candidate | RejectionReason:
        if reply is None:
            return RejectionReason.NO_REPLY
        text = parse_reply(reply)
        self._unusable = self._unusable + 1 if text is None else 0
        if text is None:
            return RejectionReason.UNUSABLE_REPLY
        return Candidate(Sample(text, draw.target), Method.LLM)


def parse_reply(reply: str) -> str | None:
    """The message in a reply: its first line, without numbering and quotation marks.

    None: it holds none, is far too long, or speaks as an assistant instead of as a user.
    """
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    if not lines or len(reply) > LONGEST_REPLY * 4:
        return None
    text = _NUMBERING.sub("", lines[0]).strip().strip('"\u201c\u201d').strip()
    if not any(sign.isalnum() for sign in text) or len(text) > LONGEST_REPLY:
        return None
    return None if _PHRASES_OF_ASSISTANTS.search(text) else text


def group_by_target(samples: Sequence[Sample]) -> dict[str, list[str]]:
    """Inputs by their answer."""
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples:
        grouped[sample.target].append(sample.input)
    return dict(grouped)
