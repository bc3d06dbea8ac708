# SPDX-License-Identifier: MIT
"""Compare what the shared library promises with what was recorded: exported symbols, and sizes, offsets
and constants of the public headers.

usage: abi.py ROOT LIBRARY COMPILER [--update]

--update records the present state: do it only as docs/abi.md says.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

HERE = Path(__file__).resolve().parent
STRUCT = re.compile(r"typedef struct (an_\w+) \{(.*?)\} \1;", re.S)
CONSTANT = re.compile(r"\b(AN_[A-Z0-9_]+)\s*=")
HEAD = "# SPDX-License-Identifier: MIT\n"


def exported(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return sorted(line.split()[-1].split("@")[0] for line in out.splitlines())


def members(body):
    """Names of the members of a struct, in order: "double low, high;", "char text[252];"."""
    names = []
    for declaration in body.split(";"):
        if declaration.strip():
            for part in declaration.split(","):
                names.append(re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", part.strip()).group(1))
    return names


def headers_text(root):
    text = ""
    for path in sorted((root / "include/attractivenet").glob("*.h")):
        text += path.read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def layout(root, compiler):
    """Lines "struct NAME SIZE", "NAME.MEMBER OFFSET SIZE", "CONSTANT VALUE", as the compiler sees them."""
    text = headers_text(root)
    prints = []
    for name, body in sorted(STRUCT.findall(text)):
        prints.append(f'printf("struct {name} %zu\\n", sizeof({name}));')
        for member in members(body):
            prints.append(f'printf("{name}.{member} %zu %zu\\n", offsetof({name}, {member}), '
                          f'sizeof((({name} *)0)->{member}));')
    for name in sorted(set(CONSTANT.findall(text))):
        prints.append(f'printf("{name} %d\\n", (int){name});')
    source = ("#include <attractivenet/attractivenet.h>\n#include <stddef.h>\n#include <stdio.h>\n"
              "int main(void) {\n" + "\n".join(prints) + "\nreturn 0;\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "layout"
        program.with_suffix(".c").write_text(source)
        subprocess.run([compiler, "-std=c11", "-I" + str(root / "include"), str(program) + ".c", "-o",
                        str(program)], check=True)
        return subprocess.run([str(program)], check=True, stdout=subprocess.PIPE,
                              text=True).stdout.splitlines()


def recorded(name):
    path = HERE / name
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def difference(old, new):
    return ([f"gone or changed: {line}" for line in old if line not in set(new)]
            + [f"new: {line}" for line in new if line not in set(old)])


def holes(lines):
    """Padding inside a struct would be a member that nobody sees."""
    problems, name, end, size = [], None, 0, 0

    def close():
        return [f"{name}: {size - end} bytes of padding at the end"] if name and size != end else []
    for line in lines:
        words = line.split()
        if words[0] == "struct":
            problems += close()
            name, end, size = words[1], 0, int(words[2])
        elif "." in words[0]:
            offset, width = int(words[1]), int(words[2])
            if offset != end:
                problems.append(f"{words[0]}: {offset - end} bytes of padding before it")
            end = offset + width
    return problems + close()


def main():
    root, library, compiler = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    symbols, lines = exported(library), layout(root, compiler)
    if "--update" in sys.argv[4:]:
        (HERE / "symbols.txt").write_text(HEAD + "\n".join(symbols) + "\n")
        (HERE / "layout.txt").write_text(HEAD + "\n".join(lines) + "\n")
        return
    tap = Tap()
    hint = ["docs/abi.md says when this may change and how to record it"]
    stray = [name for name in symbols if not name.startswith("an_")]
    tap.case("only an_* is exported", stray)
    declared = set(re.findall(r"AN_API\s[^;]*?\b(an_\w+)\s*\(", headers_text(root)))
    tap.case("every declared function is exported", sorted(declared - set(symbols)))
    tap.case("every exported function is declared", sorted(set(symbols) - declared))
    found = difference(recorded("symbols.txt"), symbols)
    tap.case("exported symbols are those recorded", found + hint if found else [])
    found = difference(recorded("layout.txt"), lines)
    tap.case("structs and constants are those recorded", found + hint if found else [])
    tap.case("public structs have no holes", holes(lines))
    tap.exit()


if __name__ == "__main__":
    main()
