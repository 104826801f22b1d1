"""One flipped bit in an artifact, as a disk or a stranger would leave it."""

from pathlib import Path

from archon_contracts.values import ArtifactRef


def flip_a_bit(ref: ArtifactRef, name: str = "") -> None:
    """Change one bit of a file of a local artifact, or of its first one."""
    folder = Path(ref.uri.removeprefix("file://"))
    own = [path for path in sorted(folder.iterdir()) if path.name != "manifest.json"]
    path = folder / name if name else own[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
