"""`python -m tests.containers.standin kafka TAG` builds a stand-in into the engine.

`postgres` and `python`, the base of the project's Dockerfile, are the others.
"""

import sys

from tests.containers.standin import kafka, postgres, python

{"kafka": kafka, "postgres": postgres, "python": python}[sys.argv[1]].build(sys.argv[2])
