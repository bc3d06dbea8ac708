# SPDX-License-Identifier: MIT
# The extension module made by cffi: lib has the functions and constants of the C headers, ffi the types.
from typing import Any

ffi: Any
lib: Any
