#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""install_modules.py FROM TO - installs compiled Fortran modules, which meson leaves where the compiler has put them."""

import os
import shutil
import sys
from pathlib import Path

source, target = Path(sys.argv[1]), sys.argv[2]
folder = Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"]) / Path(target).relative_to(os.environ["MESON_INSTALL_PREFIX"])
folder.mkdir(parents=True, exist_ok=True)
for module in sorted(source.glob("*.mod")):
    shutil.copy(module, folder)
