"""Configures, builds and tests each preset; called by ./test.

The tests are those that ctest lists. They are run here rather than by ctest
so that the cases inside them are counted: those of GoogleTest, lit and
unittest, whose reports are read. Any other test is one case: exit code 0
passes, 77 skips (its last line is the reason), all else fails.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JOBS = 2
TIMEOUT_S = 600
SKIP_CODE = 77
SHOWN_LINES = 60

# What is built and tested of a preset lies below `folder`.
Preset = collections.namedtuple("Preset", "name folder")
RELEASE = Preset("release", "")
SANITIZERS = [Preset("asan", "tests/runtime"),
              Preset("tsan", "tests/runtime/hal")]


class Result:
    """Cases counted, and what to say of those that did not pass."""

    def __init__(self, passed=0, failed=0):
        self.passed, self.failed = passed, failed
        self.skips = []  # (case, reason)
        self.failures = ""

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skips += other.skips

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {len(self.skips)} skipped" if self.skips else "")


def head(text, count=SHOWN_LINES):
    return "\n".join(text.splitlines()[:count])


def tail(text, count=SHOWN_LINES):
    return "\n".join(text.splitlines()[-count:])


def say(what, seconds, result=""):
    print(f"{what:<36} {seconds:.0f} s" + (f"  {result}" if result else ""),
          flush=True)


def run(command, log, timeout=None, **options):
    """Runs `command` into file `log`; its exit code, or None if it hung."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        try:
            process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True, **options)
        except OSError as error:
            out.write(str(error).encode())
            return 127
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:  # Of a hung test, its children too.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def gtest_result(report, log):
    result = Result()
    for suite in json.loads(report.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            if case["result"] == "SUPPRESSED":
                continue
            if case.get("failures"):
                result.failed += 1
                result.failures += gtest_section(name, log)
            elif case["result"] == "SKIPPED":
                result.skips.append((name, gtest_reason(name, log)))
            else:
                result.passed += 1
    return result


def gtest_section(name, log):
    """What the program printed while it ran the case `name`."""
    found = re.search(rf"\[ RUN +\] {re.escape(name)}\n(.*?)^\[ +\w+ +\] "
                      rf"{re.escape(name)}", log, re.S | re.M)
    section = found.group(1) if found else ""
    return f"{name}\n" + tail(section) + "\n"


def gtest_reason(name, log):
    lines = gtest_section(name, log).splitlines()[1:]
    text = [line for line in lines if line and ": Skipped" not in line]
    return " ".join(text) or "no reason given"


def crashed_gtest_result(log):
    """Of a program that ended early: those done, and the one that ended it."""
    result = Result(passed=len(re.findall(r"^\[ +OK \]", log, re.M)))
    result.failed = 1 + len(re.findall(r"^\[ +FAILED +\] \S+ \(\d+ ms\)", log,
                                       re.M))
    result.failures = tail(log)
    return result


def lit_result(report):
    result = Result()
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        failure = case.find("failure")
        if failure is not None:
            result.failed += 1
            result.failures += f"{name}\n{head(failure.text or '')}\n"
        elif skipped is not None:
            reason = skipped.get("message") or "unsupported here"
            result.skips.append((name, reason))
        else:
            result.passed += 1
    result.failures = head(result.failures, 4 * SHOWN_LINES)
    return result


def unittest_result(log):
    found = re.search(r"^Ran (\d+) tests? in .*?^(?:OK|FAILED|NO TESTS RAN)"
                      r"(?: \((.*)\))?", log, re.S | re.M)
    counts = dict(re.findall(r"([a-z ]+)=(\d+)", found.group(2) or ""))
    bad = sum(int(counts.get(kind, 0)) for kind in
              ("failures", "errors", "unexpected successes"))
    result = Result(failed=bad)
    for name, reason in re.findall(r"^(\w.*?) \.\.\. (?:.*\n)*?skipped (.*)$",
                                   log, re.M):
        result.skips.append((name.split()[0], reason.strip("'\"")))
    # A class skipped as a whole is one line, of every case in it.
    skipped = int(counts.get("skipped", 0))
    result.skips = result.skips[:skipped]
    result.skips += [("case", "see the log")] * (skipped - len(result.skips))
    # An error in setUpClass is of no case that ran.
    result.passed = max(0, int(found.group(1)) - bad - skipped)
    first = re.search(r"^=====+$.*", log, re.S | re.M)
    if bad:
        result.failures = head(first.group(0)) if first else tail(log)
    return result


def read_result(name, code, reports, log):
    """Counts the cases of a test that ended with `code`."""
    gtest, lit = reports
    try:
        if gtest.exists():
            result = gtest_result(gtest, log)
        elif lit.exists():
            result = lit_result(lit)
        elif re.search(r"^Ran \d+ tests? in ", log, re.M):
            result = unittest_result(log)
        elif re.search(r"^\[ RUN +\]", log, re.M):
            result = crashed_gtest_result(log)
        elif code == SKIP_CODE:
            result = Result()
            result.skips.append((name, tail(log, 1) or "no reason given"))
        else:
            result = Result(passed=int(code == 0))
    except (ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
        result = Result(failed=1)
        result.failures = f"unreadable report: {error}\n" + tail(log)
    # No report excuses an exit code: a crash after the last case, a leak.
    if code not in (0, SKIP_CODE) and not result.failed:
        result.failed += 1
        result.failures = tail(log)
    if code is None:
        result.failures = f"killed after {TIMEOUT_S} s\n" + result.failures
    return result


class Stage:
    """One preset: its build folder, its logs, and what it found."""

    def __init__(self, preset, regex):
        self.preset, self.regex = preset, re.compile(regex)
        self.build = ROOT / "build" / preset.name
        self.logs = self.build / "logs"
        self.total = Result()
        self.times_file = self.logs / "times.json"

    def step(self, name, command):
        """A step of the build: a failure is one failed case."""
        start = time.monotonic()
        log = self.logs / f"{name}.log"
        code = run(command, log, cwd=ROOT)
        say(f"{self.preset.name}: {name}", time.monotonic() - start,
            "" if code == 0 else "failed")
        if code == 0:
            return True
        text = log.read_text(errors="replace")
        at = text.find("FAILED:")
        print(head(text[at:]) if at >= 0 else tail(text), flush=True)
        self.total.failed += 1
        return False

    def listed(self):
        """The tests ctest knows of, longest of the last time first."""
        listing = subprocess.run(
            ["ctest", "--show-only=json-v1", "--test-dir",
             str(self.build / self.preset.folder)],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True)
        tests = [test for test in json.loads(listing.stdout)["tests"]
                 if self.regex.search(test["name"])]
        try:
            times = json.loads(self.times_file.read_text())
        except (OSError, ValueError):
            times = {}
        return sorted(tests, key=lambda t: -times.get(t["name"], 1e9))

    def run_test(self, test):
        name = test["name"]
        start = time.monotonic()
        log = self.logs / f"{name}.log"
        if not test.get("command"):
            result = Result(failed=1)
            result.failures = "its program was not built"
            return test, result, 0
        reports = (self.logs / f"{name}.json", self.logs / f"{name}.xml")
        for report in reports:
            report.unlink(missing_ok=True)
        properties = {p["name"]: p["value"]
                      for p in test.get("properties", [])}
        env = dict(os.environ, GTEST_OUTPUT=f"json:{reports[0]}",
                   LIT_OPTS=f"--xunit-xml-output={reports[1]}")
        env.update(pair.split("=", 1)
                   for pair in properties.get("ENVIRONMENT", []))
        code = run(test["command"], log, TIMEOUT_S, env=env,
                   cwd=properties.get("WORKING_DIRECTORY", self.build))
        text = log.read_text(errors="replace")
        result = read_result(name, code, reports, text)
        return test, result, time.monotonic() - start

    def report(self, test, result, seconds):
        name = test["name"]
        say(f"{self.preset.name}: {name}", seconds, str(result))
        if result.failed:
            print(result.failures.rstrip())
            print(f"(all of it: {self.logs.relative_to(ROOT)}/{name}.log)",
                  flush=True)
        cases = collections.defaultdict(list)
        for case, reason in result.skips:
            cases[reason].append(case)
        for reason, names in cases.items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            print(f"  skipped {names[0]}{more}: {reason}", flush=True)

    def test(self):
        times = {}
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            jobs = [pool.submit(self.run_test, t) for t in self.listed()]
            for job in concurrent.futures.as_completed(jobs):
                test, result, seconds = job.result()
                self.report(test, result, seconds)
                self.total.add(result)
                times[test["name"]] = round(seconds, 1)
        self.times_file.write_text(json.dumps(times, indent=1))

    def run(self):
        self.logs.mkdir(parents=True, exist_ok=True)
        target = f"{self.preset.folder}/all" if self.preset.folder else "all"
        if not self.step("configure", ["cmake", "--preset", self.preset.name]):
            return self.total
        if not self.listed():  # None has a name that was asked for.
            return self.total
        if self.step("build", ["cmake", "--build", str(self.build), "--target",
                               target, "--parallel", str(JOBS)]):
            self.test()
        return self.total


def main():
    parser = argparse.ArgumentParser(prog="./test", add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-R", dest="regex", default="")
    args = parser.parse_args()
    start = time.monotonic()
    total = Result()
    for preset in [RELEASE] + ([] if args.quick else SANITIZERS):
        total.add(Stage(preset, args.regex).run())
    say("all", time.monotonic() - start)
    if total.passed + total.failed == 0:
        print("test: nothing ran", file=sys.stderr, flush=True)
        total.failed = 1
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
