"""`python -m autograph.tools.bench`, the same as `python -m autograph bench`."""

import sys

from . import main

sys.exit(main(sys.argv[1:]))
