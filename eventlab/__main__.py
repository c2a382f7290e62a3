"""`python -m eventlab` is the command `eventlab`."""

import sys

from eventlab.cli import main

sys.exit(main())
