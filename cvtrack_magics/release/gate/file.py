"""``gate.yaml``: rules in a file, every error with its line.

::

    model: cv-detector
    require:
      - val/mAP50 >= 0.85
      - p95_latency_ms <= 50
      - has(card)
    champion: {metric: val/mAP50, margin: 0.005, confidence: 0.95}
    evaluation:
      val: {task: detection, threshold: 0.5, iou: 0.5, data: 3f9a0c1e}

``champion`` takes ``better: lower`` too; ``evaluation`` says how the metrics of a prefix must
have been measured; ``unproved: true`` lets a version pass that was not compared with what was
measured. YAML's tags, anchors and merges are refused: a gate is read by people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.limits import file_bytes
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.gate.champion import ChampionRule
from cvtrack_magics.release.gate.parse import is_number, no_digest, parse_rule
from cvtrack_magics.release.gate.rules import Function, Rule
from cvtrack_magics.release.gate.wording import plain
from cvtrack_magics.release.gate.yamltext import shallow_events

if TYPE_CHECKING:
    from yaml.nodes import Node

_LIMIT = 100_000
_DEPTH = 10
_KEYS = ("model", "require", "champion", "evaluation", "unproved", "undecided")
_CHAMPION = ("metric", "margin", "confidence", "better")
_EVALUATION = ("task", "threshold", "iou", "data")


@dataclass(frozen=True, slots=True)
class GateFile:
    """What a gate file says.

    Attributes
    ----------
    model : str
        The registered model it is for; empty for any.
    rules : tuple of Rule
        In the order of the file.
    champion : ChampionRule or None
        What it takes to follow the champion.
    demands : mapping of str to mapping
        For a prefix, how its metrics must have been measured.
    unproved : bool
        Whether a version may pass whose served answers were not compared.
    """

    model: str = ""
    rules: tuple[Rule, ...] = ()
    champion: ChampionRule | None = None
    demands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unproved: bool = False
    undecided: bool = False


def read_gate(path: str | Path, functions: Mapping[str, Function] | None = None) -> GateFile:
    """Read a gate file.

    Raises
    ------
    UsageProblem
        It cannot be read, or :func:`parse_gate` refuses it.
    """
    path = Path(path)
    try:
        content = file_bytes(path, _LIMIT)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{plain(path)} cannot be read: {in_one_line(error)}.") from None
    if len(content) > _LIMIT:
        raise UsageProblem(f"{plain(path)} is larger than {_LIMIT:,} bytes: no gate file.")
    return parse_gate(text, path.name, functions)


def parse_gate(
    text: str, name: str = "gate.yaml", functions: Mapping[str, Function] | None = None
) -> GateFile:
    """Return what the text of a gate file says.

    Parameters
    ----------
    text : str
        YAML.
    name : str
        Of the file, for errors.
    functions : mapping of str to Function, optional
        Words beside the built-in ones.

    Raises
    ------
    UsageProblem
        ``gate.yaml line 7: …`` with what is wrong there.
    """
    return _Reader(plain(name, 80), functions).gate(text)


class _Reader:
    """Goes through the nodes of a file that is called ``name``."""

    def __init__(self, name: str, functions: Mapping[str, Function] | None) -> None:
        self.name = name
        self.functions = functions

    def problem(self, line: int, text: str, hint: str = "") -> UsageProblem:
        return UsageProblem(f"{self.name} line {line}: {text}", hint)

    def gate(self, text: str) -> GateFile:
        root = self.root(text)
        read: dict[str, Callable[[Node], Any]] = {
            "model": self.word,
            "require": self.rules,
            "champion": self.champion,
            "evaluation": self.evaluation,
            "unproved": self.yes_or_no,
            "undecided": self.yes_or_no,
        }
        found = {key: read[key](node) for key, node in self.pairs(root, _KEYS)}
        demands, digests = found.get("evaluation", ({}, ()))
        rules = (*found.get("require", ()), *digests)
        champion = found.get("champion")
        if not rules and champion is None:
            raise self.problem(_line(root), "it demands nothing.", "Write require: or champion:.")
        told = {key: found.get(key, False) for key in ("unproved", "undecided")}
        return GateFile(found.get("model", ""), rules, champion, demands, **told)

    def root(self, text: str) -> Node:
        """Return the only document's node; what could do harm or mislead is refused before."""
        import yaml

        try:
            self.plain_events(shallow_events(text, _DEPTH))
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else mark.line + 1
            raise self.problem(line, f"{plain(error.problem or 'it is no YAML')}.") from None
        except yaml.YAMLError as error:
            raise UsageProblem(f"{self.name} is no YAML: {in_one_line(error)}.") from None
        if root is None:
            raise UsageProblem(f"{self.name} is empty.", "Write require: and rules under it.")
        return root

    def plain_events(self, events: Iterator[Any]) -> None:
        import yaml

        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise self.problem(line, "anchors (&) and aliases (*) are refused.", "Quote it.")
            tag = getattr(event, "tag", None)
            if isinstance(tag, str):
                raise self.problem(line, f"the tag {plain(tag, 60)} is refused.", "Leave it out.")

    def pairs(self, node: Node, known: tuple[str, ...] = ()) -> Iterator[tuple[str, Node]]:
        import yaml

        if not isinstance(node, yaml.MappingNode):
            what = ", ".join(known) or "names"
            raise self.problem(_line(node), f"here stand {what} with a colon after each.")
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = self.word(key)
            if name in seen:
                raise self.problem(
                    _line(key), f"{plain(name, 60)!r} stands in line {seen[name]} already."
                )
            if known and name not in known:
                raise self.problem(
                    _line(key),
                    f"{plain(name, 60)!r} is not known.{did_you_mean(name, known)}",
                    f"There are {', '.join(known)}.",
                )
            seen[name] = _line(key)
            yield name, value

    def word(self, node: Node) -> str:
        import yaml

        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.problem(_line(node), "here stands one word or line of text.")
        return str(node.value).strip()

    def number(self, node: Node) -> float:
        text = self.word(node)
        if not is_number(text):
            raise self.problem(_line(node), f"{plain(text, 60)!r} is no number.")
        return float(text)

    def yes_or_no(self, node: Node) -> bool:
        text = self.word(node)
        if text not in ("true", "false"):
            raise self.problem(_line(node), f"{plain(text, 60)!r} is neither true nor false.")
        return text == "true"

    def rules(self, node: Node) -> tuple[Rule, ...]:
        import yaml

        if not isinstance(node, yaml.SequenceNode):
            raise self.problem(_line(node), "require: takes a list, '- ' before each rule.")
        return tuple(self.rule(item, self.word(item)) for item in node.value)

    def rule(self, node: Node, text: str) -> Rule:
        try:
            return parse_rule(text, self.functions)
        except UsageProblem as error:
            raise self.problem(_line(node), error.problem, error.hint) from None

    def champion(self, node: Node) -> ChampionRule:
        said = dict(self.pairs(node, _CHAMPION))
        if "metric" not in said:
            raise self.problem(_line(node), "the champion needs a metric.", "metric: val/mAP50")
        given: dict[str, Any] = {
            key: self.number(value) if key in ("margin", "confidence") else self.word(value)
            for key, value in said.items()
        }
        try:
            return ChampionRule(**given)
        except UsageProblem as error:
            raise self.problem(_line(node), error.problem, error.hint) from None

    def evaluation(self, node: Node) -> tuple[dict[str, dict[str, Any]], tuple[Rule, ...]]:
        """Return the demands by prefix, and the rules that the demanded data make."""
        demands, rules = {}, []
        for prefix, said in self.pairs(node):
            demand: dict[str, Any] = {}
            for key, value in self.pairs(said, _EVALUATION):
                if key == "data":
                    digest = self.word(value)
                    if no_digest("==", digest):
                        raise self.problem(_line(value), f"{no_digest('==', digest)}.")
                    rules.append(self.rule(value, f"eval({prefix})=={digest}"))
                elif key == "task":
                    demand[key] = self.word(value)
                else:
                    demand[key] = self.number(value)
            demands[prefix] = demand
        return demands, tuple(rules)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
