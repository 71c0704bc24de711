# SPDX-License-Identifier: MIT
"""The figures by family: each module has measure(bench), which returns rows and tables."""
