# SPDX-License-Identifier: MIT
"""Write the C source of the extension module attractivenet._core from the public headers.

usage: build_core.py OUT.c build_core.py HEADER... interrupt.c

cffi reads declarations without a preprocessor, and the headers need none: comments, directives, AN_API
and the braces of extern "C" are removed, the rest is C.
"""
import pathlib
import re
import sys

import cffi

# What the library calls, implemented in attractivenet/_call.py.
CALLBACKS = """
extern "Python" {
    int32_t py_progress(void *user, const an_progress *progress);
    int32_t py_warning(void *user, const an_warning *warning);
    int32_t py_event(void *user, const an_train_event *event);
    int32_t py_text(void *user, const char *text);
    int32_t py_loss(void *user, const an_loss_batch *batch);
    int32_t py_fill(void *user, const an_fill_batch *batch);
    void py_release(void *user);
}
"""

def declarations(header: str) -> str:
    """The declarations of a header, without what only a preprocessor understands."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    return text.replace("AN_API ", "")


def signatures(source: str) -> str:
    """The declarations of the functions in interrupt.c that Python calls."""
    found = re.findall(r"^static ([\w ]+ \*?py_(?!on_|begin|end)\w+\([^)]*\)) \{", source, flags=re.MULTILINE)
    return "".join(words + ";\n" for words in found)


def main() -> None:
    out, _, *headers, interrupt = sys.argv[1:]
    # attractivenet.h includes the others in an order in which each type is known before its use.
    by_name = {pathlib.Path(path).name: pathlib.Path(path).read_text("utf-8") for path in headers}
    order = re.findall(r"<attractivenet/(\w+\.h)>", by_name.pop("attractivenet.h"))
    if sorted(order) != sorted(by_name):
        sys.exit(f"attractivenet.h includes {sorted(order)}; the headers are {sorted(by_name)}")
    builder = cffi.FFI()
    source = pathlib.Path(interrupt).read_text("utf-8")
    builder.cdef("".join(declarations(by_name[name]) for name in order) + signatures(source) + CALLBACKS)
    builder.set_source("attractivenet._core", "#include <attractivenet/attractivenet.h>\n" + source,
                       py_limited_api=True)
    builder.emit_c_code(out)


main()
