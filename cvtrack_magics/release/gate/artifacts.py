"""Rules about files: what is there, how large it is, and which packages were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.environment import Environment
from cvtrack_magics.artifacts.export import Evidence
from cvtrack_magics.artifacts.paths import CARD, ENVIRONMENT, EXPORTS, is_evidence
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate.rules import Found, Rule, compared, missing
from cvtrack_magics.release.gate.wording import plain
from cvtrack_magics.release.gate.yamltext import shallow_events
from cvtrack_magics.release.weights import another_network

MEGABYTE = 1_000_000
_YAML_LIMIT = 200_000
_DEPTH = 20
_KEYS = {"signature": "signature/inputs", "input example": "saved_input_example_info"}


def has(candidate: Candidate, rule: Rule) -> Found:
    """Judge whether something is there that is not empty."""
    word = rule.subject
    if word == "card":
        return _file(candidate, CARD)
    if word == "export evidence":
        return _evidence(candidate)
    if word in ("signature", "input example"):
        return _in_every_model(candidate, word)
    return _file(candidate, word)


def size_mb(candidate: Candidate, rule: Rule) -> Found:
    """Judge the size of a file, or of all files of a folder, in 10⁶ bytes."""
    files = _under(candidate, rule.subject)
    if not files:
        return missing("there is no such artifact")
    why = _changed(candidate, files)
    return missing(why) if why else compared(sum(files.values()) / MEGABYTE, rule)


def environment(candidate: Candidate, rule: Rule) -> Found:
    """Judge the version of a package as PEP 440 compares them."""
    from packaging.specifiers import Specifier
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    why = _changed(candidate, (ENVIRONMENT,))
    if why:
        return missing(why)
    try:
        known = read_from(candidate.texts, Environment, ENVIRONMENT)
    except UnreadableArtifact as error:
        return missing(error.problem)
    if known is None:
        return missing(f"there is no {ENVIRONMENT}")
    name = canonicalize_name(rule.subject)
    versions: dict[str, str] = {
        canonicalize_name(package): version for package, version in known.packages.items()
    }
    versions["python"] = known.software.get("Python", "").split(" ", maxsplit=1)[0]
    value = versions.get(name, "")
    if not value:
        return missing("there is no such package in the environment")
    try:
        version = Version(value)
    except InvalidVersion:
        return missing("it is no version", plain(value, 40))
    demand = "==" if rule.operator == "in" else rule.operator
    passed = any(
        Specifier(f"{demand}{wanted}").contains(version, prereleases=True) for wanted in rule.wanted
    )
    return Found(plain(value, 40), passed, "" if passed else f"{plain(value)} is not {rule.demand}")


def _under(candidate: Candidate, path: str) -> dict[str, int]:
    path = path.strip("/")
    return {
        name: size
        for name, size in candidate.files.items()
        if name == path or name.startswith(f"{path}/")
    }


def _file(candidate: Candidate, path: str) -> Found:
    files = _under(candidate, path)
    if not files:
        return missing(f"there is no {plain(path)}")
    why = _changed(candidate, files)
    if why:
        return missing(why)
    if not any(files.values()):
        return missing(f"{plain(path)} is empty", "0 bytes")
    return Found(_bytes(sum(files.values())), True)


def _changed(candidate: Candidate, paths: Iterable[str]) -> str:
    """Return what is wrong with the first of some files that is not as it was recorded."""
    found = (candidate.changed[path] for path in sorted(paths) if path in candidate.changed)
    return plain(next(found, ""))


def _bytes(size: int) -> str:
    return f"{size:,} bytes" if size < MEGABYTE else f"{size / MEGABYTE:.1f} MB"


def _evidence(candidate: Candidate) -> Found:
    found = sorted(path for path in candidate.files if is_evidence(path))
    if not found:
        return missing("there is no evidence.json of an export; %mlexport makes one")
    for path in found:
        try:
            proof = read_from(candidate.texts, Evidence, path)
        except UnreadableArtifact as error:
            return missing(plain(error.problem))
        checks = () if proof is None else proof.checks
        if not checks:
            return missing(f"{plain(path)} has no checks that can be read")
        other = "" if proof is None else another_network(candidate.version, proof)
        if other:
            return missing(f"{plain(path)} {other}")
        failed = sum(not check.ok for check in checks)
        if failed:
            return missing(f"in {plain(path)} {failed} of {len(checks)} checks did not pass")
    return Found(", ".join(plain(path.split("/")[0], 30) for path in found), True)


def _in_every_model(candidate: Candidate, word: str) -> Found:
    models = dict(_models(candidate))
    if word == "input example":  # that of an export is its model's, and stands with it
        own = {path: keys for path, keys in models.items() if path.split("/")[0] not in EXPORTS}
        models = own or models
    if not models:
        return missing("there is no MLmodel: no model was logged")
    for path, keys in sorted(models.items()):
        if _KEYS[word] not in keys:
            return missing(f"{plain(path)} has no {word}")
    return Found(f"in {', '.join(plain(path, 60) for path in sorted(models))}", True)


def _models(candidate: Candidate) -> Iterator[tuple[str, set[str]]]:
    """Yield each MLmodel file, and its keys ``a`` and ``a/b`` that have a value.

    Its nodes are read as they are: nothing is constructed of them.
    """
    import yaml

    for path, text in candidate.texts.items():
        if path.rsplit("/", 1)[-1] != "MLmodel":
            continue
        root = None
        with suppress(yaml.YAMLError, ValueError):
            if len(text) <= _YAML_LIMIT and all(shallow_events(text, _DEPTH)):
                root = yaml.compose(text, yaml.SafeLoader)
        yield path, set(_keys(root, 2))


def _keys(node: Any, depth: int) -> Iterator[str]:
    import yaml

    if not isinstance(node, yaml.MappingNode) or not depth:
        return
    for key, value in node.value:
        if value.tag != "tag:yaml.org,2002:null" and value.value:
            yield str(key.value)
            yield from (f"{key.value}/{inner}" for inner in _keys(value, depth - 1))
