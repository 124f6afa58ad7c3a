"""Prometheus' own tool, which evaluates expressions on given series."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.devstack.folders import user_programs


def tried_by_promtool(told: Mapping[str, Any], folder: Path) -> str:
    """What ``promtool test rules`` complains of, empty where everything holds. The test is skipped
    where the tool is not there."""
    promtool = shutil.which("promtool") or shutil.which("promtool", path=str(user_programs()))
    if promtool is None:
        pytest.skip("Prometheus' promtool is not here: `make promtool` builds it")
    (folder / "tests.yaml").write_text(yaml.safe_dump(told, allow_unicode=True))
    ran = subprocess.run(
        [promtool, "test", "rules", str(folder / "tests.yaml")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr
