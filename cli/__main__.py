"""`python -m prodaccess_cli`."""

import sys

from .main import main

sys.exit(main())
