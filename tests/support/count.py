# SPDX-License-Identifier: MIT
"""Count test cases, show what failed, print "N passed, N failed, N skipped" as the last line.

usage: count.py FILE...    Meson's testlog.json, or *.tap

A cmocka program reports its cases as XML (CMOCKA_MESSAGE_OUTPUT=XML), other tests as TAP lines on
stdout; a test with neither counts as one case. A program that ends badly without a failed
case (a crash, a sanitizer's report, a time-out) counts as one failed case more. Exit status 1 if
anything failed or nothing ran.
"""
import html
import json
import re
import sys

SUITE = re.compile(r"<testsuite\b.*?</testsuite>", re.S)
CASE = re.compile(r'<testcase name="([^"]*)"[^>]*>(.*?)</testcase>', re.S)
TAP = re.compile(r"^(not )?ok\b(?: \d+)?(?: - )?(.*)$", re.M)
SKIP_STATUS = 77
LOG_LINES = 80


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def tail(text, lines=LOG_LINES):
    rows = text.rstrip().splitlines()
    cut = [f"... {len(rows) - lines} lines above"] if len(rows) > lines else []
    return "\n".join("    " + row for row in cut + rows[-lines:])


def count_xml(test, text, count):
    for suite in SUITE.findall(text):
        for name, body in CASE.findall(suite):
            name = html.unescape(name)
            if "<skipped" in body:
                count.skipped += 1
            elif "<failure" in body or "<error" in body:
                count.failed += 1
                why = re.sub(r"<!\[CDATA\[|\]\]>|</?failure[^>]*>", "", body).strip()
                print(f"\nFAILED {test}: {name}\n{tail(why)}")
            else:
                count.passed += 1


def count_tap(test, text, count):
    for match in TAP.finditer(text):
        bad, name = match.groups()
        if re.search(r"# skip\b", name, re.I):
            count.skipped += 1
        elif bad:
            count.failed += 1
            rest = text[match.end():].lstrip("\n").splitlines()
            why = []
            for line in rest:
                if not line.startswith("#"):
                    break
                why.append(line[1:].strip())
            print(f"\nFAILED {test}: {name}\n{tail(chr(10).join(why))}")
        else:
            count.passed += 1


def count_meson(path, total):
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            entry = json.loads(line)
            count = Count()
            out, err = entry.get("stdout") or "", entry.get("stderr") or ""
            count_xml(entry["name"], err + out, count)
            if "<testsuite" not in err + out:
                count_tap(entry["name"], out, count)
            status = entry["returncode"]
            bad = entry["result"] in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT") or \
                status not in (0, SKIP_STATUS)
            seen = count.passed + count.failed + count.skipped
            if count.failed and err.strip():
                print(f"  {entry['name']} on stderr:\n{tail(SUITE.sub('', err))}")
            if bad and not count.failed:
                count.failed += 1
                print(f"\nFAILED {entry['name']}: {entry['result']}, exit status {status}\n"
                      f"    {' '.join(entry['command'])}")
                print(tail(out))
                print(tail(SUITE.sub("", err)))
            elif not seen and status == SKIP_STATUS:
                count.skipped += 1
            elif not seen and not bad:
                count.passed += 1
            total.add(count)


def main():
    total = Count()
    for path in sys.argv[1:]:
        if path.endswith(".tap"):
            with open(path, encoding="utf-8", errors="replace") as file:
                count_tap("tests/run.sh", file.read(), total)
        else:
            count_meson(path, total)
    print()
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
