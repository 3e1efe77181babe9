"""A step is done again only when its inputs changed: their digest is kept in a stamp file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from deploy.local.places import Places


@dataclass(frozen=True)
class Stamp:
    path: Path
    digest: str

    @classmethod
    def of(cls, places: Places, name: str, *inputs: Path | str) -> Stamp:
        """The stamp of a step whose inputs are these files (by content) and words."""
        hashed = hashlib.sha256()
        for item in inputs:
            content = item.read_bytes() if isinstance(item, Path) else item.encode()
            hashed.update(len(content).to_bytes(8) + content)
        return cls(places.stamps / name, hashed.hexdigest())

    @property
    def is_fresh(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.digest

    def press(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.digest)
