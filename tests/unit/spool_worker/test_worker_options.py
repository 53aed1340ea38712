"""What the daemon refuses before it takes a job."""

from pathlib import Path

import pytest

from ingestkit_excel.spool import Spool, SpoolSettings
from spool_worker.cli import ExitCode, main


@pytest.mark.parametrize("store", ["nope://x", "sqlite:///", "memory://"])
def test_an_unfit_store_ends_the_worker_before_it_claims(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    """One line names the store; no job is failed by it."""
    spool = Spool.create(tmp_path / "spool", SpoolSettings(durability="none"))
    code = main(["--spool", str(spool.directory), "--store", store, "--drain"])
    assert code is ExitCode.USAGE
    assert store.partition("://")[0] in capsys.readouterr().err
    assert spool.status().workers == ()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` needs no spool."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("spool-worker 0.")
