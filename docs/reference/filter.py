# SPDX-License-Identifier: MIT
"""Show a public header to Doxygen: the same number of lines, with the marks that Doxygen needs.

usage: filter.py HEADER

"Shapes:", "Returns:" and the like at the beginning of a line become headings; the comment behind a field or a
constant becomes its documentation, also where several are declared at once; an init function without a comment
gets the sentence that status.h says of all of them."""
import re
import sys

TITLE = re.compile(r"^( ?\*  ?|/\*\* )([A-Z][a-z]+|fork\(\)):(?= )", re.M)
SEVERAL = re.compile(r"^(\s+)([\w ]+?\b\w*\s+)((?:\w+, )+\w+);\s*$")
INIT = re.compile(r"^AN_API void (an_\w+)_init\(", re.M)


def document(code, comment):
    """The text of a field or constant and of the comment behind it, of as many lines."""
    several = SEVERAL.match(code)
    if not several:
        return code + "/**<" + comment[2:]
    text = re.sub(r"\s+", " ", comment[2:-2])
    fields = "".join(f"{several[2]}{name}; /**< {text}*/ " for name in several[3].split(", "))
    return several[1] + fields + "\n" * comment.count("\n")


def main(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    out, inside = [], False  # of a struct or an enum
    for part in re.split(r"(/\*.*?\*/)", text, flags=re.S):
        if not part.startswith("/*"):
            lines = part.split("\n")
            if any(re.match(r"(typedef )?(struct|enum)\b.*\{", line) for line in lines):
                inside = True
            if any(re.match(r"\}.*;", line) for line in lines):
                inside = bool(re.search(r"^(typedef )?(struct|enum)\b.*\{(?!.*^\}.*;)", part, re.S | re.M))
            if not (out and out[-1].startswith("/**") and re.match(r"\nAN_API", part)):
                part = INIT.sub(r"/** Set struct_size and the defaults of \1; nothing for NULL. */ \g<0>", part)
            out.append(part)
        elif part.startswith("/* SPDX-License-Identifier: MIT\n"):
            out.append("/** @file" + part[part.index("\n"):])
        elif part.startswith("/**"):
            out.append(TITLE.sub(r"\1@titled{\2}", part))
        elif inside and not part.startswith("/* ---"):
            before, _, code = out[-1].rpartition("\n")
            if code.strip():
                out[-1] = before + "\n" if before or out[-1].startswith("\n") else ""
                out.append(document(code, part))
            else:
                out.append("/**" + part[2:])
        else:
            out.append(part)
    sys.stdout.write("".join(out))


if __name__ == "__main__":
    main(sys.argv[1])
