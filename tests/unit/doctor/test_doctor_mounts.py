"""Options of mounts that break promises are named, each with what follows and what to change."""

from pathlib import Path

import pytest

from ingestkit_excel.doctor import Finding, Report, Verdict
from ingestkit_excel.doctor.mounting import judge_mount, judge_peer
from ingestkit_excel.mounts import mount_of


def _judge(kind: str, options: str) -> list[Finding]:
    return judge_mount(mount_of(Path("/mnt/x"), f"1 0 0:1 / /mnt rw - {kind} server:/x {options}"))


@pytest.mark.parametrize(
    ("kind", "options", "verdict"),
    [
        ("nfs4", "rw,vers=4.2,hard,local_lock=none", Verdict.OK),
        ("nfs4", "rw,soft", Verdict.UNSAFE),
        ("nfs4", "rw,softerr", Verdict.UNSAFE),
        ("nfs", "rw,vers=3,hard", Verdict.OK),
        ("nfs", "rw,nolock", Verdict.DEGRADED),
        ("nfs4", "rw,local_lock=all", Verdict.DEGRADED),
        ("nfs4", "rw,nocto", Verdict.DEGRADED),
        ("nfs4", "rw,noac", Verdict.DEGRADED),
        ("nfs4", "rw,acdirmax=600", Verdict.DEGRADED),
        ("nfs4", "rw,acdirmax=60", Verdict.OK),
        ("nfs4", "ro,hard", Verdict.UNSAFE),
        ("cifs", "rw,vers=3.1.1,hard,cache=strict", Verdict.OK),
        ("cifs", "rw,soft", Verdict.DEGRADED),
        ("cifs", "rw,vers=2.1", Verdict.DEGRADED),
        ("cifs", "rw,cache=loose", Verdict.UNSAFE),
        ("cifs", "rw,nostrictsync", Verdict.UNSAFE),
        ("cifs", "rw,nobrl", Verdict.DEGRADED),
        ("cifs", "rw,actimeo=3600", Verdict.DEGRADED),
        ("ext4", "rw", Verdict.OK),
        ("ext4", "rw,nobarrier", Verdict.UNSAFE),
        ("ext4", "rw,barrier=0", Verdict.UNSAFE),
        ("9p", "rw,cache=loose", Verdict.DEGRADED),
        ("tmpfs", "rw", Verdict.UNSAFE),
        ("fuse.gcsfuse", "rw", Verdict.UNSAFE),
        ("fuse.bindfs", "rw", Verdict.OK),
    ],
)
def test_options_decide_the_verdict(kind: str, options: str, verdict: Verdict) -> None:
    """The worst option decides; what is not fine comes with a consequence and a remedy."""
    findings = _judge(kind, options)
    assert Report("/mnt/x", None, findings).verdict is verdict
    bad = [finding for finding in findings if finding.verdict is not Verdict.OK]
    assert all(finding.follows and finding.change for finding in bad)


def test_an_unknown_mount_is_left_to_the_other_probes() -> None:
    """A system without a mount table tells nothing about options."""
    assert [finding.verdict for finding in judge_mount(None)] == [Verdict.DEGRADED]


def test_findings_about_the_peer_say_so() -> None:
    """Two mounts may have different options."""
    mount = mount_of(Path("/mnt"), "1 0 0:1 / /mnt rw - nfs4 server:/x rw,nocto")
    assert {finding.probe for finding in judge_mount(mount, peer=True)} == {"mount of the peer"}


def test_two_paths_of_one_mount_are_no_two_views() -> None:
    """They share their caches, so nothing measured between them means anything."""
    assert judge_peer(7, 8).verdict is Verdict.OK
    assert judge_peer(7, 7).verdict is Verdict.DEGRADED


def test_the_worst_verdict_is_the_verdict() -> None:
    """One unsafe finding outweighs any number of others; no finding is no complaint."""
    findings = [Finding("a", verdict, "x") for verdict in (Verdict.DEGRADED, Verdict.UNSAFE)]
    assert Report("d", None, findings).verdict is Verdict.UNSAFE
    assert Report("d", None, findings[:1]).verdict is Verdict.DEGRADED
    assert Report("d", None, []).verdict is Verdict.OK
