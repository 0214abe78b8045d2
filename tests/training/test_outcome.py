"""What a trainer leaves: never a record of an adapter that is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.training.saving import save_adapter
from harness.training.spec import Lora, TrainingSpec


class Full:
    """A model whose weights find no room on the disk."""

    def save_pretrained(self, folder: Path, **_: Any) -> None:
        raise OSError(f"no space left for {folder.name}")


def test_record_goes_before_the_adapter_it_speaks_of(tmp_path: Path) -> None:
    spec = TrainingSpec(
        base_path="base", base_name="tiny", base_digest="b", examples="", out=str(tmp_path),
        corpus="roosevelt", version=2, lora=Lora(), steps=3,
    )  # fmt: skip
    (tmp_path / "adapter").mkdir()
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(OSError, match="no space left"):
        save_adapter(Full(), spec)
    assert not (tmp_path / "adapter").exists()
    assert not (tmp_path / "record.json").exists()
