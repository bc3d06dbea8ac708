// SPDX-License-Identifier: MIT

module attractivenet

go 1.19
