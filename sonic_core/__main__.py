"""``python -m sonic_core``: the command line."""

import sys

from .cli.main import main

sys.exit(main())
