"""Seeded hashes: a random order that depends on nothing but the seed and the names."""

from __future__ import annotations

from hashlib import blake2b


def seeded_hash(seed: int, *names: str) -> int:
    """A number that is uniform over 64 bits, and always the same for the same arguments.

    Sorting by it shuffles, and taking the smallest samples: without a state, whatever the order
    in which items come.
    """
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def derive_seed(secret: bytes, *names: str) -> int:
    """A seed that nobody can foresee without the secret; always the same for the same arguments."""
    text = "\x1f".join(names)
    # BLAKE2b takes keys of 64 bytes at most.
    keyed = blake2b(text.encode(), key=secret[:64], digest_size=8, person=b"archon-seed")
    return int.from_bytes(keyed.digest(), "big")
