"""Records accept exactly what they should say."""

import json

import pytest

from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool.layout import Stem, parse_delayed, parse_job_file
from ingestkit_excel.spool.records import (
    JOB_BYTES_MAX,
    Job,
    Outcome,
    RecordError,
    decode_job,
    decode_outcome,
    encode_job,
    encode_outcome,
    load_strict,
    short_digest,
)

JOB_ID = "j" + "0123456789abcdef" * 2
JOB = Job(
    root="share",
    rel="ü/a.xlsx",
    file_path="/x/a.xlsx",
    size_bytes=3,
    mtime_ns=5,
    job_id=JOB_ID,
    submitted_at=1.5,
)


def decode(data: bytes) -> Job:
    """Read bytes whose digest fits."""
    return decode_job(data, job_id=JOB_ID, digest=short_digest(data))


def test_job_reads_back() -> None:
    """Encoding and decoding are inverse."""
    assert decode(encode_job(JOB)) == JOB


def test_altered_job_is_refused() -> None:
    """One changed byte fails the digest in the name."""
    data = encode_job(JOB)
    with pytest.raises(RecordError, match="digest"):
        decode_job(data.replace(b"a.xlsx", b"b.xlsx"), job_id=JOB_ID, digest=short_digest(data))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"surprise": 1}, "surprise"),
        ({"job_id": "j" + "f" * 32}, "not the one in its name"),
        ({"job_id": "../../etc"}, "job_id"),
        ({"format": 2}, "format"),
        ({"size_bytes": "3"}, "size_bytes"),
        ({"timeout_s": -1.0}, "timeout_s"),
    ],
)
def test_job_that_says_something_else_is_refused(change: dict[str, object], cause: str) -> None:
    """Unknown, missing and ill-typed fields are errors."""
    values = {**json.loads(encode_job(JOB)), **change}
    with pytest.raises(RecordError, match=cause):
        decode(json.dumps(values).encode())


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[" * 40 + b"]" * 40,
        b'{"a": "\xff"}',
        b'{"a": 1',
        b"",
    ],
)
def test_loose_json_is_refused(text: bytes) -> None:
    """Doubled keys, numbers that are none, deep nesting, bad UTF-8 and torn text are errors."""
    with pytest.raises(RecordError):
        load_strict(text)


def test_brackets_in_strings_do_not_nest() -> None:
    """Depth counts structure, not text."""
    assert load_strict(json.dumps({"a": '\\"' + "[" * 99}).encode()) == {"a": '\\"' + "[" * 99}


def test_job_too_large_is_refused_on_both_sides() -> None:
    """Nobody writes what nobody reads."""
    with pytest.raises(RecordError, match="at most"):
        encode_job(JOB.model_copy(update={"source_uri": "x" * JOB_BYTES_MAX}))
    with pytest.raises(RecordError, match="at most"):
        decode(b" " * (JOB_BYTES_MAX + 1))


def test_outcome_reads_back_and_notices_any_changed_byte() -> None:
    """The first line's digest covers the second."""
    result = ProcessingResult(file_path="a", ingest_key="k", ingest_run_id="r", chunks_created=7)
    outcome = Outcome(job_id=JOB_ID, status="done", result=result, worker_id="w", attempt=1)
    data = encode_outcome(outcome)
    assert decode_outcome(data, job_id=JOB_ID) == outcome
    with pytest.raises(RecordError, match="digest"):
        decode_outcome(data.replace(b":7,", b":8,"), job_id=JOB_ID)
    with pytest.raises(RecordError):
        decode_outcome(data[: len(data) // 2], job_id=JOB_ID)
    with pytest.raises(RecordError, match="another job"):
        decode_outcome(data, job_id="j" + "0" * 32)


def test_stem_reads_back_and_only_its_own_spelling() -> None:
    """A name that is spelled otherwise is not ours."""
    stem = Stem(JOB_ID, 3, 1, "0123456789ab")
    assert parse_job_file(stem.file_name) == stem
    assert parse_delayed(f"t1f.{stem.file_name}") == (31, stem)
    for name in (
        f".{stem.file_name}",
        f"{stem}.job.tmp",
        str(stem),
        stem.file_name.replace(".n03", ".n003"),
        stem.file_name.upper(),
        f"{stem}.job\n",
    ):
        assert parse_job_file(name) is None


def test_next_attempt_never_reuses_a_name() -> None:
    """The attempt grows always, the failures only when charged."""
    stem = Stem(JOB_ID, 99, 0, "0123456789ab")
    assert str(stem.next_attempt(charged=True)) == f"{JOB_ID}.n100.f01.v1.0123456789ab"
    assert stem.next_attempt(charged=False).failures == 0
