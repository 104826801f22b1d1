"""A suite's report as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree

from archon_contracts.formats import CaseResult, SuiteReport
from services.evaluator.suites.failures import list_failures

_NO_XML: Final = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""What XML 1.0 cannot hold, escaped or not."""


def to_junit(report: SuiteReport) -> str:
    """One test case per case of the suite and per threshold.

    An answer that was not given is an error, and what `list_failures` finds a failure.
    """
    suite = ElementTree.Element("testsuite", name=_clean(report.suite))
    for result in report.results:
        if not result.perturbation:
            _add_case(suite, report, result)
    for threshold in report.thresholds:
        name = _clean(f"{threshold.metric} {threshold.group} {threshold.limit}")
        test = ElementTree.SubElement(suite, "testcase", classname="thresholds", name=name)
        if not threshold.passed:
            _add(test, "failure", [threshold.detail])
    tests = suite.findall("testcase")
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(test.find(tag) is not None for test in tests)))
    suite.set("tests", str(len(tests)))
    suite.set("time", f"{report.seconds:.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ElementTree.Element, report: SuiteReport, result: CaseResult) -> None:
    name = result.id + (f" #{result.repeat + 1}" if result.repeat else "")
    test = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_clean(result.group or report.suite),
        name=_clean(name),
        time=f"{result.latency_seconds or 0:.3f}",
    )
    failed = list_failures(result, test_answers=report.test_answers)
    if result.error:
        _add(test, "error", [result.error])
    elif failed:
        _add(test, "failure", failed)
    elif not result.assertions and result.correct is None:
        _add(test, "skipped", ["the case has no assertion and no right answer"])


def _add(test: ElementTree.Element, tag: str, messages: Iterable[str]) -> None:
    text = _clean("\n".join(messages))
    ElementTree.SubElement(test, tag, message=text.splitlines()[0] if text else "").text = text


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
