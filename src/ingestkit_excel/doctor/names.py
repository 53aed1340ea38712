"""Probes of names: who wins a rename or a create, between which directories, and how they read.

Owns: the promises P1 (rename), P2 (exclusive create) and P5 (a full directory keeps its name).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from ingestkit_excel.doctor.bench import Bench, Hand
from ingestkit_excel.doctor.deeds import replaced_content
from ingestkit_excel.doctor.findings import Finding, Verdict
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.fs import Exists, FileSystemError, Missing

__all__ = [
    "probe_case",
    "probe_claim_race",
    "probe_directory_pairs",
    "probe_exclusive_create",
    "probe_full_directory",
    "probe_hard_links",
    "probe_replacement",
]

_RACE_FILES: Final = 100  # with eight processes, races that go wrong one time in a thousand show
_CREATE_FILES: Final = 50
_REPLACEMENTS: Final = 200
_RACE_S: Final = 240.0  # a slow server and a busy host; what takes longer hangs
_ELSEWHERE: Final = "put the spool on another file system"


def probe_claim_race(bench: Bench) -> list[Finding]:
    """Let all hands rename the same files; each file must be won exactly once (P1)."""
    source, target = bench.make("todo"), bench.make("mine")
    names = [f"job{number:03d}" for number in range(_RACE_FILES)]
    for name in names:
        bench.here.fs.create(f"{source}/{name}", b"", durable=False)
    facts = {"names": names, "source": source, "target": target}
    answers = _all_at_once(bench.all_hands, "claim", facts)
    left = set(bench.here.fs.list_directory(source)) & set(names)
    there = Counter(name.partition(".")[0] for name in bench.here.fs.list_directory(target))
    return [_judge_race("claim race", answers, names, there=there, left=left)]


def probe_exclusive_create(bench: Bench) -> list[Finding]:
    """Let all hands create the same names; each must be made exactly once (P2)."""
    directory = bench.make("excl")
    names = [f"name{number:02d}" for number in range(_CREATE_FILES)]
    answers = _all_at_once(bench.all_hands, "create", {"names": names, "directory": directory})
    there = Counter(bench.here.fs.list_directory(directory))
    return [_judge_race("exclusive create", answers, names, there=there, left=set())]


def _all_at_once(hands: Sequence[Hand], deed: str, facts: dict[str, Any]) -> list[dict[str, Any]]:
    for index, hand in enumerate(hands):
        hand.start(deed, who=f"hand{index}", **facts)
    return [hand.answer(_RACE_S) for hand in hands]


def _judge_race(
    probe: str,
    answers: Sequence[dict[str, Any]],
    names: Sequence[str],
    *,
    there: Counter[str],
    left: set[str],
) -> Finding:
    wins = Counter(name for answer in answers for name in answer["won"])
    odd = {error: n for answer in answers for error, n in answer["odd"].items()}
    twice = [name for name in names if wins[name] > 1 or there[name] > 1]
    lost = [name for name in names if there[name] == 0]
    unknown = [name for name in names if wins[name] == 0 and there[name] == 1]
    both = [name for name in left if there[name]]
    facts = {
        "files": len(names),
        "processes": len(answers),
        "won_twice": len(twice),
        "lost": len(lost),
        "unclear": len(unknown),
        "errors": odd,
    }
    found = f"{len(names)} names, {len(answers)} processes: each won once"
    if twice or both:
        count = len(set(twice) | set(both))
        found = f"{count} of {len(names)} names were won by more than one process"
        follows = "two workers would run one job, and both publish it"
        return Finding(probe, Verdict.UNSAFE, found, follows, _ELSEWHERE, facts)
    if lost:
        found = f"{len(lost)} of {len(names)} names were won by nobody and are gone"
        follows = "jobs would be lost"
        return Finding(probe, Verdict.UNSAFE, found, follows, _ELSEWHERE, facts)
    if unknown or odd:
        found = f"each name went once, but some calls failed: {odd or 'answers were lost'}"
        follows = "the spool expects that; such a job waits ten seconds until its worker finds it"
        change = "see the server's log, and mount with vers=4.1 or 4.2 (NFS) or hard (SMB)"
        return Finding(probe, Verdict.DEGRADED, found, follows, change, facts)
    return Finding(probe, Verdict.OK, found, facts=facts)


def probe_replacement(bench: Bench) -> list[Finding]:
    """Rename over a name while others read it: it must never be missing or torn (P1)."""
    path = f"{bench.make('replace')}/name"
    bench.here.fs.create(path, replaced_content(0), durable=False)
    writer, *readers = bench.hands
    writer.start("replace", path=path, count=_REPLACEMENTS)
    for reader in readers:
        reader.start("read_again", path=path, count=_REPLACEMENTS)
    refused = writer.answer(_RACE_S)["refused"]
    seen = Counter[str]()
    for reader in readers:
        seen.update(reader.answer(_RACE_S))
    facts = {**seen, "replacements": _REPLACEMENTS, "replacements_refused": refused}
    probe = "atomic rename"
    if seen["torn"]:
        found = f"a replaced file was seen torn {seen['torn']} times"
        follows = "half a job or result could be taken for a whole one"
        return [Finding(probe, Verdict.UNSAFE, found, follows, _ELSEWHERE, facts)]
    if seen["missing"]:
        found = f"a replaced name was missing in {seen['missing']} of {seen.total()} reads"
        follows = (
            "the spool renames to fresh names and decides nothing on a missing one; other "
            "programs may take a file for lost"
        )
        change = "let other programs look twice, or keep their files elsewhere"
        return [Finding(probe, Verdict.DEGRADED, found, follows, change, facts)]
    found = f"{_REPLACEMENTS} replacements under {seen.total()} reads: always whole"
    if refused:
        found += f"; {refused} replacements were refused while a reader had the file open"
        follows = "the spool renames to fresh names and reads at once; other programs may fail"
        return [Finding(probe, Verdict.OK, found, follows, facts=facts)]
    return [Finding(probe, Verdict.OK, found, facts=facts)]


def probe_full_directory(bench: Bench) -> list[Finding]:
    """Rename a directory onto a full one: it must be refused (P5)."""
    probe, fs = "full directory", bench.here.fs
    base = bench.make("full")
    for name in ("first", "second"):
        fs.make_directory(f"{base}/{name}")
        fs.create(f"{base}/{name}/owner", name.encode(), durable=False)
    try:
        fs.rename(f"{base}/second", f"{base}/first")
    except FileSystemError as error:
        if fs.read(f"{base}/first/owner", max_bytes=16) == b"first":
            found = f"refused, as it must be ({type(error).__name__})"
            return [Finding(probe, Verdict.OK, found)]
    return [
        Finding(
            probe,
            Verdict.UNSAFE,
            "a directory was renamed onto one that was not empty",
            "two submissions under one key may both be accepted",
            _ELSEWHERE,
        )
    ]


def probe_directory_pairs(bench: Bench) -> list[Finding]:
    """Rename a file between every pair of spool directories, and once through each of them."""
    kinds, shards = _directories(bench)
    file = f".doctor-{bench.scratch.rpartition('-')[2]}"
    bad: list[str] = []
    count = 0
    for index, source in enumerate(kinds):
        targets = kinds[index + 1 :]
        legs = [leg for target in targets for leg in ((source, target), (target, source))]
        bad += _tour(bench, file, legs)
        count += len(legs)
    chain = [kinds[0], *shards, kinds[0]]
    legs = list(pairwise(chain))
    bad += _tour(bench, file, legs)
    count += len(legs)
    probe, facts = "directory pairs", {"renames": count, "failed": bad[:20]}
    if bad:
        found = f"{len(bad)} of {count} renames failed, such as {bad[0]}"
        follows = "the directory spans several file systems or quota trees: jobs would get stuck"
        change = "put the whole spool on one file system, in one quota tree"
        return [Finding(probe, Verdict.UNSAFE, found, follows, change, facts)]
    what = "the spool's directories" if bench.is_spool else "directories made for it"
    found = f"{count} renames between {len(kinds) + len(shards)} of {what}"
    return [Finding(probe, Verdict.OK, found, facts=facts)]


def _directories(bench: Bench) -> tuple[list[str], list[str]]:
    """Give one directory of each kind, and all the others."""
    top = [path for path in layout.FIXED_DIRECTORIES if "/" not in path]
    below = [path for path in layout.FIXED_DIRECTORIES if "/" in path]
    if bench.is_spool:
        return top, below
    base = bench.make("kinds")
    for path in top:
        bench.here.fs.make_directory(f"{base}/{path}")
    below = [path for path in below if path.endswith(("/0", "/00", "/ff"))]
    for path in below:
        bench.here.fs.make_directory(f"{base}/{path}")
    return [f"{base}/{path}" for path in top], [f"{base}/{path}" for path in below]


def _tour(bench: Bench, file: str, legs: Sequence[tuple[str, str]]) -> list[str]:
    """Carry a file along; a leg that fails is named, and the next starts with a new file."""
    fs, bad, is_there = bench.here.fs, list[str](), False
    for source, target in legs:
        try:
            if not is_there:
                fs.create(f"{source}/{file}", b"", durable=False)
            fs.rename(f"{source}/{file}", f"{target}/{file}")
            is_there = True
        except FileSystemError as error:
            bad.append(f"{source} to {target} ({error.cause})")
            _remove_quietly(bench, f"{source}/{file}", f"{target}/{file}")
            is_there = False
    if is_there:
        _remove_quietly(bench, f"{legs[-1][1]}/{file}")
    return bad


def _remove_quietly(bench: Bench, *paths: str) -> None:
    for path in paths:
        try:
            bench.here.fs.remove(path)
        except FileSystemError:
            continue  # it was in the other place


def probe_hard_links(bench: Bench) -> list[Finding]:
    """Make a hard link, and one onto a name that is taken."""
    probe, base = "hard links", bench.make("link")
    for name in ("file", "taken"):
        bench.here.fs.create(f"{base}/{name}", name.encode(), durable=False)
    refusal = bench.here.disk.link(f"{base}/file", f"{base}/new")
    if refusal:
        found = f"not possible ({refusal})"
        return [Finding(probe, Verdict.OK, found, "the spool needs none")]
    onto_taken = bench.here.disk.link(f"{base}/file", f"{base}/taken")
    if onto_taken == "EEXIST":
        return [Finding(probe, Verdict.OK, "possible, and refused onto a name that is taken")]
    return [
        Finding(
            probe,
            Verdict.DEGRADED,
            f"a link onto a taken name gave {onto_taken or 'no error'} instead of EEXIST",
            "the spool makes no links, but other programs' locks may not hold",
            "report it to whoever provides the file system",
        )
    ]


def probe_case(bench: Bench) -> list[Finding]:
    """See whether names that differ in case only are one name."""
    probe, base = "case of names", bench.make("case")
    bench.here.fs.create(f"{base}/Name", b"", durable=False)
    try:
        bench.here.fs.create(f"{base}/name", b"", durable=False)
        bench.here.fs.read(f"{base}/Name", max_bytes=1)
    except (Exists, Missing):
        return [
            Finding(
                probe,
                Verdict.DEGRADED,
                "names that differ in case only are one name",
                "the spool's own names are lower case; but workbooks named Sales and sales would "
                "be one file under two sources",
                "mount without nocase, or name workbooks alike everywhere",
            )
        ]
    return [Finding(probe, Verdict.OK, "upper and lower case are told apart")]
