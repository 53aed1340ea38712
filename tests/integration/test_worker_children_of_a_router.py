"""A real router spreads a batch over child processes of this host."""

from pathlib import Path

import openpyxl
import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.execution import LocalExecutionBackend
from ingestkit_excel.router import create_default_router

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("store", ["sqlite:///{}/store.db", "bundle://{}/store"])
def test_a_batch_gives_the_same_with_children_as_without(tmp_path: Path, store: str) -> None:
    """Results come in input order, and a bad workbook fails alone."""
    paths = [str(tmp_path / f"{name}.xlsx") for name in ("a", "broken", "b")]
    for path in paths:
        workbook = openpyxl.Workbook()
        assert workbook.active is not None
        for row in range(10):
            workbook.active.append([f"part {row}", row])
        workbook.save(path)
    Path(paths[1]).write_bytes(b"no workbook")
    config = ExcelProcessorConfig()
    url = store.format(tmp_path)
    alone = create_default_router(url, config=config).process_batch(paths)
    router = create_default_router(url, config=config)
    # Held by the router as `process_batch` would hold it, and closed at the end.
    with LocalExecutionBackend(router._process_job, 2) as backend:
        router._execution = backend
        spread = router.process_batch(paths)
    assert [r.file_path for r in spread] == paths
    assert [r.errors for r in spread] == [r.errors for r in alone]
    assert [r.tables for r in spread] == [r.tables for r in alone]
    assert [bool(r.errors) for r in spread] == [False, True, False]
