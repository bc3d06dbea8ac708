/* SPDX-License-Identifier: MIT */
typedef int ani_empty;
